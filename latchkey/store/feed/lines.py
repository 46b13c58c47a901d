"""Reading the activity feed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.feed import lanes
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.pool import Connection, Pool

CHUNK = 2000


@dataclass(frozen=True)
class FeedLine:
    """One fact: when, who, which product, its cause, and references to details.

    `at` is when it happened here, `due_at` when it happened in Stripe or was due. `imported` is how
    many people a link's import has given access so far; `given` and `taken` count the access that a
    change of the access policy has brought about and ended so far, until `applied_at`.
    """

    id: int
    type: str
    at: datetime
    cause: str
    user_id: int | None
    email: str | None
    user_name: str | None
    product_id: str | None
    product_name: str | None
    source_id: str | None
    event_id: str | None
    workflow_id: str | None
    actor_id: int | None
    actor: str | None
    recorded_at: datetime
    due_at: datetime | None
    data: dict[str, Any]
    imported: int | None
    given: int | None
    taken: int | None
    applied_at: datetime | None


_COLUMNS = """
a.id, a.type, a.at, a.cause, a.user_id, u.email, u.name as user_name, a.product_id,
p.name as product_name, a.source_id, a.event_id, a.workflow_id, a.actor_id, b.email as actor,
a.recorded_at, a.due_at, a.data, (k.progress ->> 'granted')::int as imported,
y.granted as given, y.ended as taken, y.finished_at as applied_at
"""
_JOINS = """
left join users u on u.id = a.user_id
left join products p on p.id = a.product_id
left join users b on b.id = a.actor_id
left join links k
       on k.id = case a.type when 'link_created' then split_part(a.fact, ':', 2)::bigint end
left join policy_changes y
       on y.id = case a.type when 'policy_changed' then split_part(a.fact, ':', 2)::bigint end
"""


async def lines(
    connection: Connection,
    *,
    types: list[str] | None = None,
    user_id: int | None = None,
    product_id: str | None = None,
    cause: str | None = None,
    since: datetime | None = None,
    source_id: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[FeedLine]:
    """Lines of the feed, the latest first, from the one after id `after`."""
    wanted = FeedFilter(
        types=tuple(types or ()),
        user_id=user_id,
        product_id=product_id,
        cause=cause,
        since=since,
        source_id=source_id,
    )
    return await filtered(connection, wanted, after=after, limit=limit)


async def filtered(
    connection: Connection, wanted: FeedFilter, *, after: int | None = None, limit: int = 50
) -> list[FeedLine]:
    """Lines of the feed, the latest first, from the one after id `after`."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS}
          from unnest($1::bigint[]) as found (id) join activities a on a.id = found.id {_JOINS}
         order by a.at desc, a.id desc
        """,
        await lanes.found(connection, wanted, after=after, limit=limit),
    )
    return [FeedLine(**dict(row)) for row in rows]


async def all_lines(pool: Pool, wanted: FeedFilter) -> AsyncIterator[list[FeedLine]]:
    """The whole filtered feed in chunks, newest first. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await filtered(connection, wanted, after=after, limit=CHUNK)
        if not rows:
            return
        yield rows
        after = rows[-1].id


async def line(connection: Connection, line_id: int) -> FeedLine | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from activities a {_JOINS} where a.id = $1", line_id
    )
    return FeedLine(**dict(row)) if row else None


async def related(connection: Connection, of: FeedLine) -> dict[str, Any]:
    """The event behind a line, and the emails that its user got about its product at the time."""
    event = await connection.fetchrow(
        """
        select id, type, state, created_at, received_at, object_id from events where id = $1
        """,
        of.event_id,
    )
    mails = await connection.fetch(
        """
        select id, kind, state, created_at from mails
         where user_id = $1 and (product_id = $2 or product_id is null)
           and created_at between $3::timestamptz - interval '1 minute'
                              and $3::timestamptz + interval '10 minutes'
         order by id limit 10
        """,
        of.user_id,
        of.product_id,
        of.recorded_at,
    )
    return {"event": dict(event) if event else None, "mails": [dict(mail) for mail in mails]}
