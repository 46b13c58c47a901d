"""What the lists of subscriptions, purchases and customers take, and how they continue."""

from collections.abc import Callable, Collection, Sequence

from pydantic import Field

from latchkey.store.pool import Connection
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, ListPlace, Row
from latchkey.store.users import users
from web.api.cursors import bad_cursor, cursor, text
from web.api.lookup import product_of
from web.api.registry import Paging
from web.inputs import Moment, RowId
from web.places import place_of, written


class BillingSearch(Paging):
    product: str | None = Field(None, description="slug or id of a product of the site")
    price: str | None = Field(None, description="id of one of Stripe's prices")
    user: RowId | None = None
    livemode: bool | None = Field(None, description="only live mode, or only test mode")
    since: Moment | None = Field(None, description="only those from this time on")
    until: Moment | None = Field(None, description="only those from before this time")
    search: str | None = Field(
        None,
        max_length=200,
        description="a whole Stripe id, or part of an email address or name",
    )


def one_of(states: Collection[str]) -> Callable[[str], str]:
    """A check that a text is one of these states. It raises `ValueError`."""

    def check(value: str) -> str:
        if value not in states:
            raise ValueError(f"must be one of {', '.join(states)}")
        return value

    return check


async def filter_of(
    connection: Connection,
    search: BillingSearch,
    *,
    states: Sequence[str] = (),
    customer: str | None = None,
) -> BillingFilter:
    """What a query asks for. Raises a 404 `ApiError` for an unknown product."""
    product = await product_of(connection, search.product) if search.product is not None else None
    person = await users.by_id(connection, search.user) if search.user else None
    return BillingFilter(
        states=tuple(states),
        product=product.id if product else None,
        price=search.price,
        livemode=search.livemode,
        since=search.since,
        until=search.until,
        user_id=person.id if person else search.user,
        customer_id=customer,
        search=search.search or None,
    )


async def page_of(
    connection: Connection, source: BillingList[Row], wanted: BillingFilter, search: BillingSearch
) -> tuple[list[Row], str | None]:
    """The rows of a page and its `next`. Raises a 400 `ApiError` for another list's cursor."""
    rows = await source.page(connection, wanted, after=_place(search.after), limit=search.limit + 1)
    page = rows[: search.limit]
    return page, cursor(written(page[-1].place)) if len(rows) > search.limit else None


def _place(after: str | None) -> ListPlace | None:
    given = text(after)
    if given is None:
        return None
    place = place_of(given)
    if place is None:
        raise bad_cursor()
    return place
