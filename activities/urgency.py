"""Says of every Temporal activity how urgent its calls to Stripe are, and how long they wait."""

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from latchkey import contracts
from latchkey.stripe_rate import URGENT, Calling, calling

AT_ONCE_SECONDS, ANSWER_SECONDS = 0.25, 4.0
"""A local activity holds up its workflow task, so it neither queues for a permit nor waits for a
slow answer. It can be cut off: it only reads, or repeats its write under the same key."""


class Urgency(Interceptor):
    """The worker interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Urgent(next)


class _Urgent(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if info.is_local:
            person = info.workflow_type == contracts.STRIPE_CALL
            who = Calling(1 if person else URGENT, AT_ONCE_SECONDS, ANSWER_SECONDS)
        else:
            who = Calling(info.priority.priority_key or URGENT)
        token = calling.set(who)
        try:
            return await super().execute_activity(input)
        finally:
            calling.reset(token)
