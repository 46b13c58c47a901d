"""Judges purchases again when the rules or people changed rather than Stripe's data.

The caller opens the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from latchkey.store.pool import Connection
from latchkey.store.purchases.orders import rejudge_orders
from latchkey.store.purchases.subscriptions import rejudge_subscriptions
from latchkey.store.stripe import wakeups
from latchkey.store.stripe.context import ApplyContext


@dataclass(frozen=True)
class Rejudged:
    """How many purchases were judged, and what that changed."""

    checked: int
    granted: int
    ended: int


async def of_sources(
    connection: Connection,
    *,
    subscriptions: Sequence[str] = (),
    orders: Sequence[str] = (),
    context: ApplyContext,
) -> Rejudged:
    """Judge these purchases again, and notify the runs of subscriptions whose next deadline
    moved."""
    context = replace(context, ticket=0)
    before = await _deadlines(connection, subscriptions)
    by_subscription = await rejudge_subscriptions(connection, subscriptions, context=context)
    by_order = await rejudge_orders(connection, orders, context=context)
    moved = [
        one.source_id
        for one in by_subscription.applied.values()
        if not one.terminal and one.wake_at != before.get(one.source_id)
    ]
    await wakeups.add(connection, wakeups.LOOK_AGAIN, moved)
    return Rejudged(
        checked=len(subscriptions) + len(orders),
        granted=by_subscription.granted + by_order.granted,
        ended=by_subscription.ended + by_order.ended,
    )


async def of_customer(
    connection: Connection, customer_id: str, *, context: ApplyContext
) -> Rejudged:
    """Judge the purchases of a customer whose user was unknown until now."""
    subscriptions = await connection.fetch(
        "select id from subscriptions where customer_id = $1 and user_id is null", customer_id
    )
    orders = await connection.fetch(
        "select id from orders where customer_id = $1 and user_id is null", customer_id
    )
    return await of_sources(
        connection,
        subscriptions=[row["id"] for row in subscriptions],
        orders=[row["id"] for row in orders],
        context=context,
    )


async def _deadlines(connection: Connection, ids: Sequence[str]) -> dict[str, object]:
    if not ids:
        return {}
    rows = await connection.fetch(
        "select id, wake_at from subscriptions where id = any($1::text[])", list(ids)
    )
    return {row["id"]: row["wake_at"] for row in rows}
