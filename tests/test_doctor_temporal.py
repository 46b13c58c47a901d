"""What doctor says of Temporal, above all of Temporal Cloud, which no test can reach."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from temporalio.api.enums.v1 import ScheduleOverlapPolicy

from latchkey import contracts, doctor_temporal, schedules, temporal
from latchkey.doctor_checks import Check
from latchkey.temporal import Access
from tests.harness import Latchkey

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 30, tzinfo=UTC)
OWN, REGIONAL = "site.a1b2c.tmprl.cloud:7233", "eu-central-1.aws.api.temporal.io:7233"


def certificate(*, days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "latchkey")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def reached(
    address: str = OWN,
    *,
    namespace: str = "site.a1b2c",
    key: bool = False,
    pem: bytes | None = None,
) -> Access:
    encrypted = key or pem is not None
    return Access(address, namespace, encrypted, api_key=key, certificate=pem)


def found(access: Access) -> list[Check]:
    return list(doctor_temporal.of_access(access, now=NOW))


def test_other_servers_are_not_taken_for_temporal_cloud() -> None:
    for address in ("127.0.0.1:7233", "temporal:7233", "tmprl.cloud.example:7233"):
        assert found(reached(address, namespace="default")) == []


@pytest.mark.parametrize("address", [OWN, REGIONAL])
def test_a_key_or_a_certificate_is_needed(address: str) -> None:
    [nothing] = found(reached(address))
    assert not nothing.ok
    assert "TEMPORAL_API_KEY" in nothing.advice
    [key] = found(reached(address, key=True))
    assert key.ok


def test_regional_addresses_take_keys_only() -> None:
    pem = certificate(days=300)
    [refused] = found(reached(REGIONAL, pem=pem))
    assert not refused.ok
    assert OWN in refused.advice
    [accepted] = found(reached(OWN, pem=pem))
    assert accepted.ok
    assert "2027-09-26" in accepted.found


@pytest.mark.parametrize("pem", [certificate(days=10), b"not a certificate"], ids=["soon", "odd"])
def test_a_certificate_that_ends_soon_or_cannot_be_read_is_named(pem: bytes) -> None:
    [check] = found(reached(pem=pem))
    assert not check.ok


def test_a_namespace_without_its_account_is_named() -> None:
    [namespace, key] = found(reached(namespace="site", key=True))
    assert (namespace.ok, key.ok) == (False, True)
    assert "TEMPORAL_NAMESPACE" in namespace.advice


def test_runs_that_ended_are_kept_for_days() -> None:
    day, month = timedelta(days=1), timedelta(days=30)
    far, beside = reached("temporal:7233"), reached("127.0.0.1:7233")
    assert doctor_temporal.of_retention(month, "default", far).ok
    assert doctor_temporal.of_retention(day, "default", beside).ok, "a server to try it out with"
    short = doctor_temporal.of_retention(day, "default", far)
    assert not short.ok
    assert "temporal operator namespace update" in short.advice
    assert "tcld" in doctor_temporal.of_retention(day, "site.a1b2c", reached()).advice


def test_waiting_tasks_ask_for_workers() -> None:
    waits = dict.fromkeys(doctor_temporal.QUEUES, timedelta(seconds=1))
    assert doctor_temporal.of_waiting(waits).ok
    late = doctor_temporal.of_waiting(waits | {contracts.MAIN_QUEUE: timedelta(minutes=5)})
    assert (late.ok, late.advice) == (False, "start more workers")
    stripe = doctor_temporal.of_waiting(waits | {contracts.STRIPE_QUEUE: timedelta(minutes=5)})
    assert "LATCHKEY_STRIPE_RATE" in stripe.advice


async def test_a_real_server_is_asked(shared: Latchkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", shared.namespace)
    checks = {check.name: check for check in await doctor_temporal.of_temporal(shared.settings)}
    assert checks["Temporal"].ok
    assert "are kept for" in checks["Temporal's retention"].found
    assert "task queues" in checks
    assert "Temporal Cloud" not in checks


async def test_where_it_does_not_answer_what_is_set_is_checked(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "access", lambda: reached(key=True))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    checks = await doctor_temporal.of_temporal(shared.settings)
    assert [(check.name, check.ok) for check in checks] == [
        ("Temporal", False),
        ("Temporal Cloud", True),
    ]


async def test_schedules_do_not_pile_up(shared: Latchkey) -> None:
    await schedules.keep(shared.temporal, shared.settings)
    for name in (contracts.CATCH_UP_SCHEDULE_ID, contracts.RECONCILIATION_SCHEDULE_ID):
        described = await shared.temporal.get_schedule_handle(name).describe()
        policy = described.raw_description.schedule.policies
        assert policy.overlap_policy == ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_SKIP
        assert timedelta() < policy.catchup_window.ToTimedelta() <= timedelta(hours=1)
