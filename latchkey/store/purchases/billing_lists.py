"""What the lists of subscriptions, purchases and customers have in common: filters, search by
address, name or Stripe id, pages by key."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from latchkey.addresses import email_key
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection, Pool

CHUNK = 1000
MOST_COUNTED, MOST_PICKED = 10_000, 1000
"""How far a list counts its rows, and how far those of one product or price."""

MOST_FOUND = 1000
"""A search that matches up to this many people looks for their rows. With more, the list is gone
through for them; where so many match that enough are soon found, each row's people are looked at
instead."""


@dataclass(frozen=True)
class ListPlace:
    """A row's place in a list that is sorted by a moment or an amount, and by ids."""

    at: datetime | int
    id: str


@dataclass(frozen=True)
class ListOrder:
    """By which column a list is sorted. Rows with the same value follow each other by their ids."""

    column: str
    ascending: bool = False


@dataclass(frozen=True)
class BillingFilter:
    """Which rows of a list; None means any.

    `states` are those of the list. `product` is the id of a product of the site: what was bought is
    linked to it. `since` and `until` bound the time when the row began. `search` is part of an
    address or name, or a whole Stripe id; `ids` are those of the rows.
    """

    states: tuple[str, ...] = ()
    product: str | None = None
    price: str | None = None
    livemode: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    user_id: int | None = None
    customer_id: str | None = None
    search: str | None = None
    ids: tuple[str, ...] | None = None


class Conditions:
    """The conditions of a query with the values of its parameters, `$1` and so on. `newest_first`
    says whether the newest rows are what it reads first."""

    def __init__(self, *values: object, newest_first: bool = False) -> None:
        self.values = list(values)
        self.newest_first = newest_first
        self._texts: list[str] = []

    def add(self, text: str, *values: object) -> None:
        """Add a condition with a `{}` for each value."""
        first = len(self.values) + 1
        self.values += values
        self._texts.append(text.format(*(f"${n}" for n in range(first, first + len(values)))))

    def any_of(self, column: str, values: Sequence[str]) -> None:
        """Add that a column has one of these texts, if there are any. One alone leaves an index in
        its order."""
        if len(values) == 1:
            self.add(f"{column} = {{}}", values[0])
        elif values:
            self.add(f"{column} = any({{}}::text[])", list(values))

    def given(self, text: str, value: object) -> None:
        """Add a condition if its value is given."""
        if value is not None:
            self.add(text, value)

    @property
    def text(self) -> str:
        return " and ".join(self._texts) or "true"


class Listed(Protocol):
    """A row of a list. `place` is the one in the list's own order."""

    @property
    def id(self) -> str: ...

    @property
    def place(self) -> ListPlace: ...


Row = TypeVar("Row", bound=Listed)


@dataclass(frozen=True)
class BillingList(Generic[Row]):
    """One list, the newest first unless a reader asks for another order.

    `table` has the rows, `at` is the column of their moment, `rows` the query that completes those
    of a page (`page`, in the order of `nth`), `add_conditions` adds a filter's conditions on a row
    `t`, and `make` makes a row of what was read. `most_picked` is how far the rows of one product
    or price are counted.
    """

    table: str
    at: str
    rows: str
    add_conditions: Callable[[Connection, BillingFilter, Conditions], Awaitable[None]]
    make: Callable[[dict[str, Any]], Row]
    most_picked: int | None = MOST_PICKED

    def counted_up_to(self, wanted: BillingFilter) -> int | None:
        """How far a page counts its rows; None where that may take long."""
        if wanted.search:
            return None
        return self.most_picked if wanted.product or wanted.price else MOST_COUNTED

    async def page(
        self,
        connection: Connection,
        wanted: BillingFilter,
        *,
        after: ListPlace | None = None,
        limit: int,
        order: ListOrder | None = None,
    ) -> list[Row]:
        """The first rows, from the one after `after`."""
        query, values = await self.query(connection, wanted, after=after, limit=limit, order=order)
        rows = await text_search.fetch_planned(connection, query, *values)
        return [self.make(dict(row)) for row in rows]

    async def query(
        self,
        connection: Connection,
        wanted: BillingFilter,
        *,
        after: ListPlace | None,
        limit: int,
        order: ListOrder | None = None,
    ) -> tuple[str, list[object]]:
        """The query for a page, with its values."""
        order = order or ListOrder(self.at)
        newest_first = order.column == self.at and not order.ascending and after is None
        where = Conditions(limit, newest_first=newest_first)
        await self.add_conditions(connection, wanted, where)
        beyond, way = (">", "asc") if order.ascending else ("<", "desc")
        if after is not None:
            where.add(f"(t.{order.column}, t.id) {beyond} ({{}}, {{}})", after.at, after.id)
        text = f"""
        with page as (
            select t.*, row_number() over () as nth
              from (select t.* from {self.table} t where {where.text}
                     order by t.{order.column} {way}, t.id {way} limit $1) t)
        {self.rows}
        """
        return text, where.values

    async def find(self, connection: Connection, row_id: str) -> Row | None:
        row = await connection.fetchrow(
            f"with page as (select t.*, 1 as nth from {self.table} t where t.id = $1) {self.rows}",
            row_id,
        )
        return self.make(dict(row)) if row else None

    async def several(self, connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
        """The rows with these ids."""
        rows = await connection.fetch(
            f"with page as (select t.*, 1 as nth from {self.table} t where t.id = any($1::text[]))"
            f" {self.rows}",
            list(ids),
        )
        return {row["id"]: self.make(dict(row)) for row in rows}

    async def count(
        self, connection: Connection, wanted: BillingFilter, *, most: int | None = None
    ) -> int:
        """How many rows there are, counted up to `most`."""
        where = Conditions(most)
        await self.add_conditions(connection, wanted, where)
        rows = await text_search.fetch_planned(
            connection,
            f"select count(*) from (select from {self.table} t where {where.text} limit $1) found",
            *where.values,
        )
        return int(rows[0]["count"])

    def place_of(self, row: Row, order: ListOrder | None) -> ListPlace:
        """The row's place in a list of this order."""
        return ListPlace(getattr(row, order.column), row.id) if order else row.place

    async def everything(
        self, pool: Pool, wanted: BillingFilter, *, order: ListOrder | None = None
    ) -> AsyncIterator[list[Row]]:
        """The whole filtered list in chunks. Holds no connection between two."""
        after = None
        while True:
            async with pool.acquire() as connection:
                rows = await self.page(connection, wanted, after=after, limit=CHUNK, order=order)
            if not rows:
                return
            yield rows
            after = self.place_of(rows[-1], order)


def add_common(
    where: Conditions,
    wanted: BillingFilter,
    *,
    moment: str = "created_at",
    customer: str = "customer_id",
) -> None:
    """Add what every list filters by. `moment` and `customer` are the list's own columns."""
    where.given("t.id = any({}::text[])", wanted.ids)
    where.given("t.livemode = {}", wanted.livemode)
    where.given(f"t.{moment} >= {{}}", wanted.since)
    where.given(f"t.{moment} < {{}}", wanted.until)
    where.given("t.user_id = {}", wanted.user_id)
    where.given(f"t.{customer} = {{}}", wanted.customer_id)


async def add_search(
    connection: Connection,
    where: Conditions,
    search: str | None,
    *,
    by_id: str,
    customer: str = "customer_id",
    own_key: str = "",
) -> None:
    """Narrow down the rows `t` of a list to those that a search finds.

    `by_id` is a query for the ids of rows that belong to the Stripe object `$1`; `customer` is the
    column with the customer's id; `own_key` one with the key of an address, if there is one.
    """
    if not search:
        return
    rows = await connection.fetch(f"select id from ({by_id}) found limit {MOST_FOUND}", search)
    if rows:
        where.add("t.id = any({}::text[])", [row["id"] for row in rows])
        return
    text = text_search.text_of(search)
    own = f" or t.{own_key} = {{}}" if own_key else ""
    keys = (email_key(search),) if own_key else ()
    found = await _of_address(connection, text) if "@" in text else None
    old_ones = not where.newest_first
    if found is None and await text_search.finds_many(connection, text, old_ones=old_ones):
        user_matches = text_search.text_matches("u", "{0}")
        customer_matches = text_search.text_matches("c", "{0}", customers=True)
        where.add(
            f"((select u.id from users u where u.id = t.user_id and {user_matches}) is not null"
            f" or (select c.id from customers c where c.id = t.{customer} and {customer_matches})"
            f" is not null{own.replace('{}', '{1}')})",
            text,
            *keys,
        )
        return
    found = found or await _people(connection, text)
    if found is None:
        user_matches = text_search.matches("u", "{0}", text)
        customer_matches = text_search.matches("c", "{0}", text, customers=True)
        where.add(
            f"(t.user_id in (select u.id from users u where {user_matches})"
            f" or t.{customer} in (select c.id from customers c where {customer_matches})"
            f"{own.replace('{}', '{1}')})",
            text,
            *keys,
        )
        return
    users, customers = found
    where.add(
        f"(t.user_id = any({{}}::bigint[]) or t.{customer} = any({{}}::text[]){own})",
        users,
        customers,
        *keys,
    )


async def _people(connection: Connection, text: str) -> tuple[Sequence[int], Sequence[str]] | None:
    """The users and customers whose address or name has this text, None if they are many."""
    users = await text_search.fetch_planned(
        connection,
        f"""
        select u.id from users u where {text_search.matches("u", "$1", text)} limit {MOST_FOUND + 1}
        """,
        text,
    )
    customers = await text_search.fetch_planned(
        connection,
        f"""
        select c.id from customers c
         where {text_search.matches("c", "$1", text, customers=True)} limit {MOST_FOUND + 1}
        """,
        text,
    )
    if max(len(users), len(customers)) > MOST_FOUND:
        return None
    return [row["id"] for row in users], [row["id"] for row in customers]


async def _of_address(
    connection: Connection, key: str
) -> tuple[Sequence[int], Sequence[str]] | None:
    """The users and customers with this address, a user's further ones among them; None if there
    are none."""
    row = await connection.fetchrow(
        """
        select array(select id from users where email_key = $1
                     union select user_id from user_addresses where email_key = $1) as users,
               array(select id from customers where email_key = $1) as customers
        """,
        key,
    )
    assert row is not None, "a query without a table has one row"
    return (row["users"], row["customers"]) if row["users"] or row["customers"] else None


USERS_OF = """
select user_id from customers where id = $1 and user_id is not null
union select user_id from subscriptions where id = $1 and user_id is not null
union select user_id from subscriptions where checkout_session = $1 and user_id is not null
union select s.user_id from bills b join subscriptions s on s.id = b.subscription_id
       where b.id = $1 and s.user_id is not null
union select user_id from orders where id = $1 and user_id is not null
union select user_id from orders where payment_intent = $1 and user_id is not null
union select user_id from orders where invoice = $1 and user_id is not null
"""
"""A query for the users to whom the customer, subscription or purchase with the Stripe id `$1`
belongs; also by the session, payment intent or invoice of one."""


async def users_of(connection: Connection, stripe_id: str) -> list[int]:
    """The users that `USERS_OF` finds."""
    return [row["user_id"] for row in await connection.fetch(USERS_OF, stripe_id)]


async def stripe_products(connection: Connection, product_id: str) -> list[str]:
    """The Stripe products that count for a product of the site."""
    rows = await connection.fetch(
        "select distinct stripe_product from counting_links where product_id = $1"
        " and stripe_product is not null",
        product_id,
    )
    return [row["stripe_product"] for row in rows]


@dataclass(frozen=True)
class SoldPrice:
    """A price of a linked Stripe product. `unit_amount` is in the currency's minor unit, None if it
    varies."""

    id: str
    product_name: str
    nickname: str | None
    unit_amount: int | None
    currency: str
    interval: str | None
    interval_count: int | None


async def sold_prices(connection: Connection, *, limit: int = 500) -> list[SoldPrice]:
    """The prices of all linked Stripe products, archived ones too, for choosing one."""
    rows = await connection.fetch(
        """
        select r.id, p.name as product_name, r.nickname, r.unit_amount, r.currency, r.interval,
               r.interval_count
          from prices r join stripe_products p on p.id = r.stripe_product
         where r.stripe_product in (select stripe_product from counting_links)
         order by lower(p.name), p.id, r.active desc, r.unit_amount, r.id limit $1
        """,
        limit,
    )
    return [SoldPrice(**dict(row)) for row in rows]
