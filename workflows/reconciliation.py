"""`Reconciliation`: compares grants with Stripe and repairs what it may."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError

from workflows.steps import (
    PRODUCT,
    Result,
    on_main_queue,
    on_stripe_queue,
    reason_of,
    show,
)

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import (
        BeginReconciliation,
        CompareBatch,
        CompareBatchResult,
        Compared,
        ComparePageInput,
        ComparePageResult,
        FinishReconciliation,
        ImportPlan,
        ReconcileStep,
        ReconciliationPlan,
        ReconciliationState,
    )
    from latchkey.rules.plurals import counted

LAST = Priority(priority_key=5)
PATIENT = RetryPolicy(maximum_attempts=20, maximum_interval=timedelta(minutes=1))
"""About a quarter of an hour. After that the comparison fails with the reason: if it kept waiting,
the schedule couldn't start the next one."""

MOST_UNSEEN = 1000
"""How many objects missing from the lists are read one by one; the next run continues."""

WALKS_INVOICES = "walks-invoices"
"""The id of a change of commands: see CONTRIBUTING.md, Changing workflow code."""


@workflow.defn(name=contracts.RECONCILIATION)
class Reconciliation:
    """One comparison: reads Stripe's lists, checks the invariants and makes repairs."""

    @workflow.init
    def __init__(self, state: ReconciliationState) -> None:
        self._state = state

    @workflow.run
    async def run(self, state: ReconciliationState) -> str:
        try:
            await self._run()
        except ActivityError as error:
            reason = reason_of(error)
            show("failed", f"The comparison failed: {reason}")
            await self._finish(reason)
            return "failed"
        await self._finish(None)
        show("done", f"Done: {_words(self._state.progress)}")
        return self._state.reconciliation_id

    async def _run(self) -> None:
        state = self._state
        if not state.begun:
            await self._begin()
        while state.step is not ReconcileStep.REPAIR:
            match state.step:
                case ReconcileStep.PRICES:
                    await self._prices()
                case ReconcileStep.SUBSCRIPTIONS:
                    await self._subscriptions()
                case ReconcileStep.ORDERS:
                    await self._orders()
                case ReconcileStep.INVOICES:
                    await self._invoices()
                case ReconcileStep.UNSEEN:
                    await self._unseen()
                case _:
                    await self._invariants()
            self._rest()
        await self._repairs()

    async def _begin(self) -> None:
        state = self._state
        plan = await self._ours(
            contracts.BEGIN_RECONCILIATION,
            BeginReconciliation(state.reconciliation_id, state.repair),
            ReconciliationPlan,
            "Plan the comparison",
        )
        state.begun, state.reconciliation_id = True, plan.reconciliation_id
        state.repair, state.products = plan.repair, plan.products
        state.most_prices, state.invoices_since = plan.most_prices, plan.invoices_since
        if plan.product:
            workflow.upsert_search_attributes([PRODUCT.value_set(plan.product)])
        if plan.compared:
            state.step = ReconcileStep.REPAIR
        show("comparing", "Comparing: reading prices")

    async def _prices(self) -> None:
        """All prices of the products, including archived ones. If there are many, reading all
        subscriptions once is cheaper than one list per price."""
        state = self._state
        for product in state.products:
            plan = await self._stripe(
                contracts.PLAN_PREVIEW, product, ImportPlan, f"List the prices of {product}"
            )
            state.prices += plan.prices
            state.scan = state.scan or plan.scan
            state.invoices = state.invoices or plan.invoices
        state.scan = state.scan or len(state.prices) > state.most_prices
        state.step = ReconcileStep.SUBSCRIPTIONS if state.products else ReconcileStep.INVARIANTS

    async def _subscriptions(self) -> None:
        state = self._state
        lists = 1 if state.scan else len(state.prices)
        while state.index < lists:
            price = None if state.scan else state.prices[state.index]
            if await self._page(ReconcileStep.SUBSCRIPTIONS, price):
                state.index += 1
            self._rest()
        state.step = ReconcileStep.ORDERS

    async def _orders(self) -> None:
        state = self._state
        while not await self._page(ReconcileStep.ORDERS, None):
            self._rest()
        wanted = state.invoices and state.invoices_since is not None
        walks = wanted and workflow.patched(WALKS_INVOICES)
        state.step = ReconcileStep.INVOICES if walks else ReconcileStep.UNSEEN

    async def _invoices(self) -> None:
        while not await self._page(ReconcileStep.INVOICES, None):
            self._rest()
        self._state.step = ReconcileStep.UNSEEN

    async def _page(self, step: ReconcileStep, price: str | None) -> bool:
        """Compare the next page of a list; True if it was the last one."""
        state = self._state
        page = await self._stripe(
            contracts.COMPARE_PAGE,
            ComparePageInput(
                reconciliation_id=state.reconciliation_id,
                repair=state.repair,
                step=step,
                as_of=workflow.now(),
                price=price,
                cursor=state.cursor,
                progress=state.progress,
                since=state.invoices_since if step is ReconcileStep.INVOICES else None,
            ),
            ComparePageResult,
            f"Compare a page of {step}",
        )
        state.cursor, state.progress = page.cursor, page.progress
        show("comparing", f"Comparing {step}: {_words(state.progress)}")
        return state.cursor is None

    async def _unseen(self) -> None:
        state = self._state
        while state.unseen < MOST_UNSEEN:
            batch = await self._stripe(
                contracts.COMPARE_UNSEEN,
                self._batch(),
                CompareBatchResult,
                "Read objects missing from the lists",
            )
            state.unseen, state.progress = state.unseen + batch.done, batch.progress
            self._rest()
            if not batch.left:
                break
        state.step = ReconcileStep.INVARIANTS

    async def _invariants(self) -> None:
        state = self._state
        state.progress = await self._ours(
            contracts.CHECK_INVARIANTS, self._batch(), Compared, "Check the invariants"
        )
        state.step = ReconcileStep.REPAIR

    async def _repairs(self) -> None:
        state = self._state
        while True:
            batch = await self._stripe(
                contracts.REPAIR_DIFFERENCES, self._batch(), CompareBatchResult, "Repair"
            )
            state.progress = batch.progress
            if not batch.left:
                return
            show("repairing", f"Repairing: {_words(state.progress)}")
            self._rest()

    def _batch(self) -> CompareBatch:
        state = self._state
        return CompareBatch(state.reconciliation_id, state.repair, workflow.now(), state.progress)

    def _rest(self) -> None:
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._state)

    async def _finish(self, error: str | None) -> None:
        if self._state.reconciliation_id:
            await self._ours(
                contracts.FINISH_RECONCILIATION,
                FinishReconciliation(self._state.reconciliation_id, error),
                type(None),
                "Close the report",
                retry_policy=None,
            )

    async def _ours(
        self,
        activity: str,
        job: object,
        result_type: type[Result],
        summary: str,
        retry_policy: RetryPolicy | None = PATIENT,
    ) -> Result:
        return await on_main_queue(
            activity,
            job,
            result_type=result_type,
            retry_policy=retry_policy,
            priority=LAST,
            summary=summary,
        )

    async def _stripe(
        self, activity: str, job: object, result_type: type[Result], summary: str
    ) -> Result:
        return await on_stripe_queue(
            activity,
            job,
            result_type=result_type,
            retry_policy=PATIENT,
            priority=LAST,
            summary=summary,
        )


def _words(progress: Compared) -> str:
    return (
        f"{counted(progress.subscriptions, 'subscription')}, {counted(progress.orders, 'order')}"
        f" in {counted(progress.pages, 'page')}; {counted(progress.differences, 'difference')},"
        f" {progress.repaired} repaired"
    )
