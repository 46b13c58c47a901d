"""`PolicyChange`: applies a changed access policy to everyone concerned, page by page."""

from temporalio import workflow
from temporalio.common import Priority

from workflows.steps import STATE, on_main_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import (
        PolicyChangeState,
        PolicyPageInput,
        PolicyPageResult,
        PolicyStep,
    )

BULK = Priority(priority_key=4)


@workflow.defn(name=contracts.POLICY_CHANGE)
class PolicyChange:
    """Resumes at the page where it stopped. Applying a page is idempotent."""

    @workflow.init
    def __init__(self, state: PolicyChangeState) -> None:
        self._state = state

    @workflow.run
    async def run(self, state: PolicyChangeState) -> str:
        state = self._state
        workflow.upsert_search_attributes([STATE.value_set("applying")])
        while state.step is not PolicyStep.DONE:
            page = await self._page()
            state.step, state.cursor = page.step, page.cursor
            state.checked, state.granted, state.ended = page.checked, page.granted, page.ended
            workflow.set_current_details(f"Applying to {state.step}: {self._words()}")
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(state)
        workflow.upsert_search_attributes([STATE.value_set("done")])
        workflow.set_current_details(f"Done: {self._words()}")
        return self._words()

    async def _page(self) -> PolicyPageResult:
        state = self._state
        return await on_main_queue(
            contracts.APPLY_POLICY_PAGE,
            PolicyPageInput(
                change_id=state.change_id,
                step=state.step,
                as_of=workflow.now(),
                cursor=state.cursor,
                checked=state.checked,
                granted=state.granted,
                ended=state.ended,
            ),
            result_type=PolicyPageResult,
            priority=BULK,
            summary=f"Apply the policy to a page of {state.step}",
        )

    def _words(self) -> str:
        state = self._state
        return f"{state.checked} checked, {state.granted} granted, {state.ended} ended"
