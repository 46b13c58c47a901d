"""`Burst`: applies many objects at once. `Lifecycles`: starts the runs of those that are new."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from workflows.steps import on_main_queue, on_stripe_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import BurstInput, BurstResult
    from latchkey.rules.plurals import counted

STEADILY = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn(name=contracts.BURST)
class Burst:
    """Reads objects of which many wait, and applies them together."""

    @workflow.run
    async def run(self, job: BurstInput) -> str:
        count = counted(len(job.objects), "object")
        result = await on_stripe_queue(
            contracts.APPLY_BURST,
            job,
            result_type=BurstResult,
            retry_policy=STEADILY,
            priority=Priority(priority_key=2),
            summary=f"Read {count} from Stripe and update access",
        )
        reads = counted(result.reads, "read")
        return f"{count}: {result.applied} applied with {reads}, {result.aside} left to their runs"


@workflow.defn(name=contracts.LIFECYCLES)
class Lifecycles:
    """Runs while subscriptions that bursts applied have no run; the next burst starts it again."""

    @workflow.init
    def __init__(self) -> None:
        self._nudged = False

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self) -> None:
        self._nudged = True

    @workflow.run
    async def run(self) -> str:
        while True:
            self._nudged = False
            started = await on_main_queue(
                contracts.START_WAITING,
                result_type=int,
                priority=Priority(priority_key=4),
                summary="Start workflows for the subscriptions",
            )
            if not started and not self._nudged:
                return "Every subscription has its run"
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new()
