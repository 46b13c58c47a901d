"""The run of an import of members: it goes on until there are no more lines, and over failures."""

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from latchkey import contracts
from latchkey.contracts import MemberImportBatchInput, MemberImportBatchResult, MemberImportState
from tests.workflows.recording import record
from tests.workflows.test_entities import environment
from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

__all__ = ["environment"]


async def test_it_works_through_all_lines_also_after_a_failure(
    environment: WorkflowEnvironment,
) -> None:
    asked: list[MemberImportBatchInput] = []

    @activity.defn(name=contracts.WORK_ON_MEMBER_IMPORT)
    async def work(job: MemberImportBatchInput) -> MemberImportBatchResult:
        asked.append(job)
        if len(asked) == 2:
            raise RuntimeError("the database was away")
        done = len(asked) - (len(asked) > 2)
        return MemberImportBatchResult(1000 * done, more=done < 3)

    async with Worker(
        environment.client,
        task_queue=contracts.MAIN_QUEUE,
        workflows=WORKFLOWS,
        activities=[work],
        workflow_runner=workflow_runner(),
    ):
        handle = await environment.client.start_workflow(
            contracts.MEMBER_IMPORT,
            MemberImportState("imp_1", 2),
            id=contracts.member_import_workflow_id("imp_1", 2),
            task_queue=contracts.MAIN_QUEUE,
        )
        assert await handle.result() == "Lines gone through: 3000"
    assert [(job.import_id, job.run) for job in asked] == [("imp_1", 2)] * 4
    record(await handle.fetch_history(), "member-import")
