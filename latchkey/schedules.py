"""The two Temporal schedules: catch-up every few minutes, reconciliation once a day."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
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


async def keep(client: Client, settings: Settings) -> None:
    """Create or update the schedules from the settings. A schedule paused by an operator stays
    paused."""
    await _keep(client, contracts.CATCH_UP_SCHEDULE_ID, _catch_up(settings))
    await _keep(client, contracts.RECONCILIATION_SCHEDULE_ID, _reconciliation(settings))


async def catch_up_now(client: Client) -> None:
    """Look for missed events now, unless a run is under way or the schedule is paused."""
    handle = client.get_schedule_handle(contracts.CATCH_UP_SCHEDULE_ID)
    if not (await handle.describe()).schedule.state.paused:
        await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP)


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
