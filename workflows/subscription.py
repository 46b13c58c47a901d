"""`Subscription`: a Stripe subscription, from its first event to its end."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import EntityState, Nudge
    from workflows.entity import Syncing, live, take


@workflow.defn(name=contracts.SUBSCRIPTION)
class Subscription:
    """Keeps access in sync with one subscription until it ends."""

    @workflow.init
    def __init__(self, state: EntityState) -> None:
        self._state = state

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self, nudge: Nudge) -> None:
        take(self._state, nudge)

    @workflow.run
    async def run(self, state: EntityState) -> str:
        syncing = Syncing(
            contracts.SYNC_SUBSCRIPTION, "Read the subscription from Stripe and update access"
        )
        return await live(self._state, syncing)
