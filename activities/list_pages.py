"""Pages of Stripe's lists, reading in full only what sells a relevant product."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from temporalio import activity

from activities import fetch
from latchkey.rules import reading
from latchkey.rules.reading import Order, Subscription, UnreadableError
from latchkey.stripe_api import Json, StripeApi

Sells = Callable[[Order], bool]
"""Whether an order sells a wanted product, judging by its known lines."""


T = TypeVar("T")


def readable(page: Iterable[Json], read: Callable[[Json], T]) -> list[T]:
    """What `read` makes of the page's objects, without those that it can't read."""
    found = []
    for source in page:
        try:
            found.append(read(source))
        except UnreadableError as error:
            _left_out(error)
    return found


async def subscriptions(api: StripeApi, page: Iterable[Json]) -> list[Subscription]:
    """The page's subscriptions with all their items."""
    found = []
    for source in page:
        try:
            found.append(await fetch.subscription(api, source))
        except UnreadableError as error:
            _left_out(error)
    return found


async def sessions(api: StripeApi, page: Iterable[Json], sells: Sells) -> list[Order]:
    """The page's checkout sessions that sell a wanted product, read in full."""
    found = []
    for source in page:
        try:
            quick = reading.checkout_session(source)
            if quick.lines_complete and not sells(quick):
                continue
            order = await fetch.session(api, source)
        except UnreadableError as error:
            _left_out(error)
            continue
        if sells(order):
            found.append(order)
    return found


def invoices(page: Iterable[Json], sells: Sells) -> dict[str, Json]:
    """The page's invoices that may sell a wanted product, by id. Stripe's list shows at most ten
    lines per invoice."""
    found = {}
    for source in page:
        try:
            quick = reading.invoice(source)
        except UnreadableError as error:
            _left_out(error)
            continue
        if not quick.lines_complete or sells(quick):
            found[quick.id] = source
    return found


def _left_out(error: UnreadableError) -> None:
    activity.logger.warning("unreadable object skipped: %s", error)
