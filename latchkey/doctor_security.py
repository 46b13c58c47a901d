"""Doctor's security checks: unencrypted connections, weak or shared secrets, excessive rights,
forgotten tokens."""

import ipaddress
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from latchkey import first_owner, temporal
from latchkey.doctor_checks import Check, from_database
from latchkey.settings import Settings
from latchkey.store import site_settings
from latchkey.store.pool import Connection
from latchkey.store.users import api_tokens, factors, team

ENCRYPTED = ("require", "verify-ca", "verify-full")
UNUSED = timedelta(days=90)
LONG_TOKEN = 24


def of_settings(settings: Settings) -> list[Check]:
    """Checks that need no connection."""
    return [_in_clear(settings), _shared_secrets(settings)]


def of_addresses(settings: Settings) -> list[Check]:
    """Whether browsers reach the site unencrypted, and whether tokens are short. Empty if neither
    is so."""
    checks = []
    if settings.public_url.startswith("http://") and not settings.is_local:
        found = "browsers send passwords and cookies to LATCHKEY_PUBLIC_URL in clear"
        advice = "put a proxy with TLS in front of the site, and use its https:// address"
        checks.append(Check("public URL", False, found, advice))
    tokens = {
        "LATCHKEY_API_TOKEN": settings.api_token,
        "LATCHKEY_METRICS_TOKEN": settings.metrics_token,
    }
    short = [
        name
        for name, value in tokens.items()
        if value and len(value.get_secret_value()) < LONG_TOKEN
    ]
    if short:
        found = f"shorter than {LONG_TOKEN} characters: {', '.join(short)}"
        checks.append(Check("tokens", False, found, "use longer random ones"))
    return checks


async def of_database(settings: Settings) -> list[Check]:
    """The rights of the database's role, and forgotten API tokens. Empty if the database can't be
    read."""
    found = await from_database(settings, _rights)
    if found is None or settings.database_url is None:
        return []
    checks = []
    if found.strong and _database_hosts(settings.database_url.get_secret_value()):
        advice = "let DATABASE_URL name a role that owns the database and nothing else"
        text = "Latchkey may do anything in this Postgres"
        checks.append(Check("database role", False, text, advice))
    if found.unlimited:
        text = f"allowed everything, without an end: {found.unlimited}; narrower ones are safer"
        checks.append(Check("scopes of API tokens", True, text))
    if found.unused:
        advice = "revoke them in the admin pages, under API tokens"
        text = f"not used for {UNUSED.days} days: {found.unused}"
        checks.append(Check("API tokens", False, text, advice))
    return checks


async def of_first_owner(settings: Settings) -> list[Check]:
    """Whether LATCHKEY_ADMIN_PASSWORD is weak. Empty if it isn't, or without a database."""
    wrong = first_owner.weakness(settings)
    if wrong is None:
        return []
    used = await from_database(settings, team.has_owner)
    if used is None:
        return []
    if used:
        found = "LATCHKEY_ADMIN_PASSWORD is weak"
        advice = "remove it, since the site has an owner; they should use another password"
    else:
        found, advice = f"LATCHKEY_ADMIN_PASSWORD: {wrong}", "`latchkey web` doesn't start with it"
    return [Check("first owner", False, found, advice)]


async def of_team(settings: Settings) -> list[Check]:
    """Whether the team has the second factors that the site requires of it. Empty if the database
    can't be read."""
    found = await from_database(settings, _team)
    if found is None:
        return []
    required, people = found
    without = [person.email for person in people if not person.factors.any]
    if not without:
        return [Check("second factors", True, "everyone on the team has one")]
    if not required:
        text = f"not required, and {len(without)} of {len(people)} on the team have none"
        return [Check("second factors", True, text)]
    advice = (
        "let them sign in, which leads them to set one up, or remove their role in Settings, Team"
    )
    return [Check("second factors", False, f"missing for {', '.join(without)}", advice)]


@dataclass(frozen=True)
class _Rights:
    """Whether the role is too `strong`, and how many valid API tokens are `unlimited` or
    `unused`."""

    strong: bool
    unlimited: int
    unused: int


async def _rights(connection: Connection) -> _Rights:
    strong = await connection.fetchval(
        """
        select rolsuper or rolcreaterole or rolbypassrls
          from pg_roles where rolname = current_user
        """
    )
    working = [token for token in await api_tokens.listed(connection) if token.works]
    oldest = datetime.now(UTC) - UNUSED
    return _Rights(
        strong,
        unlimited=sum(token.unlimited for token in working),
        unused=sum((token.last_used_at or token.created_at) < oldest for token in working),
    )


async def _team(connection: Connection) -> tuple[bool, list[factors.TeamMember]]:
    required = (await site_settings.read(connection)).staff_second_factor
    return required, await factors.of_staff(connection)


def _in_clear(settings: Settings) -> Check:
    found = list(_unencrypted(settings))
    if not found:
        return Check("encryption", True, "nothing is sent to another machine in clear")
    advice = (
        "use sslmode=verify-full and sslrootcert in DATABASE_URL, TEMPORAL_TLS, https for"
        " STRIPE_API_BASE and LATCHKEY_S3_ENDPOINT, and LATCHKEY_SMTP_TLS=required"
    )
    return Check(
        "encryption", False, f"sent in clear to another machine: {', '.join(found)}", advice
    )


def _unencrypted(settings: Settings) -> Iterator[str]:
    """The settings whose connections leave this machine without TLS."""
    if settings.database_url:
        dsn = settings.database_url.get_secret_value()
        mode = parse_qs(urlsplit(dsn).query).get("sslmode", [os.environ.get("PGSSLMODE", "")])[-1]
        if mode not in ENCRYPTED and any(map(_is_far, _database_hosts(dsn))):
            yield "DATABASE_URL"
    access = temporal.access()
    if not access.encrypted and _is_far(urlsplit(f"//{access.address}").hostname or ""):
        yield "TEMPORAL_ADDRESS"
    base = urlsplit(settings.stripe_api_base or "")
    if base.scheme == "http" and _is_far(base.hostname or ""):
        yield "STRIPE_API_BASE"
    bucket = urlsplit(settings.s3_endpoint or "")
    if bucket.scheme == "http" and _is_far(bucket.hostname or ""):
        yield "LATCHKEY_S3_ENDPOINT"
    if settings.smtp_url and settings.smtp_tls == "opportunistic":
        smtp = urlsplit(settings.smtp_url.get_secret_value())
        if smtp.scheme != "smtps" and _is_far(smtp.hostname or ""):
            yield "SMTP_URL"


def _shared_secrets(settings: Settings) -> Check:
    """Whether two settings share a secret. Whoever learns one should learn only what it
    protects."""
    known = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    parts = [part.strip() for value in known for part in value.split(",")]
    passwords = [urlsplit(value).password for value in known if "://" in value]
    twice = [one for one, count in Counter([*parts, *filter(None, passwords)]).items() if count > 1]
    if twice:
        advice = "give each setting a secret of its own"
        return Check(
            "separate secrets", False, f"values given to two settings: {len(twice)}", advice
        )
    return Check("separate secrets", True, "each setting has its own")


def _database_hosts(dsn: str) -> list[str]:
    """The hosts of a database URL; none if it names a socket or the default."""
    parts = urlsplit(dsn)
    listed = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    hosts = (urlsplit(f"//{host}").hostname or "" for host in listed.split(",") if host[:1] != "/")
    return [host for host in hosts if host]


def _is_far(host: str) -> bool:
    """Whether a host is another machine, judged by its name: not this one, nor a name without a
    dot, as in Docker's networks."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." in host
