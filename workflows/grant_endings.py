"""`GrantEndings`: one timer for all complimentary access, set to the earliest end."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority

from workflows.steps import on_main_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import DueGrantsInput, DueGrantsResult, GrantEndingsState

SOON = timedelta(seconds=1)


@workflow.defn(name=contracts.GRANT_ENDINGS)
class GrantEndings:
    """Runs while any complimentary access has an end; the next end that is set starts it again."""

    @workflow.init
    def __init__(self, state: GrantEndingsState) -> None:
        self._state = state

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self) -> None:
        self._state.nudged = True

    @workflow.run
    async def run(self, state: GrantEndingsState) -> str:
        while True:
            self._state.nudged = False
            found = await self._end_due()
            if found.next_at is None and not self._state.nudged:
                return "No complimentary access has an end"
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)
            if found.next_at is not None:
                await self._sleep(found.next_at)

    async def _sleep(self, until: datetime) -> None:
        workflow.set_current_details(f"The next end is at {until:%Y-%m-%d %H:%M:%S} UTC")
        try:
            await workflow.wait_condition(
                lambda: self._state.nudged,
                timeout=max(until - workflow.now(), SOON),
                timeout_summary="complimentary access ends",
            )
        except TimeoutError:
            return

    async def _end_due(self) -> DueGrantsResult:
        return await on_main_queue(
            contracts.END_DUE_GRANTS,
            DueGrantsInput(workflow.now()),
            result_type=DueGrantsResult,
            priority=Priority(priority_key=1),
            summary="End access that is due",
        )
