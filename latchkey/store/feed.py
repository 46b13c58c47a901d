"""Reading the activity feed."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.pool import Connection

CHUNK = 2000
MOST_FOUND = 100
_STRIPE_ID = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Line:
    """One fact: when, who, which product, what caused it, and where to look further."""

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
    data: dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """What a list of lines is narrowed to; None and empty mean everything.

    `search` is a part of an address or name, or an id of Stripe's: a subscription, customer,
    session, invoice, payment intent or event.
    """

    types: tuple[str, ...] = ()
    user_id: int | None = None
    product_id: str | None = None
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    source_id: str | None = None
    search: str | None = None


_COLUMNS = """
a.id, a.type, a.at, a.cause, a.user_id, u.email, u.name as user_name, a.product_id,
p.name as product_name, a.source_id, a.event_id, a.workflow_id, a.actor_id, b.email as actor,
a.recorded_at, a.data
"""
_JOINS = """
left join users u on u.id = a.user_id
left join products p on p.id = a.product_id
left join users b on b.id = a.actor_id
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
) -> list[Line]:
    """Lines of the feed, the newest recorded first, from the one after id `after`."""
    wanted = Filter(
        types=tuple(types or ()),
        user_id=user_id,
        product_id=product_id,
        cause=cause,
        since=since,
        source_id=source_id,
    )
    return await filtered(connection, wanted, after=after, limit=limit)


async def filtered(
    connection: Connection, wanted: Filter, *, after: int | None = None, limit: int = 50
) -> list[Line]:
    """Lines of the feed, the newest recorded first, from the one after id `after`.

    Each lane (a type, a user, an object that was searched) is read from its own index and only
    as far as `limit`, so that a page costs the same however long the feed is.
    """
    lanes = await _lanes(connection, wanted)
    given: list[object] = [limit]
    rest = _conditions(wanted, after, given, searched=wanted.search is not None)
    parts = []
    for column, value in lanes:
        given.append(value)
        parts.append(
            f"(select a.id from activities a where a.{column} = ${len(given)} and {rest}"
            " order by a.id desc limit $1)"
        )
    if not lanes:
        if wanted.search:
            return []
        parts.append(f"(select a.id from activities a where {rest} order by a.id desc limit $1)")
    rows = await connection.fetch(
        f"""
        select {_COLUMNS}
          from (select distinct id from ({" union all ".join(parts)}) lane
                 order by id desc limit $1) found
          join activities a on a.id = found.id
          {_JOINS}
         order by a.id desc
        """,
        *given,
    )
    return [Line(**dict(row)) for row in rows]


async def all_lines(connection: Connection, wanted: Filter) -> AsyncIterator[list[Line]]:
    """The whole filtered feed in chunks, newest first: each chunk is a query of its own."""
    after = None
    while rows := await filtered(connection, wanted, after=after, limit=CHUNK):
        yield rows
        after = rows[-1].id


async def line(connection: Connection, line_id: int) -> Line | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from activities a {_JOINS} where a.id = $1", line_id
    )
    return Line(**dict(row)) if row else None


async def related(connection: Connection, of: Line) -> dict[str, Any]:
    """The event behind a line, and the mails that its user got about its product then."""
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


def _conditions(wanted: Filter, after: int | None, given: list[object], *, searched: bool) -> str:
    """The conditions that hold in every lane; their values are added to `given`."""
    values: dict[str, object] = {
        "a.type = any({}::text[])": list(wanted.types) if wanted.types and searched else None,
        "a.user_id = {}": wanted.user_id,
        "a.product_id = {}": wanted.product_id,
        "a.cause = {}": wanted.cause,
        "a.at >= {}": wanted.since,
        "a.at < {}": wanted.until,
        "a.source_id = {}": wanted.source_id,
        "a.id < {}": after,
    }
    texts = []
    for text, value in values.items():
        if value is not None:
            given.append(value)
            texts.append(text.format(f"${len(given)}"))
    return " and ".join(texts) or "true"


async def _lanes(connection: Connection, wanted: Filter) -> list[tuple[str, object]]:
    if wanted.search:
        return await _searched(connection, wanted.search)
    return [("type", kind) for kind in dict.fromkeys(wanted.types)]


async def _searched(connection: Connection, search: str) -> list[tuple[str, object]]:
    """Where the lines of a search are: users by address or name, objects by Stripe's ids."""
    if not _STRIPE_ID.fullmatch(search):
        rows = await connection.fetch(
            """
            select id from users
             where position(lower($1) in email_key || ' ' || lower(coalesce(name, ''))) > 0
             order by id desc limit $2
            """,
            search,
            MOST_FOUND,
        )
        return [("user_id", row["id"]) for row in rows]
    rows = await connection.fetch(
        """
        select 'user_id' as lane, user_id::text as value from customers
         where id = $1 and user_id is not null
        union all select 'source_id', id from orders where payment_intent = $1 or invoice = $1
        union all select 'source_id', target_id from events where id = $1
        """,
        search,
    )
    found: list[tuple[str, object]] = [("source_id", search), ("event_id", search)]
    for row in rows:
        found.append((row["lane"], int(row["value"]) if row["lane"] == "user_id" else row["value"]))
    return list(dict.fromkeys(found))
