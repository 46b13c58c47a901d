"""The Compose file is valid, pinned and runs only what exists. (`compose-spec.json` is the Compose
Specification's own schema, Apache License 2.0.)"""

import asyncio
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from latchkey import cli
from latchkey.settings import variables
from latchkey.store.pool import COMMAND_CONNECTIONS, WEB_CONNECTIONS, WORKER_CONNECTIONS

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "codec-server")
ROLE_PASSWORDS = {"LATCHKEY_POSTGRES_PASSWORD", "TEMPORAL_POSTGRES_PASSWORD"}


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert list(validator.iter_errors(COMPOSE)) == []
    assert list(validator.iter_errors({"services": {"web": {"imagine": "x"}}}))


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.fullmatch(r"\d+\.\d+.*", tag), f"{name} runs {SERVICES[name]['image']}"
    assert "auto-setup" not in SERVICES[name]["image"]


def test_long_running_services_are_watched_and_restarted() -> None:
    for name in ("postgres", "temporal", "web", "worker"):
        assert SERVICES[name]["healthcheck"]["test"], name
    for name in ("postgres", "temporal", "temporal-ui", "web", "worker", "caddy", "backup"):
        assert SERVICES[name]["restart"] == "unless-stopped", name
    assert SERVICES["postgres"]["volumes"]


@pytest.mark.slow
def test_our_services_run_commands_that_exist() -> None:
    for name in OURS:
        program, command = SERVICES[name]["command"]  # the backup's script has a test of its own
        assert program == "latchkey"
        done = subprocess.run(
            [sys.executable, "-m", "latchkey.cli", command, "--help"], capture_output=True
        )
        assert done.returncode == 0, command


FIXED = {"LATCHKEY_DATA", "LATCHKEY_TEMPORAL_PORT", "LATCHKEY_TEMPORAL_UI_PORT", "STRIPE_API_BASE"}
"""What a Compose file decides by itself, or only `latchkey up` reads."""


def test_every_setting_can_be_passed_in() -> None:
    passed = set().union(*(SERVICES[name]["environment"] for name in OURS))
    wanted = {name for name in variables().values() if "SANDBOX" not in name} - FIXED
    assert wanted <= passed


def test_visitors_are_told_apart_behind_a_proxy_by_default() -> None:
    """Docker's bridge hands every connection on from an address of its own."""
    value = SERVICES["web"]["environment"]["FORWARDED_ALLOW_IPS"]
    default = re.fullmatch(r"\$\{FORWARDED_ALLOW_IPS:-(.+)\}", value)
    assert default, value
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    proxied = ProxyHeadersMiddleware(app, default[1])
    for peer in ("172.17.0.1", "203.0.113.9"):
        headers = [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.7")]
        scope: Any = {"type": "http", "client": (peer, 1), "headers": headers, "scheme": "http"}
        asyncio.run(proxied(scope, None, None))  # type: ignore[arg-type]
    assert seen == ["203.0.113.7", "203.0.113.9"], "the proxy's word counts, nobody else's"


def test_our_services_are_given_settings_that_exist() -> None:
    known = set(variables().values()) | {"TEMPORAL_NAMESPACE", "FORWARDED_ALLOW_IPS"}
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= known
    text = (ROOT / "deploy" / "env.example").read_text()
    given = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))
    assert given <= known | {"POSTGRES_PASSWORD", *ROLE_PASSWORDS}
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert demanded <= given


def test_the_file_contains_no_secrets() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for line in text.splitlines():
        name, _, value = line.strip().partition(": ")
        if any(word in name for word in ("PASSWORD", "SECRET", "TOKEN", "PWD")) and value:
            assert value.removeprefix("&password ").startswith(("${", "*password")), line


def test_web_and_postgres_go_before_the_worker() -> None:
    shares = {name: service.get("cpu_shares", 1024) for name, service in SERVICES.items()}
    assert shares["web"] == shares["postgres"] > shares["worker"] == shares["temporal"]


def test_services_are_confined() -> None:
    """No service gains privileges; ours write nowhere but to /tmp."""
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert (
            set(service.get("cap_add", [])) <= NEEDED
            if name == "postgres"
            else service.get("cap_add", ["NET_BIND_SERVICE"]) == ["NET_BIND_SERVICE"]
        ), name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert not service.get("privileged"), name
    for name in OURS:
        assert SERVICES[name]["read_only"], name
        assert SERVICES[name]["tmpfs"] == ["/tmp"], name
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text()


NEEDED = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


def test_databases_have_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    reaching = {name for name, one in SERVICES.items() if "outside" in one["networks"]}
    assert reaching == {"web", "worker", "temporal-ui", "codec-server", "caddy"}


def test_services_have_only_the_secrets_they_need() -> None:
    """The superuser's password stays with Postgres and the service that makes the roles."""

    def holders(secret: str) -> set[str]:
        return {
            name
            for name, service in SERVICES.items()
            if any(f"${{{secret}:" in str(value) for value in service["environment"].values())
        }

    assert holders("POSTGRES_PASSWORD") == {"postgres", "postgres-roles"}
    assert holders("LATCHKEY_POSTGRES_PASSWORD") == {
        *("postgres-roles", "migrate", "web", "worker", "backup"),
    }
    assert holders("TEMPORAL_POSTGRES_PASSWORD") == {
        "postgres-roles",
        "temporal-schema",
        "temporal",
    }
    assert set(SERVICES["migrate"]["environment"]) == {"DATABASE_URL", "DATABASE_PASSWORD"}
    for secret in ("LATCHKEY_ADMIN_PASSWORD", "LATCHKEY_API_TOKEN"):
        assert holders(secret) == {"web"}
    assert holders("LATCHKEY_TEMPORAL_KEYS") == {"web", "worker", "codec-server"}
    assert holders("LATCHKEY_CODEC_TOKEN") == {"codec-server"}
    assert holders("LATCHKEY_SECRET") == {"web", "worker", "backup"}
    for secret in ("STRIPE_SECRET_KEY", "SMTP_URL"):
        assert holders(secret) == {"web", "worker"}


def test_only_the_proxy_is_published() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:") or name == "caddy", f"{name} publishes {port}"
    assert SERVICES["caddy"]["profiles"] == ["tls"]


def test_postgres_has_connections_for_all() -> None:
    (option,) = [each for each in SERVICES["postgres"]["command"] if "max_connections" in each]
    offered = int(option.partition("=")[2])
    temporal = SERVICES["temporal"]["environment"]
    theirs = 4 * (int(temporal["SQL_MAX_CONNS"]) + int(temporal["SQL_VIS_MAX_CONNS"]))
    ours = 2 * (WEB_CONNECTIONS + WORKER_CONNECTIONS) + COMMAND_CONNECTIONS
    reserved = 3
    assert offered >= ours + theirs + reserved


def test_backups_are_made_every_night_and_the_newest_kept(tmp_path: Path) -> None:
    """The script itself, with a stand-in for `latchkey` that names files and one for `sleep`."""
    backups = tmp_path / "backups"
    backups.mkdir()
    for day in range(1, 5):
        (backups / f"latchkey-2026110{day}-021700.tar").touch()
    (backups / "notes.txt").touch()
    made = backups / "latchkey-20261105-021700.tar"
    programs = {
        "latchkey": f'[ "$1 $2" = "backup /backups" ] && touch {made}',
        "sleep": f'echo "$1" > {tmp_path}/slept; kill $PPID',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    script = (ROOT / "deploy" / "backup.sh").read_text()
    here = script.replace("ls -1 /backups", f"ls -1 {backups}")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LATCHKEY_BACKUPS_KEPT": "3"}
    subprocess.run(["sh", "-c", here], env=environment, timeout=30)
    kept = sorted(path.name for path in backups.iterdir())
    names = [f"latchkey-2026110{day}-021700.tar" for day in (3, 4, 5)]
    assert kept == [*names, "notes.txt"]
    assert 0 < int((tmp_path / "slept").read_text()) <= 2 * 86_400


def test_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source


def test_temporal_finds_its_dynamic_configuration() -> None:
    """The server's image brings none, and the server doesn't start without the file."""
    service = SERVICES["temporal"]
    inside = service["environment"]["DYNAMIC_CONFIG_FILE_PATH"]
    source = next(m.split(":")[0] for m in service["volumes"] if m.split(":")[1] == inside)
    values = yaml.safe_load((ROOT / source).read_text())
    assert all(entry.keys() == {"value"} for entries in values.values() for entry in entries)


def test_a_probe_tells_up_from_down() -> None:
    probe = [sys.executable, "-m", "latchkey.probe", "http://127.0.0.1:9/readyz"]
    assert subprocess.run(probe).returncode == 1


@pytest.mark.slow
def test_the_wheel_contains_everything_needed_to_run(tmp_path: Path) -> None:
    """What the image installs: templates, styles, migrations and seeds included."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-w",
            tmp_path,
            ROOT,
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    held = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("latchkey", "web", "sandbox", "activities", "workflows"):
        for path in (ROOT / folder).rglob("*"):
            relative = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in relative:
                assert relative in held, relative


def test_an_image_without_the_sandbox_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    told = CliRunner().invoke(cli.app, ["sandbox"])
    assert told.exit_code == 1
    assert "the sandbox isn't in the image" in told.output
