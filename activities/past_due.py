"""Finds since when a subscription is overdue, and how much is open."""

from collections.abc import Sequence
from dataclasses import replace

from activities.base import ActivityDeps
from latchkey.rules import access, reading
from latchkey.rules.reading import Subscription
from latchkey.store.purchases import subscription_mirror
from latchkey.store.purchases.linked_products import linked_stripe_products
from latchkey.stripe_api import StripeApi


async def dated(
    deps: ActivityDeps,
    api: StripeApi,
    found: Sequence[Subscription],
    *,
    stripe_product: str | None = None,
    again: bool = False,
) -> list[Subscription]:
    """The readings, completed with the start of the overdue period and what is open, if they sell
    `stripe_product` (or any linked product).

    A subscription doesn't contain this, and its latest invoice does only if no further period has
    started. So its invoices are listed when an overdue period is first seen, and `again` if
    something has happened to it since.
    """
    past_due = [
        subscription.id for subscription in found if subscription.status in access.PAST_DUE_STATUSES
    ]
    if not past_due:
        return list(found)
    account = await deps.account()
    async with deps.pool.acquire() as connection:
        known = {} if again else await subscription_mirror.past_due_since(connection, past_due)
        wanted = {stripe_product} if stripe_product else None
        wanted = wanted or await linked_stripe_products(connection, account=account)

    async def since(subscription: Subscription) -> Subscription:
        if subscription.id not in past_due or not wanted & subscription.stripe_products:
            return subscription
        if recorded := known.get(subscription.id):
            return replace(subscription, unpaid_since=recorded)
        bills = await api.owed_invoices(subscription.id)
        return replace(
            subscription, unpaid_since=reading.overdue_since(bills), owed=reading.owed(bills)
        )

    return [await since(subscription) for subscription in found]
