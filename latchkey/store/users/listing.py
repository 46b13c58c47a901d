"""The admin's user list: search, filters and export."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchkey.store.access.standings import StandingGroup, users_in
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import billing_lists

CHUNK = 2000
SEEN = ("never", "month", "longer")
_SEEN = {
    "never": "u.last_seen_at is null",
    "month": "u.last_seen_at >= now() - interval '30 days'",
    "longer": "u.last_seen_at < now() - interval '30 days'",
}
_SEEN_AT = "coalesce({}.last_seen_at, '1970-01-01 00:00+00'::timestamptz)"
ORDERS = {
    "": ("id", "desc"),
    "oldest": ("id", "asc"),
    "email": ("email_key", "asc"),
    "email-desc": ("email_key", "desc"),
    "seen": ("seen", "desc"),
    "unseen": ("seen", "asc"),
}
"""By what the list is sorted and in which direction: by when users were added, by address, or by
when they were last seen; those who never were come before all others."""

_MEMBER = """
u.id in (select g.user_id from live_grants g where g.product_id = {})
"""


@dataclass(frozen=True)
class UserPlace:
    """A user's place in an order: by what it sorts, and the id. What changes about the user later
    doesn't change it."""

    key: int | str | datetime
    id: int


@dataclass(frozen=True)
class ListedUser:
    """`products` are the names of products they have a live grant for, `labels` what the team calls
    them. `place` is the one in the order in which they were read."""

    id: int
    email: str
    name: str | None
    role: str
    created_at: datetime
    last_seen_at: datetime | None
    erased_at: datetime | None
    products: list[str]
    labels: list[str]
    place: UserPlace = field(compare=False)


@dataclass(frozen=True)
class UserFilter:
    """`search` is part of the address or name, or a whole Stripe id; `seen` is one of `SEEN`
    (never, within a month, longer ago); `product` is the id of a product they have a live grant
    for; `group` is one that the dashboard counts; `label` is one that they have; `ids` are those
    of the users."""

    search: str | None = None
    product: str | None = None
    role: str | None = None
    seen: str | None = None
    group: StandingGroup | None = None
    label: str | None = None
    ids: tuple[int, ...] | None = None


async def listed(
    connection: Connection,
    wanted: UserFilter,
    *,
    after: UserPlace | None = None,
    limit: int,
    order: str = "",
) -> list[ListedUser]:
    """Users in one of the `ORDERS`, starting after a place in it."""
    given: list[object] = [limit]
    key, way = _sorted_by(order)
    bought = await billing_lists.users_of(connection, wanted.search) if wanted.search else []
    rows = await text_search.fetch_planned(
        connection,
        f"""
        with page as (
            select u.*, row_number() over () as nth
              from (select u.*, {key} as key from users u
                     where {_conditions(wanted, given, bought)} and {_after(after, key, way, given)}
                     order by {key} {way}, u.id {way} limit $1) u)
        select p.id, p.key, p.email, p.name, p.role, p.created_at, p.last_seen_at, p.erased_at,
               array(select distinct o.name from live_grants g
                        join products o on o.id = g.product_id
                      where g.user_id = p.id
                      order by o.name) as products,
               array(select l.label from user_labels l where l.user_id = p.id
                      order by lower(l.label), l.label) as labels
          from page p order by p.nth
        """,
        *given,
    )
    return [_listed(dict(row)) for row in rows]


def _listed(fields: dict[str, Any]) -> ListedUser:
    return ListedUser(place=UserPlace(fields.pop("key"), fields["id"]), **fields)


async def ids(connection: Connection, wanted: UserFilter) -> tuple[str, list[object]]:
    """A query for the ids of all users whom a filter finds, with its values."""
    given: list[object] = []
    bought = await billing_lists.users_of(connection, wanted.search) if wanted.search else []
    many = bool(wanted.search) and await text_search.finds_many(
        connection, text_search.text_of(wanted.search or "")
    )
    return f"select u.id from users u where {_conditions(wanted, given, bought, many)}", given


async def find_place(connection: Connection, user_id: int, order: str) -> UserPlace | None:
    """A user's place in an order at this moment. None if there is no such user."""
    key, _ = _sorted_by(order)
    row = await connection.fetchrow(f"select {key} as key from users u where u.id = $1", user_id)
    return UserPlace(row["key"], user_id) if row else None


def _sorted_by(order: str) -> tuple[str, str]:
    """By what of the users `u` an order sorts, and its direction."""
    by, way = ORDERS[order]
    return _SEEN_AT.format("u") if by == "seen" else f"u.{by}", way


def _after(place: UserPlace | None, key: str, way: str, given: list[object]) -> str:
    """The condition for what follows a place; its values are added to `given`."""
    if place is None:
        return "true"
    given += [place.key, place.id]
    beyond = ">" if way == "asc" else "<"
    return f"({key}, u.id) {beyond} (${len(given) - 1}, ${len(given)})"


def _conditions(
    wanted: UserFilter, given: list[object], bought: list[int], many: bool = False
) -> str:
    """The conditions of a filter; their values are added to `given`. `bought` are the users whom a
    search for a Stripe id finds. If a search finds `many`, it looks at all users, which costs less
    than to use the index for each."""
    texts = [_SEEN[wanted.seen]] if wanted.seen else []
    if wanted.group:
        texts.append(f"u.id in ({users_in(wanted.group)})")

    def add(value: object, text: str) -> None:
        if value is not None:
            given.append(value)
            texts.append(text.format(f"${len(given)}"))

    add(wanted.ids, "u.id = any({}::bigint[])")
    add(wanted.role, "u.role = {}")
    add(wanted.product, _MEMBER)
    add(wanted.label, "u.id in (select user_id from user_labels where label = {})")
    if bought:
        add(bought, "u.id = any({}::bigint[])")
    elif wanted.search:
        search = text_search.text_of(wanted.search)
        given.append(search)
        place = f"${len(given)}"
        text_matches = text_search.text_matches("u", place)
        texts.append(text_matches if many else text_search.matches("u", place, search))
    return " and ".join(texts) or "true"


async def everybody(
    pool: Pool, wanted: UserFilter, *, order: str = ""
) -> AsyncIterator[list[ListedUser]]:
    """All users matching a filter in chunks, in one of the `ORDERS`. Holds no connection between
    two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await listed(connection, wanted, after=after, limit=CHUNK, order=order)
        if not rows:
            return
        yield rows
        after = rows[-1].place
