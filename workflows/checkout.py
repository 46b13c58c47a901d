"""`Checkout`: brings a product's payment links in Stripe in line with what was chosen."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.steps import on_stripe_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts


SOMEONE_MAY_WAIT = RetryPolicy(maximum_interval=timedelta(seconds=15))


@workflow.defn(name=contracts.CHECKOUT)
class Checkout:
    """Creates the chosen payment link and deactivates the others; ends when nothing is left to
    do."""

    def __init__(self) -> None:
        self._again = True

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self) -> None:
        self._again = True

    @workflow.run
    async def run(self, product_id: str) -> str:
        state = ""
        while self._again:
            self._again = False
            state = await on_stripe_queue(
                contracts.SETTLE_CHECKOUT,
                product_id,
                result_type=str,
                retry_policy=SOMEONE_MAY_WAIT,
                summary="Create and deactivate payment links",
            )
            workflow.set_current_details(state)
        return state
