"""What `latchkey doctor` says of how things run: events, catch-up, drift, schedules, workers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import temporalio.api.enums.v1 as enums
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service
from temporalio.client import Client
from temporalio.service import RPCError

from latchkey import contracts
from latchkey.settings import Settings
from latchkey.store.checks import health
from latchkey.store.checks.health import HealthFigures
from latchkey.store.pool import create_pool

LONG = timedelta(minutes=5)
PATIENCE_SECONDS = 5


@dataclass(frozen=True)
class Check:
    """One finding. `advice` says what to do where `ok` is False."""

    name: str
    ok: bool
    found: str
    advice: str = ""


async def of_database(settings: Settings) -> list[Check]:
    """What the database tells of events, catch-up and drift; nothing where it can't be read."""
    if settings.database_url is None:
        return []
    try:
        pool = await create_pool(settings.database_url.get_secret_value(), max_size=1)
        try:
            async with pool.acquire() as connection:
                figures = await health.figures(connection)
        finally:
            await pool.close()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError):
        return []
    late = 3 * timedelta(seconds=settings.catchup_seconds) + LONG
    nightly = settings.reconciliation != "off"
    return [
        _events(figures),
        _catch_up(figures, late),
        _comparison(figures, nightly=nightly),
        _drift(figures),
        *_mails(figures),
    ]


async def of_temporal(client: Client) -> list[Check]:
    """Whether workers listen and the schedules run; nothing where Temporal doesn't answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await _workers(client), *[check async for check in _schedules(client)]]
    except (RPCError, TimeoutError):
        return []


def _events(figures: HealthFigures) -> Check:
    if figures.failed:
        advice = "see the inbox in the admin pages: it says why; resend them, or ignore them"
        return Check("events", False, f"{figures.failed} failed", advice)
    oldest = figures.oldest_unprocessed
    if oldest and figures.now - oldest > LONG:
        found = f"{figures.unprocessed} wait, the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        return Check("events", False, found, "check that a worker runs and that Temporal answers")
    return Check("events", True, f"none failed, {figures.unprocessed} on their way")


def _catch_up(figures: HealthFigures, late: timedelta) -> Check:
    looked, since = figures.looked_at, figures.unlooked_since
    if since is None:
        return Check("missed events", True, "not looked for yet: a worker does it once connected")
    said = "last looked for at" if looked else "never looked for since connecting at"
    found = f"{said} {looked or since:%Y-%m-%d %H:%M:%S} UTC"
    if figures.now - since > late:
        advice = "check that a worker runs; the runs named catch-up in Temporal say what failed"
        return Check("missed events", False, found, advice)
    return Check("missed events", True, found)


def _comparison(figures: HealthFigures, *, nightly: bool) -> Check:
    name = "comparison"
    if figures.connection != "connected":
        return Check(name, True, "there is none before Stripe is connected")
    if figures.comparison_error is not None:
        advice = "mend the cause, then press Compare now under Drift in the admin pages"
        return Check(name, False, f"the last one failed: {figures.comparison_error}", advice)
    if nightly and figures.uncompared:
        found = f"none got through since {figures.compared_at:%Y-%m-%d %H:%M} UTC"
        advice = (
            "see the runs of type Reconciliation in Temporal: one that is stuck keeps the schedule"
            " from the next, so terminate it; then press Compare now under Drift"
        )
        return Check(name, False, found, advice)
    return Check(name, True, "none failed, and none is overdue")


def _drift(figures: HealthFigures) -> Check:
    if figures.drift:
        advice = "see Drift in the admin pages: repair what is safe, decide on the rest"
        return Check("drift", False, f"{figures.drift} differences from Stripe are open", advice)
    return Check("drift", True, "the last comparison of all products left nothing open")


def _mails(figures: HealthFigures) -> Iterator[Check]:
    if figures.mails_failed:
        advice = "see Mails in the admin pages: each says why"
        yield Check("mails", False, f"{figures.mails_failed} could not be sent", advice)


async def _workers(client: Client) -> Check:
    idle = []
    for queue in (contracts.MAIN_QUEUE, contracts.STRIPE_QUEUE):
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
        advice = "start `latchkey worker`: until then nothing that arrives is handled"
        return Check("workers", False, f"nobody listens on {' and '.join(idle)}", advice)
    return Check("workers", True, "both task queues are listened on")


async def _schedules(client: Client) -> AsyncIterator[Check]:
    for schedule_id in (contracts.CATCH_UP_SCHEDULE_ID, contracts.RECONCILIATION_SCHEDULE_ID):
        name = f"schedule {schedule_id}"
        try:
            found = await client.get_schedule_handle(schedule_id).describe()
        except RPCError:
            yield Check(name, False, "is missing", "start a worker: it makes it")
            continue
        state = found.schedule.state
        if state.paused and not (state.note or "").startswith("LATCHKEY_"):
            advice = f"unpause it: temporal schedule toggle --unpause -s {schedule_id}"
            yield Check(name, False, f"is paused: {state.note or 'no reason given'}", advice)
        else:
            yield Check(name, True, "off by LATCHKEY_RECONCILIATION" if state.paused else "runs")
