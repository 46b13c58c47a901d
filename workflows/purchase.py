"""`Purchase`: a one-off purchase, from checkout until its payment is settled."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import EntityState, Nudge
    from workflows.entity import Syncing, live, take


@workflow.defn(name=contracts.PURCHASE)
class Purchase:
    """Grants access to what a checkout session or invoice paid for; waits while a payment is
    pending."""

    @workflow.init
    def __init__(self, state: EntityState) -> None:
        self._state = state

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self, nudge: Nudge) -> None:
        take(self._state, nudge)

    @workflow.run
    async def run(self, state: EntityState) -> str:
        syncing = Syncing(
            contracts.SYNC_PURCHASE, "Read the purchase from Stripe and update access"
        )
        return await live(self._state, syncing)
