"""Checks of a running installation: events, catch-up, drift, schedules, workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import temporalio.api.enums.v1 as enums
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service
from temporalio.client import Client
from temporalio.service import RPCError

from latchkey import contracts, public_address
from latchkey.languages import A_
from latchkey.rules import endpoint
from latchkey.rules.public_address import AddressState, sentence
from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.checks import health
from latchkey.store.checks.findings import Expectations, Finding, FindingKind, findings
from latchkey.store.checks.health import HealthFigures
from latchkey.store.pool import Connection, create_pool
from latchkey.store.site_identity import SiteRole
from latchkey.stripe_api import API_VERSION

PATIENCE_SECONDS = 5
UNREADABLE = (OSError, TimeoutError, ValueError, asyncpg.PostgresError)
"""What is raised where a database can't be reached, or isn't Latchkey's."""

Found = TypeVar("Found")

_CHECKS = {
    "events": (FindingKind.EVENTS_FAILED, FindingKind.EVENTS_WAITING),
    "missed events": (FindingKind.CATCH_UP_LATE,),
    "comparison": (FindingKind.COMPARISON_FAILED, FindingKind.COMPARISON_OVERDUE),
    "drift": (FindingKind.DRIFT,),
    "background loops": (FindingKind.LOOP_STUCK, FindingKind.WAKEUPS_WAITING),
    "emails": (FindingKind.EMAILS_WAITING, FindingKind.EMAILS_FAILED),
    "sales": (FindingKind.UNSOLD, FindingKind.SALES_REFUSED),
    "second subscriptions": (FindingKind.SECOND_SUBSCRIPTIONS,),
    "webhooks": (
        FindingKind.WEBHOOKS_OFF,
        FindingKind.COMMUNITIES_OFF,
        FindingKind.ROLES_REFUSED,
        FindingKind.WEBHOOKS_GIVEN_UP,
    ),
    "visitors": (FindingKind.VISITORS_ALIKE,),
    "backup": (FindingKind.BACKUP_LATE,),
}
"""What each check looks for, worst first. The Stripe key and the webhook endpoint have checks of
their own, which call Stripe where the settings have the key, and the address is asked who answers
there."""

_FOUND = {
    FindingKind.EVENTS_FAILED: "{count} failed",
    FindingKind.EVENTS_WAITING: "{count} waiting, the oldest since {since}",
    FindingKind.CATCH_UP_LATE: "last looked for at {since}",
    FindingKind.COMPARISON_FAILED: "the last one failed: {detail}",
    FindingKind.COMPARISON_OVERDUE: "none has succeeded since {since}",
    FindingKind.DRIFT: "open differences from Stripe: {count}",
    FindingKind.EMAILS_FAILED: "{count} could not be sent",
    FindingKind.EMAILS_WAITING: "none is being sent, and one is due since {since}",
    FindingKind.LOOP_STUCK: "no progress: {detail}",
    FindingKind.UNSOLD: "can't be bought at the moment: {detail}",
    FindingKind.SALES_REFUSED: "Stripe last refused to open the checkout of: {detail}",
    FindingKind.SECOND_SUBSCRIPTIONS: "{count} beside another one of the same product and person",
    FindingKind.BACKUP_LATE: "the last one was made at {since}",
    FindingKind.VISITORS_ALIKE: "all of them seem to come from {detail}, a private address",
    FindingKind.WAKEUPS_WAITING: "a change hasn't reached its workflow since {since}",
    FindingKind.WEBHOOKS_OFF: "switched off after three days of failures: {detail}",
    FindingKind.WEBHOOKS_GIVEN_UP: "given up within three days: {count}",
    FindingKind.COMMUNITIES_OFF: "roles are neither given nor taken on: {detail}",
    FindingKind.ROLES_REFUSED: "roles that can't be given: {detail}",
}

ADVICE = {
    FindingKind.EVENTS_FAILED: A_(
        "open the inbox in the admin pages to see why, then resend or ignore them"
    ),
    FindingKind.EVENTS_WAITING: A_("check that a worker is running and that Temporal answers"),
    FindingKind.CATCH_UP_LATE: A_(
        "check that a worker is running; the catch-up runs in Temporal say what failed"
    ),
    FindingKind.COMPARISON_FAILED: A_(
        "fix the cause, then press Compare now under Drift in the admin pages"
    ),
    FindingKind.COMPARISON_OVERDUE: A_(
        "check the Reconciliation runs in Temporal: a stuck run blocks the schedule, so terminate"
        " it, then press Compare now under Drift"
    ),
    FindingKind.DRIFT: A_(
        "open Drift in the admin pages: repair the safe differences and decide on the rest"
    ),
    FindingKind.EMAILS_FAILED: A_("open Emails in the admin pages: each email says why"),
    FindingKind.LOOP_STUCK: A_("see that process's log for what it fails with, and restart it"),
    FindingKind.WAKEUPS_WAITING: A_("check that a web process runs and that Temporal answers"),
    FindingKind.EMAILS_WAITING: A_("check that a worker runs and that the mail server answers"),
    FindingKind.UNSOLD: A_("open Health in the admin pages: it says why, and how to mend it"),
    FindingKind.SALES_REFUSED: A_(
        "open Health in the admin pages: it has Stripe's words, such as a permission that the key"
        " lacks"
    ),
    FindingKind.SECOND_SUBSCRIPTIONS: A_(
        "open Subscriptions, then Second subscriptions in the admin pages: cancel and refund one of"
        " the two in Stripe, or say that it is meant"
    ),
    FindingKind.WEBHOOKS_OFF: A_(
        "open Webhooks in the admin pages: the endpoint's log says what failed; resume it there"
    ),
    FindingKind.WEBHOOKS_GIVEN_UP: A_(
        "open Webhooks in the admin pages: the log says why, and can send them again"
    ),
    FindingKind.BACKUP_LATE: A_(
        "see why `latchkey backup` doesn't run, or set LATCHKEY_BACKUP_HOURS to 0 if backups are"
        " made by other means"
    ),
    FindingKind.COMMUNITIES_OFF: A_(
        "open Communities in the admin pages: the server's page says why; mend it and resume it"
    ),
    FindingKind.ROLES_REFUSED: A_(
        "open Communities in the admin pages: the server's page says why"
    ),
    FindingKind.ADDRESS: A_(
        "look again from the go-live checklist once it is mended: Stripe's events and the links in"
        " emails lead there"
    ),
    FindingKind.VISITORS_ALIKE: A_(
        "have your proxy set X-Forwarded-For, and put its address into FORWARDED_ALLOW_IPS: until"
        " then, one visitor's wrong passwords slow down all others"
    ),
}


@dataclass(frozen=True)
class Check:
    """One finding. `advice` says what to do if `ok` is False."""

    name: str
    ok: bool
    found: str
    advice: str = ""


async def from_database(
    settings: Settings, read: Callable[[Connection], Awaitable[Found]]
) -> Found | None:
    """What `read` finds in the database; None without one, or where it can't be read."""
    if settings.database_url is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            pool = await create_pool(settings.database_url.get_secret_value(), max_size=1)
        try:
            async with pool.acquire() as connection:
                return await read(connection)
        finally:
            await pool.close()
    except UNREADABLE:
        return None


async def of_database(settings: Settings) -> list[Check]:
    """Checks of events, catch-up and drift, from the database. Empty if it can't be read."""
    figures = await from_database(settings, health.figures)
    if figures is None:
        return []
    expected = expectations(settings)
    return [*_database_checks(figures, expected), *_backup_never_made(figures, expected)]


async def of_address(settings: Settings) -> list[Check]:
    """Whether the public URL leads to this site. Empty where only this machine or its network knows
    it, or the database can't be read."""
    if settings.is_local or settings.secret is None or settings.database_url is None:
        return []
    try:
        async with await create_pool(settings.database_url.get_secret_value(), max_size=1) as pool:
            finding = await public_address.look(pool, settings)
    except UNREADABLE:
        return []
    return [
        Check(
            "address",
            finding.state is AddressState.HERE,
            sentence(finding, settings.public_url).removesuffix("."),
            "if only this machine can't reach it, events that arrive from Stripe prove that it"
            " works: see Health",
        )
    ]


async def of_entered_key(settings: Settings) -> list[Check]:
    """What was last found about a Stripe key that was entered in the admin pages, and its webhook
    endpoint."""
    found = "STRIPE_SECRET_KEY is not set, so the key entered under Connectors is used"
    figures = await from_database(settings, health.figures)
    if figures is None:
        return [Check("Stripe", True, found)]
    wrong = {one.kind: one.detail for one in findings(figures, expectations(settings))}
    if FindingKind.KEY_REFUSED in wrong:
        advice = "enter another key under Connectors in the admin pages"
        return [Check("Stripe", False, wrong[FindingKind.KEY_REFUSED], advice)]
    checks = [Check("Stripe", True, found)]
    if FindingKind.ENDPOINT in wrong:
        advice = "press Repair under Health in the admin pages"
        checks.append(Check("webhook", False, wrong[FindingKind.ENDPOINT], advice))
    return [*checks, *of_endpoints_elsewhere(figures.endpoint_found)]


def of_endpoints_elsewhere(found: Mapping[str, Any] | None) -> Iterator[Check]:
    """Endpoints at Stripe that a site at another address uses, or that were forgotten there. This
    can't be told apart, so none of them is bad."""
    for endpoint_id, url in endpoint.elsewhere(found):
        told = f"{endpoint_id} sends this account's events to {url}, too"
        yield Check(
            "other webhook",
            True,
            f"{told}; if no site of yours is there, delete it in the Stripe Dashboard",
        )


async def of_permissions(settings: Settings) -> list[Check]:
    """Which permissions the Stripe key lacks, as a worker last found. Nothing where it lacks
    none."""
    missing = await from_database(settings, _missing_permissions)
    if not missing:
        return []
    advice = "give them to the key in the Stripe Dashboard, then press Repair under Health"
    return [Check("key permissions", False, f"missing: {', '.join(missing)}", advice)]


async def _missing_permissions(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        """
        select f ->> 'area' as area
          from stripe_connection c, jsonb_array_elements(c.findings) with ordinality x (f, nth)
         where c.state = 'connected' and not (f ->> 'ok')::boolean
           and not coalesce((f ->> 'optional')::boolean, false)
         order by nth
        """
    )
    return [row["area"] for row in rows]


async def of_identity(settings: Settings) -> list[Check]:
    """Whether the database acts for the public URL. Empty if it can't be read."""
    found = await from_database(
        settings, lambda connection: site_identity.read(connection, settings.public_url)
    )
    if found is None:
        return []
    match found.role:
        case SiteRole.ORIGINAL:
            return []
        case SiteRole.COPY:
            what = f"restored from a backup of {found.restored}" if found.restored else "a copy"
            where = ", where another database answers" if found.beside else ""
            return [
                Check(
                    "site",
                    False,
                    f"{what} of {found.home}{where}: it sends no email and writes nothing to"
                    " Stripe",
                    "if the site has moved here, run `latchkey adopt`; otherwise `latchkey adopt"
                    " --read-only` or `--rehearsal`",
                )
            ]
        case role:
            return [Check("site", True, f"a copy that is {_ROLES[role]}")]


def expectations(settings: Settings) -> Expectations:
    """What the settings promise, for judging the health figures."""
    return Expectations(
        catch_up_every=timedelta(seconds=settings.catchup_seconds),
        compares_nightly=settings.reconciliation != "off",
        api_version=API_VERSION,
        sends_email=settings.smtp_url is not None,
        public_url=settings.public_url,
        is_public=not settings.is_local,
        backup_every=timedelta(hours=settings.backup_hours) if settings.backup_hours else None,
    )


_ROLES = {SiteRole.READ_ONLY: "read only", SiteRole.REHEARSAL: "a rehearsal"}


async def of_temporal(client: Client) -> list[Check]:
    """Checks of workers and schedules. Empty if Temporal doesn't answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await _workers(client), *[check async for check in _schedules(client)]]
    except (RPCError, TimeoutError):
        return []


def _database_checks(figures: HealthFigures, expected: Expectations) -> Iterator[Check]:
    """One check per name, either failed with what was found or ok."""
    wrong = {finding.kind: finding for finding in findings(figures, expected)}
    for name, kinds in _CHECKS.items():
        bad = next((wrong[kind] for kind in kinds if kind in wrong), None)
        if bad is not None:
            yield Check(name, False, _found(bad, figures), ADVICE[bad.kind])
        elif name not in ("emails", "visitors", "webhooks") and (
            name != "backup" or figures.backed_up_at is not None
        ):
            yield Check(name, True, _right(name, figures))


def _backup_never_made(figures: HealthFigures, expected: Expectations) -> Iterator[Check]:
    """Backups may be made by other means, so only doctor asks for the first one."""
    if figures.backed_up_at is None and expected.backup_every and expected.is_public:
        found = "`latchkey backup` never made one"
        yield Check("backup", False, found, ADVICE[FindingKind.BACKUP_LATE])


def _found(finding: Finding, figures: HealthFigures) -> str:
    since = f"{finding.since:%Y-%m-%d %H:%M} UTC" if finding.since else ""
    text = _FOUND.get(finding.kind, "{detail}")
    if finding.kind is FindingKind.CATCH_UP_LATE and figures.looked_at is None:
        text = "never looked for since Stripe was connected at {since}"
    return text.format(count=finding.count, since=since, detail=finding.detail)


def _right(name: str, figures: HealthFigures) -> str:
    match name:
        case "background loops":
            return "all of them make progress"
        case "backup":
            return f"made at {figures.backed_up_at:%Y-%m-%d %H:%M} UTC"
        case "sales":
            return "everything on sale can be bought"
        case "events":
            return f"none failed, {figures.unprocessed} being processed"
        case "missed events":
            since = figures.unlooked_since
            if since is None:
                return "not looked for yet; a worker does so once Stripe is connected"
            return f"last looked for at {since:%Y-%m-%d %H:%M:%S} UTC"
        case "comparison" if figures.connection != "connected":
            return "none yet: Stripe isn't connected"
        case "comparison":
            return "none failed, none overdue"
        case "second subscriptions":
            return "nobody pays for two of one product"
        case _:
            return "no open differences since the last full comparison"


async def _workers(client: Client) -> Check:
    idle = []
    for queue in (contracts.MAIN_QUEUE, contracts.STRIPE_QUEUE, contracts.WEBHOOK_QUEUE):
        answer = await client.workflow_service.describe_task_queue(
            service.DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=taskqueue.TaskQueue(name=queue),
                task_queue_type=enums.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        if not answer.pollers:
            idle.append(queue)
    if idle:
        advice = "start `latchkey worker`: until then, incoming events aren't processed"
        return Check("workers", False, f"no worker is listening on {' and '.join(idle)}", advice)
    return Check("workers", True, "workers are listening on every task queue")


async def _schedules(client: Client) -> AsyncIterator[Check]:
    for schedule_id in (contracts.CATCH_UP_SCHEDULE_ID, contracts.RECONCILIATION_SCHEDULE_ID):
        name = f"schedule {schedule_id}"
        try:
            found = await client.get_schedule_handle(schedule_id).describe()
        except RPCError:
            yield Check(name, False, "missing", "start a worker, which creates it")
            continue
        state = found.schedule.state
        if state.paused and not (state.note or "").startswith("LATCHKEY_"):
            advice = f"unpause it: temporal schedule toggle --unpause -s {schedule_id}"
            yield Check(name, False, f"paused: {state.note or 'no reason given'}", advice)
        else:
            yield Check(
                name, True, "turned off by LATCHKEY_RECONCILIATION" if state.paused else "running"
            )
