"""The admin's user list: search, filters and export."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

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
_MEMBER = """
u.id in (select g.user_id from live_grants g where g.product_id = {})
"""


@dataclass(frozen=True)
class ListedUser:
    """`products` are the names of products they have a live grant for."""

    id: int
    email: str
    name: str | None
    role: str
    created_at: datetime
    last_seen_at: datetime | None
    erased_at: datetime | None
    products: list[str]


@dataclass(frozen=True)
class UserFilter:
    """`search` is part of the address or name, or a whole Stripe id; `seen` is one of `SEEN`
    (never, within a month, longer ago); `product` is the id of a product they have a live grant
    for; `group` is one that the dashboard counts."""

    search: str | None = None
    product: str | None = None
    role: str | None = None
    seen: str | None = None
    group: StandingGroup | None = None


async def listed(
    connection: Connection, wanted: UserFilter, *, after: int | None = None, limit: int
) -> list[ListedUser]:
    """Users, newest first, starting after id `after`."""
    given: list[object] = [limit]
    bought = await billing_lists.users_of(connection, wanted.search) if wanted.search else []
    rows = await text_search.fetch_planned(
        connection,
        f"""
        with page as (
            select u.* from users u where {_conditions(wanted, after, given, bought)}
             order by u.id desc limit $1)
        select p.id, p.email, p.name, p.role, p.created_at, p.last_seen_at, p.erased_at,
               array(select distinct o.name from live_grants g
                        join products o on o.id = g.product_id
                      where g.user_id = p.id
                      order by o.name) as products
          from page p order by p.id desc
        """,
        *given,
    )
    return [ListedUser(**dict(row)) for row in rows]


def _conditions(
    wanted: UserFilter, after: int | None, given: list[object], bought: list[int]
) -> str:
    """The conditions of a filter; their values are added to `given`. `bought` are the users whom a
    search for a Stripe id finds."""
    texts = [_SEEN[wanted.seen]] if wanted.seen else []
    if wanted.group:
        texts.append(f"u.id in ({users_in(wanted.group)})")

    def add(value: object, text: str) -> None:
        if value is not None:
            given.append(value)
            texts.append(text.format(f"${len(given)}"))

    add(after, "u.id < {}")
    add(wanted.role, "u.role = {}")
    add(wanted.product, _MEMBER)
    if bought:
        add(bought, "u.id = any({}::bigint[])")
    elif wanted.search:
        search = text_search.text_of(wanted.search)
        given.append(search)
        texts.append(text_search.matches("u", f"${len(given)}", search))
    return " and ".join(texts) or "true"


async def everybody(pool: Pool, wanted: UserFilter) -> AsyncIterator[list[ListedUser]]:
    """All users matching a filter in chunks, newest first. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await listed(connection, wanted, after=after, limit=CHUNK)
        if not rows:
            return
        yield rows
        after = rows[-1].id
