"""Applies what was read of many objects as if each had come alone.

The objects' runs don't read here. So what they have to know is queued for them in the same
transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.rules.identity import Reference
from latchkey.rules.reading import Order, Subscription
from latchkey.store.pool import Connection
from latchkey.store.purchases import orders, same_person, subscription_mirror, subscriptions
from latchkey.store.purchases.judging import Applied, AppliedPage
from latchkey.store.purchases.same_person import Traces
from latchkey.store.purchases.subscriptions import CheckoutInfo
from latchkey.store.stripe import wakeups
from latchkey.store.stripe.context import ApplyContext


@dataclass(frozen=True)
class Purchase:
    """A subscription with the checkout session that it came from, if that was read, or a one-off
    purchase. `reference` is what the session's signed reference says."""

    subscription: Subscription | None = None
    order: Order | None = None
    reference: Reference | None = None

    @property
    def id(self) -> str:
        found = self.subscription or self.order
        assert found is not None, "it is one or the other"
        return found.id

    @property
    def sells_once(self) -> bool:
        """Whether the order is applied: a subscription's checkout may have one-off lines, too."""
        return self.order is not None and (
            self.subscription is None or bool(self.order.one_off_lines)
        )

    @property
    def traces(self) -> Traces:
        parts = [part for part in (self.subscription, self.order) if part is not None]
        people = [part.customer for part in parts if part.customer]
        emails = [person.email for person in people] + [self.order.email if self.order else None]
        return Traces(
            customers=[name for person in people for name in (person.id, person.account) if name],
            emails=[email for email in emails if email],
            reference=self.reference,
        )


async def apply_batch(
    connection: Connection, purchases: Sequence[Purchase], *, context: ApplyContext
) -> dict[str, Applied]:
    """Apply readings taken under `context.ticket` (a fencing token); returns the outcome by id.

    Purchases that may concern the same person are applied one after the other, in the order given;
    all others together. The caller opens the transaction.
    """
    by_subscription, by_order = AppliedPage({}), AppliedPage({})
    for round_ in await _rounds(connection, purchases):
        by_subscription.add(await _apply_subscriptions(connection, round_, context=context))
        by_order.add(await _apply_orders(connection, round_, context=context))
    await _tell(connection, by_subscription, by_order, context=context)
    return by_order.applied | by_subscription.applied


async def _rounds(connection: Connection, purchases: Sequence[Purchase]) -> list[list[Purchase]]:
    """The purchases in rounds: those of one person come in different ones, in their order."""
    people = await same_person.people_of(
        connection, {purchase.id: purchase.traces for purchase in purchases}
    )
    rounds: list[list[Purchase]] = []
    come: Counter[int] = Counter()
    for purchase in purchases:
        number = come[people[purchase.id]]
        come[people[purchase.id]] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(purchase)
    return rounds


async def _apply_subscriptions(
    connection: Connection, purchases: Sequence[Purchase], *, context: ApplyContext
) -> AppliedPage:
    readings = [purchase.subscription for purchase in purchases if purchase.subscription]
    if not readings:
        return AppliedPage({})
    return await subscriptions.apply_subscriptions(
        connection,
        readings,
        context=context,
        checkouts={
            purchase.subscription.id: CheckoutInfo(
                purchase.order.id,
                purchase.reference,
                purchase.order.created,
                purchase.order.locale,
            )
            for purchase in purchases
            if purchase.subscription and purchase.order
        },
    )


async def _apply_orders(
    connection: Connection, purchases: Sequence[Purchase], *, context: ApplyContext
) -> AppliedPage:
    bought = [
        (purchase.order, purchase.reference)
        for purchase in purchases
        if purchase.order and purchase.sells_once
    ]
    if not bought:
        return AppliedPage({})
    return await orders.apply_orders(
        connection,
        [order for order, _ in bought],
        context=context,
        references={order.id: reference for order, reference in bought if reference},
    )


async def _tell(
    connection: Connection,
    by_subscription: AppliedPage,
    by_order: AppliedPage,
    *,
    context: ApplyContext,
) -> None:
    """Have runs started for what has none, and those told that have to know. All bursts write the
    wakeup for the former, so it comes last: who holds it waits for nothing else.

    A subscription's run is nudged by an event that is handled: it takes what was applied, without
    reading again. A purchase's run, which lasts only while a payment is awaited, reads.
    """
    fresh = [key for key, applied in by_subscription.applied.items() if not applied.stale]
    waiting = await subscription_mirror.some_lack_run(connection, fresh)
    told = [f"{key}/{context.event_of(key)}" for key in by_subscription.moved]
    await wakeups.add(connection, wakeups.APPLIED, told)
    await wakeups.add(connection, wakeups.PURCHASE, by_order.moved)
    await wakeups.add(connection, wakeups.LIFECYCLES, [""] if waiting else [])
