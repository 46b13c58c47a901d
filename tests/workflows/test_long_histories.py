"""Continue-as-new on a real server: no nudge, page or timer is lost in long histories."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from latchkey import contracts, temporal
from latchkey.contracts import (
    BeginReconciliation,
    CompareBatch,
    CompareBatchResult,
    Compared,
    ComparePageInput,
    ComparePageResult,
    EndDueInput,
    EntityState,
    FinishReconciliation,
    ImportPageInput,
    ImportPageResult,
    ImportPlan,
    LifecyclesInput,
    LinkState,
    LinkStateInput,
    Nudge,
    ProductLinkState,
    ReconcileStep,
    ReconciliationPlan,
    ReconciliationState,
    SyncInput,
    SyncResult,
    Wake,
)
from tests.harness import run_temporal, until
from tests.workflows.recording import record
from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

SOON_LONG = 60
"""Events after which this server suggests to continue as new; the default is 4,096."""


@pytest.fixture(scope="module")
def eager() -> Iterator[str]:
    """A server that suggests continue-as-new early."""
    setting = f"limit.historyCount.suggestContinueAsNew={SOON_LONG}"
    with run_temporal(dynamic=[setting]) as address:
        yield address


@pytest.fixture
async def client(eager: str) -> Client:
    made = await Client.connect(eager)
    await temporal.register_search_attributes(made)
    return made


class Effects:
    """Stand-in for the Temporal activities that records its calls."""

    def __init__(self, *, pages: int = 0) -> None:
        self.events: set[str] = set()
        """A reading within a workflow task is done again if the task is."""
        self.pages: list[str | None] = []
        self.ends = 0
        self.states: list[LinkState] = []
        self.lifecycles = 7
        self.closed: list[FinishReconciliation] = []
        self.unseen = 9
        self._pages = pages
        self.deadline: datetime | None = None
        self.enough = 0

    @activity.defn(name=contracts.SYNC_SUBSCRIPTION)
    async def sync(self, job: SyncInput) -> SyncResult:
        self.events |= set(job.event_ids)
        if len(self.events) >= self.enough and job.by_timer:
            return SyncResult("ended", "Over", True)
        return SyncResult("access", "Access", False, wake_at=self.deadline, wake=Wake.ACCESS_ENDS)

    @activity.defn(name=contracts.END_DUE_ACCESS)
    async def end_due(self, job: EndDueInput) -> int:
        self.ends += 1
        return 1

    @activity.defn(name=contracts.PLAN_IMPORT)
    async def plan(self, link_id: int) -> ImportPlan:
        return ImportPlan("prod_1", ["price_1", "price_2"])

    @activity.defn(name=contracts.IMPORT_PAGE)
    async def import_page(self, job: ImportPageInput) -> ImportPageResult:
        self.pages.append(f"{job.step}/{job.price}/{job.cursor}")
        progress = replace(job.progress, pages=job.progress.pages + 1)
        return ImportPageResult(self._next(job.cursor), progress)

    @activity.defn(name=contracts.SET_LINK_STATE)
    async def set_state(self, job: LinkStateInput) -> None:
        self.states.append(job.state)

    @activity.defn(name=contracts.START_LIFECYCLES)
    async def start_lifecycles(self, job: LifecyclesInput) -> int:
        self.lifecycles -= 1
        return max(self.lifecycles, 0)

    @activity.defn(name=contracts.BEGIN_RECONCILIATION)
    async def begin(self, job: BeginReconciliation) -> ReconciliationPlan:
        return ReconciliationPlan("rec_1", False, ["prod_1"], invoices_since=1)

    @activity.defn(name=contracts.PLAN_PREVIEW)
    async def prices(self, stripe_product: str) -> ImportPlan:
        return ImportPlan(stripe_product, ["price_1", "price_2"], invoices=True)

    @activity.defn(name=contracts.COMPARE_PAGE)
    async def compare(self, job: ComparePageInput) -> ComparePageResult:
        assert job.since == (1 if job.step is ReconcileStep.INVOICES else None)
        self.pages.append(f"{job.step}/{job.price}/{job.cursor}")
        progress = replace(job.progress, pages=job.progress.pages + 1)
        return ComparePageResult(self._next(job.cursor), progress)

    @activity.defn(name=contracts.COMPARE_UNSEEN)
    async def compare_unseen(self, job: CompareBatch) -> CompareBatchResult:
        self.unseen -= 1
        return CompareBatchResult(self.unseen > 0, 25, job.progress)

    @activity.defn(name=contracts.CHECK_INVARIANTS)
    async def check(self, job: CompareBatch) -> Compared:
        return job.progress

    @activity.defn(name=contracts.REPAIR_DIFFERENCES)
    async def repair(self, job: CompareBatch) -> CompareBatchResult:
        return CompareBatchResult(False, 0, job.progress)

    @activity.defn(name=contracts.FINISH_RECONCILIATION)
    async def finish(self, job: FinishReconciliation) -> None:
        self.closed.append(job)

    def _next(self, cursor: str | None) -> str | None:
        number = int(cursor or 0) + 1
        return str(number) if number < self._pages else None

    def workers(self, client: Client) -> tuple[Worker, Worker]:
        main: list[Callable[..., Any]] = [
            self.sync,
            self.end_due,
            self.set_state,
            self.start_lifecycles,
            self.begin,
            self.check,
            self.finish,
        ]
        stripe: list[Callable[..., Any]] = [
            self.sync,
            self.plan,
            self.import_page,
            self.prices,
            self.compare,
            self.compare_unseen,
            self.repair,
        ]
        return (
            Worker(
                client,
                task_queue=contracts.MAIN_QUEUE,
                workflows=WORKFLOWS,
                activities=main,
                workflow_runner=workflow_runner(),
                # A busy machine may need more than the two seconds after which a workflow task
                # with hundreds of signals counts as a deadlock.
                debug_mode=True,
            ),
            Worker(client, task_queue=contracts.STRIPE_QUEUE, activities=stripe),
        )


async def runs(client: Client, workflow_id: str) -> list[WorkflowExecutionStatus | None]:
    """How the runs of a workflow ended, as far as they are listed."""
    return [run.status async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]


async def continued(client: Client, workflow_id: str, *, times: int = 1) -> None:
    """Wait until the list says that a run was continued so often. It lags behind the runs."""

    async def listed() -> bool:
        found = await runs(client, workflow_id)
        return found.count(WorkflowExecutionStatus.CONTINUED_AS_NEW) >= times

    await until(listed, f"the run was continued as new, at least {times} times")


async def nudged(
    client: Client, effects: Effects, count: int, *, at_once: int, rounds: int = 1
) -> str:
    """Nudge one subscription so often, in rounds that are each served before the next, and return
    its workflow's id once it is over."""
    name = f"sub_{uuid.uuid4().hex[:10]}"
    workflow_id = contracts.subscription_workflow_id(name)
    effects.enough = count
    main, stripe = effects.workers(client)
    async with main, stripe:
        handle = await client.start_workflow(
            contracts.SUBSCRIPTION,
            EntityState(name),
            id=workflow_id,
            task_queue=contracts.MAIN_QUEUE,
        )
        for sent in range(0, count, count // rounds):
            due = min(sent + count // rounds, count)
            for start in range(sent, due, at_once):
                ids = [f"evt_{number}" for number in range(start, min(start + at_once, due))]
                await asyncio.gather(
                    *(handle.signal(contracts.NUDGE, Nudge([event_id])) for event_id in ids)
                )

            async def served(due: int = due) -> bool:
                return len(effects.events) >= due

            await until(served, "every event is served", seconds=120)
        effects.deadline = datetime.now(UTC) + timedelta(seconds=1)
        await handle.signal(contracts.NUDGE, Nudge())
        await client.get_workflow_handle(workflow_id).result()
    assert sorted(effects.events) == sorted(f"evt_{number}" for number in range(count))
    record(await client.get_workflow_handle(workflow_id).fetch_history(), "subscription-continued")
    return workflow_id


@pytest.mark.slow
async def test_nudges_survive_many_continuations(client: Client) -> None:
    effects = Effects()
    workflow_id = await nudged(client, effects, 300, at_once=4, rounds=10)
    await continued(client, workflow_id, times=3)


@pytest.mark.slow
async def test_an_import_continues_page_by_page_across_continuations(client: Client) -> None:
    effects = Effects(pages=20)
    workflow_id = contracts.product_link_workflow_id("prd_long")
    main, stripe = effects.workers(client)
    async with main, stripe:
        handle = await client.start_workflow(
            contracts.PRODUCT_LINK,
            ProductLinkState(1, "prd_long"),
            id=workflow_id,
            task_queue=contracts.MAIN_QUEUE,
        )

        async def listening() -> bool:
            return effects.lifecycles <= 0

        await until(listening, "the import is over and the lifecycles are started")
        await client.get_workflow_handle(handle.id).signal(contracts.STOP, 1)
        assert await client.get_workflow_handle(handle.id).result() == "removed"
    numbers = [None, *map(str, range(1, 20))]
    assert effects.pages == [
        *(f"subscriptions/price_1/{n}" for n in numbers),
        *(f"subscriptions/price_2/{n}" for n in numbers),
        *(f"orders/None/{n}" for n in numbers),
    ]
    assert LinkState.FAILED not in effects.states
    assert effects.states[-1] is LinkState.LISTENING
    await continued(client, workflow_id)


@pytest.mark.slow
async def test_a_comparison_continues_page_by_page_across_continuations(client: Client) -> None:
    effects = Effects(pages=20)
    main, stripe = effects.workers(client)
    workflow_id = contracts.reconciliation_workflow_id("rec_1")
    async with main, stripe:
        await client.start_workflow(
            contracts.RECONCILIATION,
            ReconciliationState("rec_1"),
            id=workflow_id,
            task_queue=contracts.MAIN_QUEUE,
        )
        await client.get_workflow_handle(workflow_id).result()
    numbers = [None, *map(str, range(1, 20))]
    steps = ReconcileStep
    assert effects.pages == [
        *(f"{steps.SUBSCRIPTIONS}/price_1/{n}" for n in numbers),
        *(f"{steps.SUBSCRIPTIONS}/price_2/{n}" for n in numbers),
        *(f"{steps.ORDERS}/None/{n}" for n in numbers),
        *(f"{steps.INVOICES}/None/{n}" for n in numbers),
    ]
    assert effects.unseen == 0
    assert effects.closed == [FinishReconciliation("rec_1")]
    await continued(client, workflow_id)


@pytest.mark.slow
async def test_a_long_history_continues_as_new_when_the_server_suggests_it(
    temporal_address: str,
) -> None:
    """As in production: default limits, more than 4,096 events."""
    client = await Client.connect(temporal_address)
    await temporal.register_search_attributes(client)
    effects = Effects()
    workflow_id = await nudged(client, effects, 4400, at_once=50)
    await continued(client, workflow_id)
    lengths = []
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        lengths.append(len((await handle.fetch_history()).events))
    assert max(lengths) > 4000
