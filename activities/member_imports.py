"""Works through the lines of another system's export."""

from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import discreet
from latchkey import contracts
from latchkey.contracts import MemberImportBatchInput, MemberImportBatchResult
from latchkey.store.users import member_import_batches


class MemberImportActivities:
    """One batch at a time, in one transaction with the progress."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name=contracts.WORK_ON_MEMBER_IMPORT)
    async def work(self, job: MemberImportBatchInput) -> MemberImportBatchResult:
        async with (
            discreet(),
            self._deps.pool.acquire() as connection,
            connection.transaction(),
        ):
            done = await member_import_batches.work(
                connection, job.import_id, job.run, now=job.as_of
            )
        return MemberImportBatchResult(done.lines, done.more)
