"""`StripeCall` (workflow type `Errand`): one call to Stripe while a person waits."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import StripeCallInput, StripeCallResult

SOMEONE_WAITS = RetryPolicy(
    initial_interval=timedelta(milliseconds=300),
    maximum_interval=timedelta(seconds=3),
    maximum_attempts=4,
)
ATTEMPT = timedelta(seconds=25)


@workflow.defn(name=contracts.STRIPE_CALL)
class StripeCall:
    """Runs the Temporal activity that its input names and returns its result."""

    @workflow.run
    async def run(self, stripe_call: StripeCallInput) -> StripeCallResult:
        result: StripeCallResult = await workflow.execute_activity(
            stripe_call.activity,
            stripe_call,
            result_type=StripeCallResult,
            task_queue=contracts.STRIPE_QUEUE,
            start_to_close_timeout=ATTEMPT,
            retry_policy=SOMEONE_WAITS,
            priority=Priority(priority_key=1),
            summary=stripe_call.activity.replace("_", " ").capitalize(),
        )
        workflow.set_current_details(result.state)
        return result
