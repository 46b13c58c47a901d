"""What doctor says to careful operators."""

from typing import Any

import asyncpg
import pytest

from latchkey import doctor_security
from latchkey.settings import Settings

pytestmark = pytest.mark.anyio

FAR = "postgresql://latchkey:a-password@db.example.com/latchkey"


def encryption(monkeypatch: pytest.MonkeyPatch, temporal: str = "", **given: Any) -> str:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal or "127.0.0.1:7233")
    check, _ = doctor_security.of_settings(Settings.model_validate(given))
    assert check.ok is ("nothing" in check.found)
    return check.found.rpartition(": ")[2]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"DATABASE_URL": FAR}, "DATABASE_URL"),
        ({"DATABASE_URL": f"{FAR}?sslmode=prefer"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql:///x?host=db.example.com"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@127.0.0.1,8.8.8.8/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@10.0.0.1/x"}, "DATABASE_URL"),
        ({"TEMPORAL": "temporal.example.com:7233"}, "TEMPORAL_ADDRESS"),
        ({"STRIPE_API_BASE": "http://stripe.example.com"}, "STRIPE_API_BASE"),
        ({"LATCHKEY_S3_ENDPOINT": "http://s3.example.com"}, "LATCHKEY_S3_ENDPOINT"),
        ({"SMTP_URL": "smtp://x.example.com", "LATCHKEY_SMTP_TLS": "opportunistic"}, "SMTP_URL"),
        (
            {"DATABASE_URL": FAR, "STRIPE_API_BASE": "http://8.8.8.8"},
            "DATABASE_URL, STRIPE_API_BASE",
        ),
    ],
)
def test_what_is_sent_in_clear_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], found: str
) -> None:
    given = dict(given)
    assert encryption(monkeypatch, given.pop("TEMPORAL", ""), **given) == found


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"DATABASE_URL": f"{FAR}?sslmode=verify-full"},
        {"DATABASE_URL": "postgresql://latchkey@postgres:5432/latchkey"},
        {"DATABASE_URL": "postgresql://latchkey@[::1]/latchkey"},
        {"DATABASE_URL": "postgresql://postgres@/latchkey?host=/run/postgresql"},
        {"STRIPE_API_BASE": "http://127.0.0.1:12111"},
        {"LATCHKEY_S3_ENDPOINT": "http://minio:9000"},
        {"SMTP_URL": "smtp://x.example.com"},
        {"SMTP_URL": "smtps://x.example.com", "LATCHKEY_SMTP_TLS": "opportunistic"},
    ],
)
def test_what_stays_on_this_machine_may_be_in_clear(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    assert "nothing" in encryption(monkeypatch, **given)


def test_an_encrypted_temporal_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    assert "nothing" in encryption(monkeypatch, "temporal.example.com:7233")


def test_secrets_are_not_shared() -> None:
    given = {"LATCHKEY_SECRET": "a-long-random-secret,an-older-random-secret"}
    _, fine = doctor_security.of_settings(Settings.model_validate(given))
    assert fine.ok
    for shared in (
        {"LATCHKEY_API_TOKEN": "an-older-random-secret"},
        {"DATABASE_URL": "postgresql://latchkey:a-long-random-secret@postgres/latchkey"},
    ):
        _, check = doctor_security.of_settings(Settings.model_validate(given | shared))
        assert not check.ok
        assert "secret" in check.advice
        assert "random" not in check.found, "the secret itself isn't shown"


async def test_a_superuser_and_forgotten_tokens_are_found(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate({"DATABASE_URL": dsn})
    assert await doctor_security.of_database(settings) == [], "an embedded Postgres is ours alone"
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        """
        with made as (
            insert into users (email, role) values
                ('o@doctor.example', 'owner'), ('m@doctor.example', 'member') returning id, role)
        insert into api_tokens (created_by, name, token_hash, scope,
                                created_at, last_used_at, revoked_at, expires_at)
        select made.id, name, name::bytea, 'read', now() - age, last_used_at, revoked_at, expires_at
          from made join (values
            ('owner', 'used', interval '1 year', now(), null::timestamptz, null::timestamptz),
            ('owner', 'forgotten', '1 year', now() - interval '91 days', null, null),
            ('owner', 'never used', '1 year', null, null, null),
            ('owner', 'new', '0', null, null, null),
            ('owner', 'revoked', '1 year', null, now(), null),
            ('owner', 'expired', '1 year', null, null, now() - interval '100 days'),
            ('member', 'left the team', '1 year', null, null, null)
          ) as given (role, name, age, last_used_at, revoked_at, expires_at) using (role)
        """
    )
    await connection.close()
    monkeypatch.setattr(doctor_security, "_database_hosts", lambda dsn: ["db.example.com"])
    role, tokens = await doctor_security.of_database(settings)
    assert (role.name, role.ok) == ("database role", False)
    assert (tokens.name, tokens.found) == ("API tokens", "not used for 90 days: 2")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"LATCHKEY_PUBLIC_URL": "http://members.example.com"}, ["public URL"]),
        ({"LATCHKEY_PUBLIC_URL": "http://8.8.8.8:8000"}, ["public URL"]),
        ({"LATCHKEY_PUBLIC_URL": "https://members.example.com"}, []),
        ({"LATCHKEY_PUBLIC_URL": "http://192.168.1.5:8000"}, []),
        ({"LATCHKEY_PUBLIC_URL": "http://localhost:8000"}, []),
        ({"LATCHKEY_API_TOKEN": "only-16-letters!"}, ["tokens"]),
        ({"LATCHKEY_METRICS_TOKEN": "only-16-letters!"}, ["tokens"]),
        ({"LATCHKEY_API_TOKEN": "more-than-24-random-letters"}, []),
    ],
)
def test_addresses_in_clear_and_short_tokens_are_found(
    given: dict[str, str], names: list[str]
) -> None:
    checks = doctor_security.of_addresses(Settings.model_validate(given))
    assert [check.name for check in checks] == names
    assert not any(check.ok for check in checks)
