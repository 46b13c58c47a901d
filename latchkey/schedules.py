"""The two Temporal schedules: catch-up every few minutes, reconciliation once a day."""

import asyncio
import time
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleInfo,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority

from latchkey import contracts
from latchkey.contracts import ReconciliationState
from latchkey.settings import Settings

DAY = timedelta(days=1)
NIGHT = timedelta(hours=3)
"""When the daily reconciliation starts, as an offset from midnight UTC."""
TRIGGERS, TRIGGER_SECONDS = 5, 10.0
"""How often a look for missed events is asked for, and how long Temporal has to begin each."""

log = structlog.get_logger("schedules")


class NothingStartedError(Exception):
    """Temporal accepted triggers of a schedule but started nothing."""


async def keep(client: Client, settings: Settings) -> None:
    """Create or update the schedules from the settings. A schedule paused by an operator stays
    paused."""
    await _keep(client, contracts.CATCH_UP_SCHEDULE_ID, _catch_up(settings))
    await _keep(client, contracts.RECONCILIATION_SCHEDULE_ID, _reconciliation(settings))


async def catch_up_now(client: Client) -> None:
    """Look for missed events now, unless a run is under way or the schedule is paused.

    Temporal accepts a trigger before it acts on it, so one that starts no run is repeated. Raises
    `NothingStartedError` if none does.
    """
    handle = client.get_schedule_handle(contracts.CATCH_UP_SCHEDULE_ID)
    present = await handle.describe()
    for _ in range(TRIGGERS):
        if present.schedule.state.paused:
            return
        before = present.info
        await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP)
        ends = time.monotonic() + TRIGGER_SECONDS
        while True:
            present = await handle.describe()
            if present.info.running_actions or _acts(present.info) > _acts(before):
                return
            if time.monotonic() >= ends:
                break
            await asyncio.sleep(0.1)
        log.warning("a trigger of catch-up started nothing", seconds=TRIGGER_SECONDS)
    raise NothingStartedError(f"{TRIGGERS} triggers of catch-up started nothing")


def _acts(info: ScheduleInfo) -> int:
    """How often a schedule has acted: started a run, or found one under way."""
    return info.num_actions + info.num_actions_skipped_overlap


def _catch_up(settings: Settings) -> Schedule:
    every = timedelta(seconds=settings.catchup_seconds)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            contracts.CATCH_UP,
            id=contracts.CATCH_UP_SCHEDULE_ID,
            task_queue=contracts.MAIN_QUEUE,
            static_summary="Look for events that no webhook delivered",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)
        ),
    )


def _reconciliation(settings: Settings) -> Schedule:
    repair = settings.reconciliation == "repair"
    return Schedule(
        action=ScheduleActionStartWorkflow(
            contracts.RECONCILIATION,
            ReconciliationState(repair=repair),
            id=contracts.reconciliation_workflow_id(contracts.SCHEDULED),
            task_queue=contracts.MAIN_QUEUE,
            static_summary="Compare grants with Stripe: all products",
            priority=Priority(priority_key=5),
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=DAY, offset=NIGHT)], jitter=timedelta(minutes=10)
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)
        ),
        state=ScheduleState(
            paused=settings.reconciliation == "off",
            note="LATCHKEY_RECONCILIATION is off" if settings.reconciliation == "off" else None,
        ),
    )


async def _keep(client: Client, schedule_id: str, schedule: Schedule) -> None:
    try:
        await client.create_schedule(schedule_id, schedule)
        return
    except ScheduleAlreadyRunningError:
        pass

    def changed(present: ScheduleUpdateInput) -> ScheduleUpdate:
        state = present.description.schedule.state
        ours = (state.note or "").startswith("LATCHKEY_")
        schedule.state = schedule.state if schedule.state.paused or ours else state
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle(schedule_id).update(changed)
