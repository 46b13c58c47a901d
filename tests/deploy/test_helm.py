"""The Helm chart: rendered by Helm, checked against the schemas of the oldest and newest Kubernetes
and of the resources that operators add, and it runs only what exists. (`custom-resources.json` has
the schemas that the Prometheus operator and the Gateway API publish, Apache License 2.0.)"""

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

import jsonschema_rs
import pytest
import typer
import yaml
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import worker
from latchkey import cli, codec_server, worker_port
from latchkey.settings import Settings, load_settings, variables
from latchkey.store.pool import COMMAND_CONNECTIONS, WEB_CONNECTIONS, WORKER_CONNECTIONS
from tests.deploy import kubernetes
from tests.test_payload_codec import OLD
from web import app as web_app

pytestmark = pytest.mark.slow

Object = dict[str, Any]

CHART = Path(__file__).parents[2] / "deploy" / "helm"
SECRETS = "/run/secrets/latchkey"
LEAST = """
settings: {LATCHKEY_PUBLIC_URL: "https://members.example.com"}
temporal: {address: "temporal-frontend:7233"}
"""
MOST = """
image: {repository: registry.example.com/latchkey, tag: "1.2.3", pullSecrets: [registry]}
settings:
  LATCHKEY_PUBLIC_URL: https://members.example.com
  LATCHKEY_STRIPE_RATE: 0.5
  LATCHKEY_CATCHUP_SECONDS: 1000000
secrets:
  name: ours
  from:
    DATABASE_URL: {name: postgres-app, key: uri}
    LATCHKEY_METRICS_TOKEN: {name: metrics, key: token}
temporal:
  address: name.tmprl.cloud:7233
  namespace: name
  tls: {enabled: true, serverName: name, secretName: temporal-tls, clientCertificate: true}
postgres: {caSecretName: postgres-ca, maxConnections: 400}
web: {autoscaling: {minReplicas: 3, maxReplicas: 9}, drainSeconds: 30}
worker: {replicas: 4}
backup: {enabled: true, claimName: backups}
pictures: {volume: {enabled: true, size: 20Gi, storageClassName: nfs}}
codecServer: {enabled: true}
ingress: {enabled: true, className: nginx, tlsSecretName: members, annotations: {a.example/b: c}}
gateway: {enabled: true, parentRefs: [{name: public}]}
monitoring: {enabled: true, labels: {release: prometheus}}
networkPolicy: {webFrom: [{namespaceSelector: {}}]}
podAnnotations: {a.example/b: c}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: members, operator: Exists}]
"""
LIKE_NUMBERS = """
settings: {LATCHKEY_PUBLIC_URL: "https://123"}
image: {pullSecrets: ["123"]}
secrets:
  name: "123"
  from:
    DATABASE_URL: {name: "0x1f", key: "true"}
    LATCHKEY_METRICS_TOKEN: {name: "42", key: "0"}
temporal:
  address: "temporal-frontend:7233"
  namespace: "1"
  tls: {enabled: true, serverName: "1", secretName: "1"}
postgres: {caSecretName: "42"}
backup: {enabled: true, claimName: "123"}
pictures: {volume: {enabled: true, claimName: "0x1f"}}
codecServer: {enabled: true}
ingress: {enabled: true, className: "1", tlsSecretName: "1"}
gateway: {enabled: true, parentRefs: [{name: public}]}
monitoring: {enabled: true, interval: 1m}
"""
FEW = """
web: {replicas: 1, autoscaling: {enabled: false}}
worker: {replicas: 1}
networkPolicy: {enabled: false}
"""


def helm(*values: str, release: str = "latchkey") -> subprocess.CompletedProcess[str]:
    """Render the chart with these values, the later ones taking precedence."""
    assert not kubernetes.missing(), "`make test` brings Helm"
    command = [str(kubernetes.HELM), "template", release, str(CHART), "--values", "-"]
    merged: Object = {}
    for text in values:
        merged |= yaml.safe_load(text)
    given = yaml.safe_dump(merged)
    return subprocess.run(command, input=given, capture_output=True, text=True)


@cache
def rendered(*values: str, release: str = "latchkey") -> list[Object]:
    done = helm(*values, release=release)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def pods(objects: list[Object]) -> dict[str, Object]:
    """The specification of each program's pods, by the container's name."""
    found = {}
    for each in objects:
        spec = each
        while "containers" not in spec and (inner := _inner(spec)):
            spec = inner
        for container in spec.get("containers", []):
            found[container["name"]] = spec
    return found


def _inner(spec: Object) -> Object | None:
    names = ("spec", "jobTemplate", "template")
    return next((spec[name] for name in names if isinstance(spec.get(name), dict)), None)


def one(objects: list[Object], kind: str, name: str) -> Object:
    found = [x for x in objects if x["kind"] == kind and x["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}"
    return found[0]


def container(objects: list[Object], name: str) -> Object:
    return cast(Object, pods(objects)[name]["containers"][0])


@cache
def validator(version: str, api: str, kind: str) -> Any:
    custom = json.loads(Path(__file__).with_name("custom-resources.json").read_text())
    if schema := custom.get(f"{api} {kind}"):
        return jsonschema_rs.validator_for(_closed(schema))
    folder = kubernetes.schemas(version)
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    schema = json.loads((folder / f"{kind.lower()}-{group}.json").read_text())
    definitions = json.loads((folder / "_definitions.json").read_text())
    text = json.dumps(schema).replace('"/api/_definitions.json#/', '"#/')
    return jsonschema_rs.validator_for(json.loads(text) | {"$defs": definitions["$defs"]})


def _closed(schema: Any) -> Any:
    """The schema without room for fields that it doesn't name."""
    if isinstance(schema, dict):
        schema = {name: _closed(value) for name, value in schema.items()}
        if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
    return schema


def faults(version: str, each: Object) -> list[str]:
    found = validator(version, each["apiVersion"], each["kind"]).iter_errors(each)
    return [f"{each['kind']}: {error.message} at {error.instance_path}" for error in found]


@pytest.mark.parametrize("version", kubernetes.VERSIONS)
@pytest.mark.parametrize("values", [(LEAST,), (LEAST, FEW), (MOST,)], ids=["least", "few", "most"])
def test_all_objects_follow_the_schemas_of_kubernetes(
    version: str, values: tuple[str, ...]
) -> None:
    for each in rendered(*values):
        assert faults(version, each) == []


def test_names_that_look_like_numbers_stay_names() -> None:
    for each in rendered(LIKE_NUMBERS, release="123"):
        assert faults(kubernetes.VERSIONS[-1], each) == []


def test_the_schemas_refuse_what_does_not_exist() -> None:
    for each in rendered(MOST):
        each = json.loads(json.dumps(each))
        part = "data" if each["kind"] == "ConfigMap" else "spec"
        if part in each:
            each[part]["imagined"] = {}
            assert faults(kubernetes.VERSIONS[-1], each), each["kind"]


def test_the_chart_is_of_this_release_and_renders_everything() -> None:
    project = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    assert container(rendered(LEAST), "web")["image"] == f"latchkey:{project['version']}"
    kinds = sorted({each["kind"] for each in rendered(MOST)})
    assert kinds == [
        *("ConfigMap", "CronJob", "Deployment", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress"),
        *("Job", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget"),
        *("PodMonitor", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor"),
    ]
    assert {each["kind"] for each in rendered(LEAST, FEW)}.isdisjoint(
        {"HorizontalPodAutoscaler", "NetworkPolicy", "Ingress", "HTTPRoute", "ServiceMonitor"}
    )


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    command = [str(kubernetes.HELM), "lint", "--strict", "--quiet", str(CHART), "--values", "-"]
    done = subprocess.run(command, input=MOST, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("settings: {LATCHKEY_PUBLIC_URL: members.example.com}", "/settings/LATCHKEY_PUBLIC_URL"),
        ("settings: {LATCHKEY_STRIPE_RATE: 3}", "missing property 'LATCHKEY_PUBLIC_URL'"),
        ("settings: {LATCHKEY_PUBLIC_URL: 'https://a', STRIPE_RATE: 3}", "'STRIPE_RATE'"),
        ("settings: {LATCHKEY_PUBLIC_URL: 'https://a', LATCHKEY_SECRET: x}", "'LATCHKEY_SECRET'"),
        ("secrets: {from: {DATABASE_URL: postgresql://a:b@c/d}}", "/secrets/from/DATABASE_URL"),
        ("secrets: {from: {DATABASE: {name: a, key: b}}}", "'DATABASE'"),
        ("temporal: {address: 'https://temporal'}", "/temporal/address"),
        ("temporal: {}", "at '/temporal/address'"),
        ("web: {replica: 2}", "'replica'"),
        ("web: {drainSeconds: 301}", "/web/drainSeconds"),
        ("worker: {replicas: 0}", "/worker/replicas"),
        ("worker: {replicas: 9}", "up to 244 connections to Postgres are wanted"),
        ("backup: {enabled: true}", "/backup/claimName"),
        ("gateway: {enabled: true}", "/gateway/parentRefs"),
        ("image: {digest: 'md5:1'}", "/image/digest"),
        ("image: {pullSecrets: ['a: b']}", "/image/pullSecrets/0"),
        ("secrets: {name: 'a}, optional: true, b: {c'}", "/secrets/name"),
        ("secrets: {from: {SMTP_URL: {name: 'a b', key: c}}}", "/secrets/from/SMTP_URL/name"),
        ("secrets: {from: {SMTP_URL: {name: a, key: 'b, c: d'}}}", "/secrets/from/SMTP_URL/key"),
        ("temporal: {address: 'a:1', tls: {secretName: 'a}'}}", "/temporal/tls/secretName"),
        ("postgres: {caSecretName: 'a: b'}", "/postgres/caSecretName"),
        ('backup: {enabled: true, claimName: "a\\n  b: c"}', "/backup/claimName"),
        ('ingress: {className: "a\\nb: c"}', "/ingress/className"),
        ('ingress: {tlsSecretName: "a\\n"}', "/ingress/tlsSecretName"),
        ('monitoring: {interval: "30s\\n"}', "/monitoring/interval"),
        ("pictures: {volume: {enabled: true, accessMode: ReadOnlyMany}}", "/volume/accessMode"),
        ("pictures: {volume: {enabled: true, size: 5}}", "/pictures/volume/size"),
        (
            "settings: {LATCHKEY_PUBLIC_URL: 'https://a', LATCHKEY_PICTURES: 's3://a'}\n"
            "pictures: {volume: {enabled: true}}",
            "choose one of the two",
        ),
    ],
)
def test_wrong_values_are_refused_by_name(wrong: str, says: str) -> None:
    done = helm(LEAST, wrong)
    assert done.returncode != 0
    assert says in done.stderr
    assert done.stdout == ""


def secret_names() -> set[str]:
    """The variables whose values are secrets, with the one that belongs to a password."""
    fields = Settings.model_fields.items()
    secret = {
        variables()[name] for name, field in fields if SecretStr in get_args(field.annotation)
    }
    return secret | {"LATCHKEY_ADMIN_EMAIL"}


def test_every_setting_can_be_given() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    settings = set(schema["settings"]["properties"])
    secrets = set(schema["secrets"]["properties"]["from"]["properties"])
    decided = set(one(rendered(LEAST), "ConfigMap", "latchkey")["data"]) - settings
    known = {name for name in variables().values() if "SANDBOX" not in name}
    known -= {"LATCHKEY_DATA", "LATCHKEY_TEMPORAL_PORT", "LATCHKEY_TEMPORAL_UI_PORT"}
    assert secrets == secret_names() | {"TEMPORAL_API_KEY"}
    assert settings == known - secrets - decided
    assert decided <= known | {"LATCHKEY_LOG_FORMAT", "TEMPORAL_NAMESPACE"}


def test_each_program_is_given_settings_that_exist() -> None:
    known = set(variables().values()) | {"LATCHKEY_LOG_FORMAT", "LATCHKEY_SECRETS_DIR"}
    objects = rendered(MOST)
    given = set(one(objects, "ConfigMap", "latchkey")["data"])
    for name in pods(objects):
        given |= {each["name"] for each in container(objects, name)["env"]}
    documented = {
        *("TEMPORAL_NAMESPACE", "TEMPORAL_TLS", "TEMPORAL_TLS_SERVER_NAME"),
        *("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH",
    }
    assert given <= known | documented


def test_values_reach_the_programs_as_they_were_written() -> None:
    data = one(rendered(MOST), "ConfigMap", "latchkey")["data"]
    assert data["LATCHKEY_STRIPE_RATE"] == "0.5"
    assert data["LATCHKEY_CATCHUP_SECONDS"] == "1000000"
    wanted = {name: value for name, value in data.items() if name in variables().values()}
    settings = Settings(**wanted)
    assert settings.drain_seconds == 30
    assert settings.worker_metrics_host == "0.0.0.0"


def files(spec: Object) -> dict[str, tuple[str, str, bool]]:
    """The files of secrets: the Secret, its key, and whether that may be missing."""
    volume = next(each for each in spec["volumes"] if each["name"] == "secrets")
    return {
        item["path"]: (
            source["secret"]["name"],
            item["key"],
            source["secret"].get("optional", False),
        )
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }


def test_secrets_are_mounted_only_where_they_are_needed() -> None:
    objects = rendered(MOST)
    assert not [each for each in objects if each["kind"] == "Secret"]
    held = {name: files(spec) for name, spec in pods(objects).items()}
    assert held["web"].keys() == secret_names() - {"LATCHKEY_CODEC_TOKEN"} | {"TEMPORAL_API_KEY"}
    assert held["codec-server"].keys() == {"LATCHKEY_TEMPORAL_KEYS", "LATCHKEY_CODEC_TOKEN"}
    only_web = {
        *("LATCHKEY_ADMIN_EMAIL", "LATCHKEY_ADMIN_PASSWORD", "LATCHKEY_API_TOKEN"),
        "LATCHKEY_METRICS_TOKEN",
    }
    assert held["worker"].keys() == held["web"].keys() - only_web
    assert held["migrate"].keys() == {"DATABASE_URL", "DATABASE_PASSWORD"}
    assert held["backup"].keys() == {"DATABASE_URL", "DATABASE_PASSWORD", "LATCHKEY_SECRET"}
    assert held["web"]["DATABASE_URL"] == ("postgres-app", "uri", False)
    assert held["web"]["LATCHKEY_SECRET"] == ("ours", "LATCHKEY_SECRET", False)
    assert held["web"]["SMTP_URL"] == ("ours", "SMTP_URL", True)
    for name in pods(objects):
        env = {each["name"]: each["value"] for each in container(objects, name)["env"]}
        assert env == {"LATCHKEY_SECRETS_DIR": SECRETS}
        mounts = {each["name"]: each for each in container(objects, name)["volumeMounts"]}
        assert mounts["secrets"]["mountPath"] == SECRETS
        assert {each["name"] for each in pods(objects)[name]["volumes"]} == mounts.keys()


@pytest.mark.parametrize(
    ("values", "claim"),
    [(MOST, "latchkey-pictures"), (LIKE_NUMBERS, "0x1f")],
    ids=["a claim of the chart", "a claim of ours"],
)
def test_programs_that_keep_pictures_have_the_volume(values: str, claim: str) -> None:
    objects = rendered(values)
    place = one(objects, "ConfigMap", "latchkey")["data"]["LATCHKEY_PICTURES"]
    having = set()
    for name, spec in pods(objects).items():
        mounts = {
            each["mountPath"]: each["name"] for each in container(objects, name)["volumeMounts"]
        }
        volumes = {each["name"]: each for each in spec["volumes"]}
        if place in mounts:
            assert volumes[mounts[place]]["persistentVolumeClaim"] == {"claimName": claim}
            having.add(name)
    assert having == {"web", "worker", "doctor"}
    made = [each for each in objects if each["kind"] == "PersistentVolumeClaim"]
    assert [each["metadata"]["name"] for each in made] == ([claim] if values == MOST else [])
    for each in made:
        assert each["spec"]["accessModes"] == ["ReadWriteMany"]
        assert each["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "PersistentVolumeClaim" not in {each["kind"] for each in rendered(LEAST)}


def test_pods_keep_to_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    for name, spec in pods(rendered(MOST)).items():
        pod, inner = spec["securityContext"], spec["containers"][0]["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert inner["capabilities"] == {"drop": ["ALL"]}
        assert inner["allowPrivilegeEscalation"] is False
        assert inner["readOnlyRootFilesystem"] is True
        assert not spec["automountServiceAccountToken"]
        kinds = {kind for volume in spec["volumes"] for kind in volume} - {"name"}
        assert kinds <= {"emptyDir", "projected", "secret", "persistentVolumeClaim"}
        assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(spec)
        assert spec["containers"][0]["resources"].keys() == {"requests", "limits"}


def test_the_user_is_that_of_the_image() -> None:
    dockerfile = (CHART.parents[1] / "Dockerfile").read_text()
    spec = pods(rendered(LEAST))["web"]["securityContext"]
    user, group = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.M)[0]
    assert (spec["runAsUser"], spec["runAsGroup"]) == (int(user), int(group))


def test_services_of_the_cluster_do_not_become_settings() -> None:
    """Kubernetes gives pods variables for the Services beside them: a Service named `latchkey`
    would be `LATCHKEY_PORT`."""
    for spec in pods(rendered(LEAST)).values():
        assert spec["enableServiceLinks"] is False


def test_programs_are_commands_that_exist() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    objects = rendered(MOST)
    for name in pods(objects):
        program, command, *arguments = container(objects, name)["args"]
        assert program == "latchkey"
        taken = [each for each in commands[command].params if each.param_type_name == "argument"]
        assert len(arguments) == len(taken), command


def paths_of(served: Starlette) -> set[str]:
    """The paths of an application, with those of what it mounts at its root."""
    found = {route.path for route in served.routes if isinstance(route, Route)}
    for route in served.routes:
        if isinstance(route, Mount) and route.path == "" and isinstance(route.app, Starlette):
            found |= paths_of(route.app)
    return found


def test_probes_ask_for_paths_and_ports_that_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHKEY_TEMPORAL_KEYS", OLD)
    objects = rendered(LEAST)
    data = one(objects, "ConfigMap", "latchkey")["data"]
    served = {
        "web": paths_of(web_app.create_app(load_settings())),
        "worker": paths_of(worker_port.app(worker_port.Work())),
    }
    for name, port in (
        ("web", data["LATCHKEY_PORT"]),
        ("worker", data["LATCHKEY_WORKER_METRICS_PORT"]),
    ):
        given = container(objects, name)
        (only,) = given["ports"]
        assert str(only["containerPort"]) == port
        asked = {
            kind: given[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
        }
        assert {each["path"] for each in asked.values()} <= served[name]
        assert {each["port"] for each in asked.values()} == {only["name"]}
        assert asked["readiness"]["path"] == "/readyz"
        assert asked["liveness"]["path"] == "/healthz"
    codec = container(rendered(MOST), "codec-server")
    decoding = paths_of(codec_server.app(load_settings()))
    assert codec["livenessProbe"]["httpGet"]["path"] in decoding
    assert codec["readinessProbe"]["httpGet"]["path"] in decoding
    assert str(codec["ports"][0]["containerPort"]) == data["LATCHKEY_CODEC_PORT"]
    assert "/metrics" in served["web"] & served["worker"]


@pytest.mark.parametrize("values", [LEAST, MOST], ids=["least", "most"])
def test_pods_are_killed_only_after_they_have_drained(values: str) -> None:
    objects = rendered(values)
    data = one(objects, "ConfigMap", "latchkey")["data"]
    spec = pods(objects)["web"]
    assert spec["terminationGracePeriodSeconds"] >= int(data["LATCHKEY_DRAIN_SECONDS"]) + 15
    ready = container(objects, "web")["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < int(data["LATCHKEY_DRAIN_SECONDS"])
    grace = pods(objects)["worker"]["terminationGracePeriodSeconds"]
    assert grace >= worker.GRACE.total_seconds() + 15


def test_selectors_find_their_pods() -> None:
    objects = rendered(MOST)
    labels = {}
    for name in ("web", "worker"):
        deployment = one(objects, "Deployment", f"latchkey-{name}")
        labels[name] = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
        budget = one(objects, "PodDisruptionBudget", f"latchkey-{name}")["spec"]
        assert budget["selector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]
        policy = one(objects, "NetworkPolicy", f"latchkey-{name}")["spec"]["podSelector"]
        assert policy["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]
    service = one(objects, "Service", "latchkey-web")
    assert service["spec"]["selector"].items() <= labels["web"].items()
    assert not service["spec"]["selector"].items() <= labels["worker"].items()
    monitor = one(objects, "ServiceMonitor", "latchkey-web")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    monitor = one(objects, "PodMonitor", "latchkey-worker")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= labels["worker"].items()


def test_routes_lead_the_public_host_to_web() -> None:
    objects = rendered(MOST, release="shop")
    service = one(objects, "Service", "shop-latchkey-web")
    route = one(objects, "HTTPRoute", "shop-latchkey-web")["spec"]
    assert route["hostnames"] == ["members.example.com"]
    (backend,) = route["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == (service["metadata"]["name"], 80)
    rule = one(objects, "Ingress", "shop-latchkey-web")["spec"]["rules"][0]
    assert rule["host"] == "members.example.com"
    target = rule["http"]["paths"][0]["backend"]["service"]
    assert target == {"name": service["metadata"]["name"], "port": {"name": "http"}}


def test_prometheus_finds_what_the_alert_rules_expect() -> None:
    objects = rendered(MOST)
    ours = yaml.safe_load((CHART.parent / "prometheus-alerts.yml").read_text())
    rule = one(objects, "PrometheusRule", "latchkey")
    assert rule["spec"] == ours
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    web = one(objects, "ServiceMonitor", "latchkey-web")["spec"]["endpoints"][0]
    worker = one(objects, "PodMonitor", "latchkey-worker")["spec"]["podMetricsEndpoints"][0]
    jobs = {each["relabelings"][0]["replacement"] for each in (web, worker)}
    assert jobs == set(re.findall(r'job="([^"]+)"', json.dumps(ours).replace('\\"', '"')))
    assert web["authorization"]["credentials"] == {"name": "metrics", "key": "token"}


def test_migrations_run_before_anything_changes() -> None:
    job = one(rendered(MOST), "Job", "latchkey-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "envFrom" not in container(rendered(MOST), "migrate"), "there is no ConfigMap yet"
    assert "serviceAccountName" not in pods(rendered(MOST))["migrate"]


def test_connections_are_counted_as_the_programs_open_them() -> None:
    values = "web: {replicas: 2, autoscaling: {enabled: false}}\nworker: {replicas: 2}"
    wanted = 3 * WEB_CONNECTIONS + 3 * WORKER_CONNECTIONS + COMMAND_CONNECTIONS
    assert helm(LEAST, values, f"postgres: {{maxConnections: {wanted}}}").returncode == 0
    refused = helm(LEAST, values, f"postgres: {{maxConnections: {wanted - 1}}}")
    assert f"up to {wanted} connections" in refused.stderr


def test_postgres_and_temporal_beside_it_fit_together() -> None:
    folder = CHART.parent / "kubernetes"
    cluster, *databases = yaml.safe_load_all((folder / "postgres.yaml").read_text())
    config = yaml.safe_load((folder / "temporal-values.yaml").read_text())["server"]
    made = {each["spec"]["name"]: each["spec"]["owner"] for each in databases}
    stores = [store["sql"] for store in config["config"]["persistence"]["datastores"].values()]
    assert {each["databaseName"]: each["user"] for each in stores} == made
    name = cluster["metadata"]["name"]
    assert {each["spec"]["cluster"]["name"] for each in databases} == {name}
    assert {each["connectAddr"] for each in stores} == {f"{name}-rw.default:5432"}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    servers = config["replicaCount"] * 4
    """Temporal's programs: frontend, history, matching and its worker."""
    temporal = servers * sum(each["maxConns"] for each in stores)
    offered = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    assert offered >= values["postgres"]["maxConnections"] + temporal
    compose = yaml.safe_load((CHART.parent / "temporal-dynamic-config.yaml").read_text())
    assert config["dynamicConfig"] == compose
    (namespace,) = config["config"]["namespaces"]["namespace"]
    assert namespace["name"] == values["temporal"]["namespace"]
