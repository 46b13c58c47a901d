"""Reads pages of Stripe's lists, and single objects, for a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from temporalio import activity

from activities import fetch, list_pages, past_due
from activities.base import ActivityDeps
from latchkey.rules.identity import Reference
from latchkey.rules.reading import Order, Subscription, UnreadableError
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.purchases import order_mirror
from latchkey.store.purchases.linked_products import (
    linked_products,
    linked_stripe_products,
    opened_by,
)
from latchkey.stripe_api import Json, StripeApi, StripeError


@dataclass
class Readings:
    """Objects read from Stripe, those that are missing there, and, by id, why others can't be read.
    `reads` counts the calls for single objects."""

    subscriptions: list[Subscription] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    reads: int = 0

    @property
    def ids(self) -> list[str]:
        return [*(s.id for s in self.subscriptions), *(o.id for o in self.orders)]


async def subscriptions(deps: ActivityDeps, api: StripeApi, page: Sequence[Json]) -> Readings:
    found = await list_pages.subscriptions(api, page)
    return Readings(subscriptions=await past_due.dated(deps, api, found))


async def sessions(deps: ActivityDeps, api: StripeApi, page: Sequence[Json]) -> Readings:
    """The page's orders that sell a linked product."""
    account = await deps.account()
    async with deps.pool.acquire() as connection:
        linked = await linked_stripe_products(connection, account=account)

    def sells(order: Order) -> bool:
        return any(line.stripe_product in linked for line in order.one_off_lines)

    return Readings(orders=await list_pages.sessions(api, page, sells))


async def invoices(deps: ActivityDeps, api: StripeApi, page: Sequence[Json]) -> Readings:
    """The page's one-off purchases that are new to us, without those of checkout sessions.

    Known purchases are read one by one later, like everything else that gives access and is on no
    list: an invoice doesn't show what happened to its payment.
    """
    account = await deps.account()
    async with deps.pool.acquire() as connection:
        every = await linked_stripe_products(connection, account=account)
        linked = await linked_products(connection, every, account=account)

    def sells(order: Order) -> bool:
        links = opened_by({line.stripe_product for line in order.one_off_lines}, linked)
        return any(link.counts(order) for link in links if not link.removed)

    candidates = list_pages.invoices(page, sells)
    async with deps.pool.acquire() as connection:
        known = await order_mirror.of_invoices(connection, list(candidates))
    found = Readings()
    for key, source in candidates.items():
        if key in known:
            continue
        order = await fetch.invoice(api, source)
        found.reads += 1
        if not sells(order):
            continue
        found.reads += 1
        if await fetch.session_of_invoice(api, order) is None:
            found.orders.append(order)
    return found


async def by_id(deps: ActivityDeps, api: StripeApi, batch: Sequence[tuple[str, str]]) -> Readings:
    """Single objects, given by source and id."""
    found = Readings()
    for source, key in batch:
        try:
            if source == GrantSource.SUBSCRIPTION:
                made = await fetch.subscription(api, await api.subscription(key))
                found.subscriptions += await past_due.dated(deps, api, [made])
            elif key.startswith("in_"):
                found.orders.append(await fetch.invoice(api, await api.invoice(key)))
            else:
                session = await fetch.session(api, await api.checkout_session(key))
                found.orders.append(session)
        except StripeError as error:
            if not error.missing:
                raise
            found.gone.append((source, key))
        except UnreadableError as error:
            activity.logger.warning("unreadable object skipped: %s", error)
            found.unreadable[key] = str(error)
    found.reads = len(batch)
    return found


def references(deps: ActivityDeps, orders: Sequence[Order]) -> dict[str, Reference]:
    """What the orders' signed references say, by the order's id."""
    read = {order.id: deps.reference(order.reference) for order in orders}
    return {key: reference for key, reference in read.items() if reference is not None}
