"""`StripeCall` (workflow type `Errand`): one call to Stripe while a person waits."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import StripeCallInput, StripeCallResult
    from workflows.steps import at_once

CALLED_AT_ONCE = "called-at-once"
"""A call used to wait its turn on the Stripe queue, which took longer than Stripe itself."""

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
        summary = stripe_call.activity.replace("_", " ").capitalize()
        result = None
        if workflow.patched(CALLED_AT_ONCE):
            result = await at_once(
                stripe_call.activity, stripe_call, result_type=StripeCallResult, summary=summary
            )
        if result is None:
            result = await _on_queue(stripe_call, summary)
        workflow.set_current_details(result.state)
        return result


async def _on_queue(stripe_call: StripeCallInput, summary: str) -> StripeCallResult:
    """Call at the cluster's rate, with retries."""
    result: StripeCallResult = await workflow.execute_activity(
        stripe_call.activity,
        stripe_call,
        result_type=StripeCallResult,
        task_queue=contracts.STRIPE_QUEUE,
        start_to_close_timeout=ATTEMPT,
        retry_policy=SOMEONE_WAITS,
        priority=Priority(priority_key=1),
        summary=summary,
    )
    return result
