"""Pages of Stripe's lists: what sells something that counts here, and nothing else is read."""

from collections.abc import Callable, Iterable

from temporalio import activity

from activities import fetch
from latchkey.rules import reading
from latchkey.rules.reading import Order, Subscription, UnreadableError
from latchkey.stripe_api import Json, StripeApi

Sells = Callable[[Order], bool]
"""Whether an order sells what is looked for, by the lines that are known of it."""


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
    """The page's checkout sessions that sell what is looked for, whole."""
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
    """The page's invoices that may sell what is looked for, by id: Stripe lists no invoice with
    more than ten of its lines."""
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
    activity.logger.warning("left out: %s", error)
