"""`latchkey doctor`: checks everything Latchkey depends on and suggests fixes."""

import os
from collections.abc import Iterator
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from latchkey import (
    doctor_checks,
    doctor_connections,
    doctor_machine,
    doctor_mail,
    doctor_pictures,
    doctor_security,
    doctor_temporal,
)
from latchkey.doctor_checks import UNREADABLE, Check
from latchkey.rotation import rotate
from latchkey.rules import endpoint
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.settings import Settings, secrets_folder, variables
from latchkey.store.migrate import MigrationError, pending
from latchkey.store.pool import connect, is_read_only
from latchkey.stripe_api import API_VERSION, StripeApi, StripeError
from latchkey.up import as_running

OLDEST_POSTGRES = 150000
LONG_SECRET = 32


async def examine(settings: Settings, console: Console, *, offline: bool) -> bool:
    """Print the settings and the findings; True if nothing is wrong.

    While `up` is running, this checks its embedded servers.
    """
    console.print(_settings_table(settings))
    if offline:
        return True
    settings = as_running(settings)
    checks = [
        await _database(settings),
        *await _secrets(settings),
        *await doctor_temporal.of_temporal(settings),
        *await _stripe(settings),
        *await doctor_checks.of_permissions(settings),
        *await doctor_checks.of_identity(settings),
        *await doctor_checks.of_address(settings),
        *await doctor_checks.of_database(settings),
        *await doctor_mail.of_mail_server(settings),
        *await doctor_pictures.of_pictures(settings),
        *await doctor_machine.of_machine(settings),
        *await doctor_connections.of_connections(settings),
        *doctor_security.of_settings(settings),
        *doctor_security.of_addresses(settings),
        *await doctor_security.of_database(settings),
        *await doctor_security.of_first_owner(settings),
        *await doctor_security.of_team(settings),
    ]
    for check in checks:
        mark = "[green]ok[/]  " if check.ok else "[red]bad[/] "
        console.print(f"{mark} {check.name}: {check.found}", highlight=False, soft_wrap=True)
        if not check.ok:
            console.print(f"     → {check.advice}", highlight=False, soft_wrap=True)
    return all(check.ok for check in checks)


def _settings_table(settings: Settings) -> Table:
    table = Table("Variable", "Value", "From", title="Settings", title_justify="left")
    folder, in_file = secrets_folder(), dotenv_values(".env")
    for field, variable in variables().items():
        value = getattr(settings, field)
        if os.environ.get(variable):
            source = "environment"
        elif field not in settings.model_fields_set:
            source = "default"
        else:
            source = ".env" if in_file.get(variable) or folder is None else str(folder / variable)
        table.add_row(variable, _masked(value), source)
    return table


def _masked(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return f"{text[:8]}…" if text.startswith(("sk_", "rk_", "whsec_")) else "•••"
    return str(value)


async def _database(settings: Settings) -> Check:
    if settings.database_url is None:
        advice = (
            "start `latchkey up` with the same LATCHKEY_DATA (it brings its own Postgres), or set"
            " DATABASE_URL"
        )
        return Check("database", False, "DATABASE_URL is not set", advice)
    dsn = settings.database_url.get_secret_value()
    try:
        connection = await connect(dsn, timeout=5)
        try:
            number = int(await connection.fetchval("show server_version_num"))
            read_only = is_read_only(connection)
        finally:
            await connection.close()
        missing = await pending(dsn)
    except UNREADABLE as error:
        advice = "check that Postgres is running and that DATABASE_URL is correct"
        return Check("database", False, f"can't be reached ({type(error).__name__})", advice)
    except MigrationError as error:
        return Check("database", False, "migrated by a newer release", str(error))
    if number < OLDEST_POSTGRES:
        return Check("database", False, f"Postgres {number // 10000}", "use Postgres 15 or newer")
    if missing:
        return Check(
            "database", False, f"missing migrations: {', '.join(missing)}", "run `latchkey migrate`"
        )
    if read_only:
        found = "takes no writes: it is a standby, or writes were turned off"
        advice = (
            "let DATABASE_URL lead to the primary (with several hosts, add"
            " target_session_attrs=read-write); if a full disk is why, make room on it"
        )
        return Check("database", False, found, advice)
    return Check("database", True, f"Postgres {number // 10000}, migrations applied")


async def _secrets(settings: Settings) -> list[Check]:
    """Whether LATCHKEY_SECRET is set, long, and opens what is stored; nothing of that where the
    database can't be read."""
    if settings.secret is None:
        advice = (
            "set it to a random text of 32 characters or more, the same for every process, or start"
            " `latchkey up` with the same LATCHKEY_DATA"
        )
        return [Check("secrets", False, "LATCHKEY_SECRET is not set", advice)]
    if settings.database_url is None:
        return []
    secrets = settings.require_secrets()
    short = [secret for secret in secrets if len(secret) < LONG_SECRET]
    if short:
        found = f"{len(short)} of {len(secrets)} shorter than {LONG_SECRET} characters"
        advice = "put a new random one first, run `latchkey rotate`, then remove the old one"
        return [Check("secrets", False, found, advice)]
    try:
        columns = await rotate(settings.database_url.get_secret_value(), secrets, dry_run=True)
    except UNREADABLE:
        return []
    if lost := sum(column.unreadable for column in columns):
        advice = (
            "add the earlier LATCHKEY_SECRET at the end of the list, separated by a comma; without"
            " it, enter the Stripe key again under Connectors and restart a worker"
        )
        return [Check("secrets", False, f"stored texts that none of them opens: {lost}", advice)]
    if earlier := sum(column.renewed for column in columns):
        found = f"stored texts that an earlier one sealed: {earlier}"
        return [Check("secrets", True, f"{found}; `latchkey rotate` seals them again")]
    return [Check("secrets", True, "everything stored is sealed under the first one")]


async def _stripe(settings: Settings) -> list[Check]:
    if settings.stripe_secret_key is None:
        return await doctor_checks.of_entered_key(settings)
    api = StripeApi(settings.stripe_secret_key.get_secret_value(), base=settings.stripe_api_base)
    try:
        account = await api.account()
        endpoints = await api.webhook_endpoints()
    except StripeError as error:
        advice = "check the key and its permissions in the Stripe Dashboard"
        return [Check("Stripe", False, f"{error}: {error.message}", advice)]
    finally:
        await api.close()
    return [Check("Stripe", True, f"account {account['id']}"), *_endpoints(settings, endpoints)]


def _endpoints(settings: Settings, endpoints: list[dict[str, Any]]) -> Iterator[Check]:
    url = f"{settings.public_url}{endpoint.PATH}"
    secrets = len(settings.webhook_secrets) or 1
    found = endpoint.look(endpoints, url=url, wanted=HANDLED_EVENTS, secrets=secrets)
    yield _endpoint(url, found)
    yield from doctor_checks.of_endpoints_elsewhere(found)


def _endpoint(url: str, found: dict[str, Any]) -> Check:
    if found["status"] == "missing":
        advice = "start a worker, which registers one, or create it by hand: see docs/stripe.md"
        return Check("webhook", False, f"no webhook endpoint sends to {url}", advice)
    if found["status"] != "enabled":
        return Check("webhook", False, "the endpoint is disabled", "enable it, or restart a worker")
    if found["api_version"] != API_VERSION:
        advice = f"create an endpoint with API version {API_VERSION} and delete this one"
        return Check("webhook", False, f"its API version is {found['api_version']}", advice)
    if found["missing"]:
        advice = (
            "press Repair under Health in the admin pages, or enable these events in the Dashboard"
        )
        missing = ", ".join(found["missing"])
        return Check("webhook", False, f"it isn't subscribed to {missing}", advice)
    if others := endpoint.problems(found, version=API_VERSION):
        advice = "wait if `latchkey roll-webhook-secret` is running; otherwise see docs/stripe.md"
        return Check("webhook", False, "; ".join(others), advice)
    return Check("webhook", True, f"{url} is enabled and subscribed to all needed events")
