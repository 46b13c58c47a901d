"""The grants of a product or a user, with the state of their sources in Stripe."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.store.feed import text_search
from latchkey.store.pool import Connection
from latchkey.store.purchases.subscription_list import CANCELLED_BY


@dataclass(frozen=True)
class Membership:
    """One grant with the subscription or order behind it, or the name of the product that it was
    opened by. Times are aware and in UTC."""

    id: int
    user_id: int
    email: str
    name: str | None
    product_id: str
    product_name: str
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    end_reason: str | None
    cause: str
    reason: str | None
    granted_by: str | None
    status: str | None
    scheduled_end: datetime | None
    cancelled_by: str | None
    period_end: datetime | None
    trial_end: datetime | None
    order_state: str | None
    held: bool
    opened_by: str | None


_SELECT = """
select g.id, g.user_id, u.email, u.name, g.product_id, p.name as product_name, g.source,
       g.source_id, g.since, g.until, g.ended_at, g.due_at, g.end_reason, g.cause, g.reason,
       b.email as granted_by, s.status, s.scheduled_end, s.period_end, s.trial_end,
       o.state as order_state, g.held, w.name as opened_by,
       {cancelled_by} as cancelled_by
  from {grants} g
  join users u on u.id = g.user_id
  join products p on p.id = g.product_id
  left join users b on b.id = g.granted_by
  left join subscriptions s on g.source = 'subscription' and s.id = g.source_id
  left join orders o on g.source = 'order' and o.id = g.source_id
  left join products w on g.source = 'product' and w.id = substring(g.source_id from '^(.*)/')
"""
_LIVE = _SELECT.format(grants="live_grants", cancelled_by=CANCELLED_BY)
_ALL = _SELECT.format(grants="grants", cancelled_by=CANCELLED_BY)


async def of_product(
    connection: Connection,
    product_id: str,
    *,
    after: int | None = None,
    limit: int,
    search: str | None = None,
    ending: bool = False,
) -> list[Membership]:
    """A product's live grants, newest first, starting after id `after`.

    `search` matches part of the address or name; `ending` keeps those with a known end.
    """
    rest = "and g.until is not null" if ending else ""
    if search:
        search = text_search.text_of(search)
        rest += f" and {text_search.matches('u', '$4', search)}"
    rows = await text_search.fetch_planned(
        connection,
        f"""
        {_LIVE} where g.product_id = $1 and ($2::bigint is null or g.id < $2) {rest}
         order by g.id desc limit $3
        """,
        product_id,
        after,
        limit,
        *([search] if search else []),
    )
    return [Membership(**dict(row)) for row in rows]


async def of_user(connection: Connection, user_id: int, *, limit: int = 200) -> list[Membership]:
    """A user's grants, live ones first, then newest first."""
    rows = await connection.fetch(
        f"""
        {_ALL} where g.user_id = $1
         order by g.id in (select id from live_grants where user_id = $1) desc, g.id desc limit $2
        """,
        user_id,
        limit,
    )
    return [Membership(**dict(row)) for row in rows]


async def find(connection: Connection, grant_id: int) -> Membership | None:
    row = await connection.fetchrow(f"{_ALL} where g.id = $1", grant_id)
    return Membership(**dict(row)) if row else None
