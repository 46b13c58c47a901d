"""`StripeObject`: mirrors customers, products and prices; assigns payments and invoices to
purchases."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import EntityState, Nudge
    from workflows.entity import Syncing, live, take


@workflow.defn(name=contracts.STRIPE_OBJECT)
class StripeObject:
    """Reads one object that an event named: mirrors it, or nudges the purchases it concerns."""

    @workflow.init
    def __init__(self, state: EntityState) -> None:
        self._state = state

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self, nudge: Nudge) -> None:
        take(self._state, nudge)

    @workflow.run
    async def run(self, state: EntityState) -> str:
        return await live(
            self._state, Syncing(contracts.SYNC_OBJECT, "Read the object from Stripe")
        )
