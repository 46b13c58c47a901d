"""`ProductLink`: imports earlier buyers, then waits until the link is removed."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, RetryState

from workflows.attempts import HEARTBEAT
from workflows.steps import (
    STRIPE_PRODUCT,
    Result,
    on_main_queue,
    on_stripe_queue,
    reason_of,
    show,
)

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import (
        ImportPageInput,
        ImportPageResult,
        ImportPlan,
        ImportStep,
        LifecyclesInput,
        LinkState,
        LinkStateInput,
        ProductLinkState,
        Progress,
    )
    from latchkey.rules.plurals import counted

LIFECYCLES_ATTEMPT = timedelta(minutes=10)
BULK = Priority(priority_key=4)
A_FEW_TIMES = RetryPolicy(maximum_attempts=4)
TRY_AGAIN = timedelta(minutes=1)

SAYS_WHAT_IT_WAITS_FOR = "says-what-it-waits-for"
"""The id of a change of commands: see CONTRIBUTING.md, Changing workflow code."""


@workflow.defn(name=contracts.PRODUCT_LINK)
class ProductLink:
    """One product's link to a Stripe product, from creation to removal."""

    @workflow.init
    def __init__(self, state: ProductLinkState) -> None:
        self._state = state
        self._again = False

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self, link_id: int) -> None:
        """A link was created or retried: the current link imports again, a new link takes over."""
        if link_id == self._state.link_id:
            self._again = True
        else:
            self._state.next_link = link_id

    @workflow.signal(name=contracts.STOP)
    def stop(self, link_id: int) -> None:
        if link_id == self._state.link_id:
            self._state.stopped = True

    @workflow.run
    async def run(self, state: ProductLinkState) -> str:
        while True:
            if self._state.next_link is not None:
                self._state = ProductLinkState(self._state.next_link, self._state.product_id)
            if self._state.stopped:
                show("removed", "The link was removed")
                return "removed"
            self._again = False
            try:
                await self._import()
            except ActivityError as error:
                await self._fail(error)
            await workflow.wait_condition(lambda: self._again or self._interrupted)
            if not self._interrupted:
                self._state = ProductLinkState(self._state.link_id, self._state.product_id)

    @property
    def _interrupted(self) -> bool:
        return self._state.stopped or self._state.next_link is not None

    async def _import(self) -> None:
        state = self._state
        if state.plan is None:
            show("importing", "Importing: reading prices")
            state.plan = await self._stripe(
                contracts.PLAN_IMPORT, state.link_id, ImportPlan, "List the product's prices"
            )
            workflow.upsert_search_attributes([STRIPE_PRODUCT.value_set(state.plan.stripe_product)])
        while state.step is not ImportStep.DONE and not self._interrupted:
            await self._walk_page(state, state.plan)
        if self._interrupted:
            return
        await self._record(LinkState.LISTENING)
        show("listening", f"Listening. Imported: {_words(state.progress)}")
        await self._start_lifecycles()

    async def _walk_page(self, state: ProductLinkState, plan: ImportPlan) -> None:
        price = None
        if state.step is ImportStep.SUBSCRIPTIONS and not plan.scan:
            if state.price_index >= len(plan.prices):
                state.step = ImportStep.ORDERS
                return
            price = plan.prices[state.price_index]
        invoices = state.step is ImportStep.INVOICES
        page = await self._stripe(
            contracts.IMPORT_PAGE,
            ImportPageInput(
                link_id=state.link_id,
                stripe_product=plan.stripe_product,
                step=state.step,
                as_of=workflow.now(),
                price=price,
                cursor=state.cursor,
                progress=state.progress,
                since=plan.invoices_since if invoices else None,
            ),
            ImportPageResult,
            f"Import a page of {state.step}",
        )
        state.progress, state.cursor = page.progress, page.cursor
        show("importing", f"Importing {state.step}: {_words(state.progress)}")
        if state.cursor is None:
            self._next_list(state, plan)
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(state)

    def _next_list(self, state: ProductLinkState, plan: ImportPlan) -> None:
        if state.step is ImportStep.ORDERS and plan.invoices:
            state.step = ImportStep.INVOICES
        elif state.step in (ImportStep.ORDERS, ImportStep.INVOICES):
            state.step = ImportStep.DONE
        elif plan.scan:
            state.step = ImportStep.ORDERS
        else:
            state.price_index += 1

    async def _start_lifecycles(self) -> None:
        """Start the subscriptions' runs at a limited rate, once access has been given."""
        while not self._interrupted:
            started = await workflow.execute_activity(
                contracts.START_LIFECYCLES,
                LifecyclesInput(self._state.link_id),
                result_type=int,
                start_to_close_timeout=LIFECYCLES_ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                priority=BULK,
                summary="Start workflows for the subscriptions",
            )
            if not started:
                return
            progress = self._state.progress
            self._state.progress = replace(progress, lifecycles=progress.lifecycles + started)
            await self._record(LinkState.LISTENING)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)

    async def _fail(self, error: ActivityError) -> None:
        reason = reason_of(error)
        show("failed", f"The import failed: {reason}")
        await self._record(LinkState.FAILED, reason)

    async def _record(self, state: LinkState, error: str | None = None) -> None:
        await on_main_queue(
            contracts.SET_LINK_STATE,
            LinkStateInput(self._state.link_id, state, self._state.progress, error),
            result_type=type(None),
            summary=f"Record: {state}",
        )

    async def _stripe(
        self, activity: str, job: object, result_type: type[Result], summary: str
    ) -> Result:
        """While Stripe is unavailable, show what the run is waiting for and retry periodically."""
        while True:
            try:
                return await on_stripe_queue(
                    activity,
                    job,
                    result_type=result_type,
                    retry_policy=A_FEW_TIMES,
                    priority=BULK,
                    summary=summary,
                )
            except ActivityError as error:
                passing = error.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED
                if not passing or not workflow.patched(SAYS_WHAT_IT_WAITS_FOR):
                    raise
                await self._wait_for_stripe(error)
                if self._interrupted:
                    raise

    async def _wait_for_stripe(self, error: ActivityError) -> None:
        reason = reason_of(error)
        show("waiting for Stripe", f"Waiting: {reason}")
        await self._record(LinkState.IMPORTING, reason)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._again or self._interrupted,
                timeout=TRY_AGAIN,
                timeout_summary="Stripe can't be read: try again",
            )
        self._again = False


def _words(progress: Progress) -> str:
    return (
        f"{counted(progress.subscriptions, 'subscription')}, {counted(progress.orders, 'order')};"
        f" {progress.granted} got access, {progress.already_had_access} had it"
    )
