"""`MemberImport`: works through the lines of another system's export, batch by batch."""

from temporalio import workflow
from temporalio.common import Priority

from workflows.steps import STATE, on_main_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import (
        MemberImportBatchInput,
        MemberImportBatchResult,
        MemberImportState,
    )

BULK = Priority(priority_key=4)


@workflow.defn(name=contracts.MEMBER_IMPORT)
class MemberImport:
    """Resumes where the database says that it stopped. Working on a batch is idempotent."""

    @workflow.init
    def __init__(self, state: MemberImportState) -> None:
        self._state = state

    @workflow.run
    async def run(self, state: MemberImportState) -> str:
        workflow.upsert_search_attributes([STATE.value_set("working")])
        more = True
        while more:
            batch = await self._batch()
            more, self._state.lines = batch.more, batch.lines
            workflow.set_current_details(self._words())
            if more and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)
        workflow.upsert_search_attributes([STATE.value_set("done")])
        return self._words()

    async def _batch(self) -> MemberImportBatchResult:
        return await on_main_queue(
            contracts.WORK_ON_MEMBER_IMPORT,
            MemberImportBatchInput(
                import_id=self._state.import_id, run=self._state.run, as_of=workflow.now()
            ),
            result_type=MemberImportBatchResult,
            priority=BULK,
            summary="Work through the next lines",
        )

    def _words(self) -> str:
        return f"Lines gone through: {self._state.lines}"
