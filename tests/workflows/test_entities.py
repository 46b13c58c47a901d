"""The shared lifecycle of entities over months of skipped time, with stand-in activities."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from latchkey import contracts, temporal
from latchkey.contracts import EndDueInput, EntityState, Nudge, SyncInput, SyncResult, Wake
from tests.harness import until
from tests.workflows.recording import record
from worker import WORKFLOWS, workflow_runner
from workflows import steps

pytestmark = pytest.mark.anyio

BINARY = Path(sys.executable).parent / "temporal-test-server"
Answer = Callable[[SyncInput], SyncResult]


@dataclass
class Effects:
    """Records calls to the Temporal activities and provides their answers."""

    answer: Answer
    syncs: list[SyncInput] = field(default_factory=list)
    ends: list[EndDueInput] = field(default_factory=list)
    hold: asyncio.Event | None = None
    places: list[str] = field(default_factory=list)
    at_once: bool = True

    @activity.defn(name=contracts.SYNC_SUBSCRIPTION)
    async def sync(self, job: SyncInput) -> SyncResult:
        if activity.info().is_local and not self.at_once:
            raise ApplicationError("not at once")
        self.syncs.append(job)
        self.places.append("at once" if activity.info().is_local else "queue")
        if self.hold is not None:
            await self.hold.wait()
        return self.answer(job)

    @activity.defn(name=contracts.END_DUE_ACCESS)
    async def end_due(self, job: EndDueInput) -> int:
        self.ends.append(job)
        return 1


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BINARY)
    ) as started:
        await started.client.operator_service.add_search_attributes(
            operator.AddSearchAttributesRequest(
                namespace=started.client.namespace,
                search_attributes={
                    key.name: enums.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
                    for key in temporal.SEARCH_ATTRIBUTES
                },
            )
        )
        yield started


def waiting(at: datetime | None, wake: Wake | None = None) -> SyncResult:
    return SyncResult("active", "Access", False, wake_at=at, wake=wake)


DONE = SyncResult("ended", "No access (canceled)", True)


async def start(
    client: Client, effects: Effects, state: EntityState | None = None
) -> tuple[WorkflowHandle[Any, Any], Worker, Worker]:
    name = f"sub_{uuid.uuid4().hex[:10]}"
    workers = (
        Worker(
            client,
            task_queue=contracts.MAIN_QUEUE,
            workflows=WORKFLOWS,
            activities=[effects.end_due, effects.sync],
            workflow_runner=workflow_runner(),
        ),
        Worker(client, task_queue=contracts.STRIPE_QUEUE, activities=[effects.sync]),
    )
    handle = await client.start_workflow(
        contracts.SUBSCRIPTION,
        state or EntityState(name, nudged=True),
        id=contracts.subscription_workflow_id(name),
        task_queue=contracts.MAIN_QUEUE,
    )
    return handle, *workers


async def test_the_timer_fires_on_time_months_later(
    environment: WorkflowEnvironment,
) -> None:
    now = await environment.get_current_time()
    end = now + timedelta(days=75, seconds=7)

    def answer(job: SyncInput) -> SyncResult:
        return waiting(end, Wake.ACCESS_ENDS) if job.as_of < end else DONE

    effects = Effects(answer)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        assert await handle.result() == DONE.state
    assert [job.by_timer for job in effects.syncs] == [False, True]
    assert effects.ends == [], "the reading itself ends what is due"
    late = effects.syncs[1].as_of - end
    assert timedelta(0) <= late < timedelta(seconds=2)


async def test_a_moved_deadline_moves_the_timer(environment: WorkflowEnvironment) -> None:
    now = await environment.get_current_time()
    first, second = now + timedelta(days=30), now + timedelta(days=60)
    deadline = [first]

    def answer(job: SyncInput) -> SyncResult:
        at = deadline[0]
        return waiting(at, Wake.ACCESS_ENDS) if job.as_of < at else DONE

    effects = Effects(answer)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        deadline[0] = second
        await handle.signal(contracts.NUDGE, Nudge(["evt_1"]))
        assert await handle.result() == DONE.state
    assert [job.by_timer for job in effects.syncs] == [False, False, True]
    assert effects.syncs[2].as_of >= second


async def test_due_access_ends_even_if_stripe_cant_be_read(
    environment: WorkflowEnvironment,
) -> None:
    now = await environment.get_current_time()
    end, again = now + timedelta(days=10), now + timedelta(days=10, minutes=1)
    cant = SyncResult("waiting for Stripe", "Can't go on", False, again, Wake.TRY_AGAIN,
                      unread=True)  # fmt: skip
    answers = iter([waiting(end, Wake.ACCESS_ENDS), cant, DONE])
    effects = Effects(lambda job: next(answers))
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await handle.result()
    assert len(effects.syncs) == 3
    assert [job.as_of >= end for job in effects.ends] == [True]


async def test_an_undone_cancellation_withdraws_the_timer(
    environment: WorkflowEnvironment,
) -> None:
    now = await environment.get_current_time()
    end = now + timedelta(days=30)
    answers = iter([waiting(end, Wake.ACCESS_ENDS), waiting(None), DONE])
    effects = Effects(lambda job: next(answers))
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        await handle.signal(contracts.NUDGE, Nudge(["evt_undo"]))
        await _synced(effects, 2)
        await environment.sleep(timedelta(days=90))
        assert len(effects.syncs) == 2
        assert effects.ends == []
        await handle.signal(contracts.NUDGE, Nudge(["evt_end"]))
        await handle.result()


@pytest.fixture(params=[True, False], ids=["at once", "on its queue"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the worker runs readings within the workflow task, and however long they take."""
    monkeypatch.setattr(steps, "AT_ONCE", timedelta(hours=1))
    return bool(request.param)


async def test_ten_nudges_during_a_read_cost_one_more(
    environment: WorkflowEnvironment, at_once: bool
) -> None:
    answers = iter([waiting(None), DONE])
    effects = Effects(lambda job: next(answers), hold=asyncio.Event(), at_once=at_once)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        for number in range(10):
            await handle.signal(contracts.NUDGE, Nudge([f"evt_{number}"]))
        assert effects.hold is not None
        effects.hold.set()
        await handle.result()
    assert len(effects.syncs) == 2
    assert effects.syncs[1].event_ids == [f"evt_{number}" for number in range(10)]


async def test_a_skipped_reading_keeps_the_last_result(
    environment: WorkflowEnvironment,
) -> None:
    now = await environment.get_current_time()
    end = now + timedelta(days=30)
    left_out = SyncResult("", "", False, unchanged=True)
    first = replace(waiting(end, Wake.ACCESS_ENDS), ticket=7)
    answers = iter([first, left_out, replace(waiting(end), ticket=9), DONE])
    effects = Effects(lambda job: next(answers))
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        await handle.signal(contracts.NUDGE, Nudge(["evt_served"]))
        await _synced(effects, 2)
        await handle.signal(contracts.NUDGE, Nudge([]))
        await _synced(effects, 3)
        assert await handle.result() == DONE.state
    asked = [(job.only_events, job.by_timer, job.ticket) for job in effects.syncs]
    assert asked == [(False, False, 0), (True, False, 7), (False, False, 7), (False, True, 9)]
    assert effects.syncs[3].as_of >= end


async def test_a_nudge_during_the_last_read_is_not_lost(
    environment: WorkflowEnvironment, at_once: bool
) -> None:
    answers = iter([DONE, DONE])
    effects = Effects(lambda job: next(answers), hold=asyncio.Event(), at_once=at_once)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        await handle.signal(contracts.NUDGE, Nudge(["evt_late"]))
        assert effects.hold is not None
        effects.hold.set()
        await handle.result()
    assert [job.event_ids for job in effects.syncs] == [[], ["evt_late"]]


async def test_a_reading_takes_one_workflow_task(environment: WorkflowEnvironment) -> None:
    effects = Effects(lambda job: DONE)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await handle.result()
    assert effects.places == ["at once"]
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    assert kinds.count(enums.EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) == 1
    assert enums.EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED not in kinds


async def test_what_fails_at_once_is_retried_on_its_queue(
    environment: WorkflowEnvironment,
) -> None:
    def answer(job: SyncInput) -> SyncResult:
        if len(effects.syncs) < 3:
            raise ApplicationError("not now: Stripe answered 429", type="StripeAway")
        return DONE

    effects = Effects(answer)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        assert await handle.result() == DONE.state
    assert effects.places == ["at once", "queue", "queue"]
    record(await handle.fetch_history(), "subscription-failed-at-once")


async def test_a_slow_answer_does_not_hold_up_the_workflow_task(
    environment: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AT_ONCE", timedelta(seconds=1))
    effects = Effects(lambda job: DONE, hold=asyncio.Event())
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 2)
        assert effects.hold is not None
        effects.hold.set()
        assert await handle.result() == DONE.state
    assert effects.places == ["at once", "queue"]


async def test_an_imported_run_sleeps_without_a_read(environment: WorkflowEnvironment) -> None:
    now = await environment.get_current_time()
    effects = Effects(lambda job: DONE)
    state = EntityState(
        f"sub_{uuid.uuid4().hex[:10]}",
        nudged=False,
        wake_at=now + timedelta(days=20),
        wake=Wake.RENEWAL_DUE,
    )
    handle, main, stripe = await start(environment.client, effects, state)
    async with main, stripe:
        await handle.result()
    assert len(effects.syncs) == 1
    assert effects.syncs[0].as_of >= now + timedelta(days=20)
    assert effects.ends == [], "a renewal that is due ends nothing by itself"


@pytest.mark.slow
async def test_history_stays_short_over_years(environment: WorkflowEnvironment) -> None:
    """Thousands of nudges: the run continues as new and nothing is forgotten."""
    count = 0

    def answer(job: SyncInput) -> SyncResult:
        nonlocal count
        count += len(job.event_ids)
        return DONE if count >= 3000 else waiting(None)

    effects = Effects(answer)
    handle, main, stripe = await start(environment.client, effects)
    async with main, stripe:
        await _synced(effects, 1)
        for start_at in range(0, 3000, 50):
            await asyncio.gather(
                *(handle.signal(contracts.NUDGE, Nudge([f"evt_{start_at + n}"])) for n in range(50))
            )
        await handle.result()
    events = [event for job in effects.syncs for event in job.event_ids]
    assert sorted(events) == sorted(f"evt_{n}" for n in range(3000))
    assert len(set(events)) == 3000


async def _synced(effects: Effects, count: int) -> None:
    async def reached() -> bool:
        return len(effects.syncs) >= count

    await until(reached, f"{count} reads")
