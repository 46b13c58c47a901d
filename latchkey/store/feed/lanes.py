"""Finds the lines of a filtered feed in lanes. Each lane is read from its own index and only as far
as a page reaches, so a page costs the same however long the feed is.

A lane is the prefix of an index of `activities` (a user; a product with a type and a cause; …), and
every such index continues in the feed's order. A filter that doesn't match a lane is split into
several: a type into one per cause, a search into one per matching user.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import Cause
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection

MOST_LANES = 1000
"""A search that matches more users than this scans the feed instead, where it soon finds enough."""

NARROWEST, WIDEST = 200, 4000
"""How many lines such a scan reads per step: more in each step while it finds too few."""

_FOLDED = (Cause.IMPORT, Cause.BULK)
"""The causes of lines that another line sums up: that of a link, or of a bulk change. A change of
the access policy sums up its own as well, but isn't a line of each product."""

_STRIPE_ID = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]+")


@dataclass(frozen=True)
class FeedFilter:
    """The filter of a list of lines; None and empty mean everything.

    `search` is part of an address or name, or a Stripe id: a subscription, customer, session,
    invoice, payment intent or event, or the id of a bulk change. `folded` leaves out what imports,
    bulk changes and changes of the access policy brought, which one line sums up, unless `cause`
    asks for it.
    """

    types: tuple[str, ...] = ()
    user_id: int | None = None
    product_id: str | None = None
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    source_id: str | None = None
    search: str | None = None
    folded: bool = False

    @property
    def left_out(self) -> tuple[Cause, ...]:
        """The causes of lines that are left out."""
        if not self.folded or self.cause is not None:
            return ()
        return _FOLDED if self.product_id else (*_FOLDED, Cause.POLICY)


async def found(
    connection: Connection, wanted: FeedFilter, *, after: int | None, limit: int
) -> list[int]:
    """Ids of the first `limit` lines after the line `after`, latest first."""
    place = None
    if after is not None:
        place = await connection.fetchrow("select at, id from activities where id = $1", after)
        if place is None:
            return []
    if wanted.search is None:
        return await _unsearched(connection, wanted, place, limit)
    if _STRIPE_ID.fullmatch(wanted.search):
        lanes = await _objects(connection, wanted.search)
        return await _in_lanes(connection, wanted, lanes, place, limit)
    wanted = replace(wanted, search=text_search.text_of(wanted.search))
    assert wanted.search is not None, "it has just been set"
    if not await text_search.finds_many(connection, wanted.search):
        users = await _users(connection, wanted.search)
        if len(users) <= MOST_LANES:
            return await _in_lanes(connection, wanted, {"user_id": users}, place, limit)
    return await _walked(connection, wanted, place, limit)


async def _unsearched(
    connection: Connection, wanted: FeedFilter, place: Any, limit: int
) -> list[int]:
    left_out = wanted.left_out
    of_one = wanted.user_id is not None or wanted.source_id is not None
    if of_one or not (wanted.types or left_out):
        given: list[object] = [limit]
        return await _ids(
            connection,
            f"""
            select a.id from activities a where {_conditions(wanted, place, given)}
             order by a.at desc, a.id desc limit $1
            """,
            given,
        )
    causes = [wanted.cause] if wanted.cause else await _causes(connection)
    given = [limit, [cause for cause in causes if cause not in left_out]]
    lanes, lane = "unnest($2::text[]) as c (cause)", "a.cause = c.cause"
    if wanted.types:
        given.append(list(dict.fromkeys(wanted.types)))
        lanes += " cross join unnest($3::text[]) as t (type)"
        lane += " and a.type = t.type"
    rest = _conditions(replace(wanted, types=(), cause=None, folded=False), place, given)
    return await _ids(
        connection,
        f"""
        select l.id
          from {lanes}
         cross join lateral (
               select a.id, a.at from activities a where {lane} and {rest}
                order by a.at desc, a.id desc limit $1) l
         order by l.at desc, l.id desc limit $1
        """,
        given,
    )


async def _causes(connection: Connection) -> list[str]:
    """The causes that occur, found by skipping through their index from one cause to the next."""
    rows = await connection.fetch(
        """
        with recursive known as (
            (select cause from activities order by cause limit 1)
            union all
            select (select a.cause from activities a where a.cause > k.cause
                     order by a.cause limit 1)
              from known k where k.cause is not null)
        select cause from known where cause is not null
        """
    )
    return [row["cause"] for row in rows]


async def _in_lanes(
    connection: Connection,
    wanted: FeedFilter,
    lanes: dict[str, Sequence[Any]],
    place: Any,
    limit: int,
) -> list[int]:
    """Lines of any of these lanes, given as values by column."""
    given: list[object] = [limit]
    rest = _conditions(wanted, place, given)
    parts = []
    for column, values in lanes.items():
        given.append(list(values))
        kind = "bigint[]" if column == "user_id" else "text[]"
        parts.append(
            f"""
            select l.id, l.at from unnest(${len(given)}::{kind}) as lane (value)
             cross join lateral (
                   select a.id, a.at from activities a where a.{column} = lane.value and {rest}
                    order by a.at desc, a.id desc limit $1) l
            """
        )
    return await _ids(
        connection,
        f"""
        select id from (select distinct id, at from ({" union all ".join(parts)}) every_lane) found
         order by at desc, id desc limit $1
        """,
        given,
    )


async def _walked(connection: Connection, wanted: FeedFilter, place: Any, limit: int) -> list[int]:
    """Scan the feed for a search that matches very many users."""
    found: list[int] = []
    rest = replace(wanted, search=None)
    step = max(limit, NARROWEST)
    while len(found) < limit:
        window = await _unsearched(connection, rest, place, step)
        if not window:
            break
        step = min(step * 2, max(limit, WIDEST))
        rows = await connection.fetch(
            f"""
            select a.id from unnest($2::bigint[]) with ordinality as w (id, nth)
              join activities a on a.id = w.id join users u on u.id = a.user_id
             where {text_search.text_matches("u", "$1")} order by w.nth
            """,
            wanted.search,
            window,
        )
        found += [row["id"] for row in rows]
        place = await connection.fetchrow("select at, id from activities where id = $1", window[-1])
    return found[:limit]


def _conditions(wanted: FeedFilter, place: Any, given: list[object]) -> str:
    """The conditions common to all lanes; their values are added to `given`."""
    values: list[tuple[str, list[object | None]]] = [
        ("a.type = any({}::text[])", [list(wanted.types) or None]),
        ("a.user_id = {}", [wanted.user_id]),
        ("a.product_id = {}", [wanted.product_id]),
        ("a.cause = {}", [wanted.cause]),
        (
            "a.cause <> all({}::text[])",
            [list(wanted.left_out) or None],
        ),
        ("a.at >= {}", [wanted.since]),
        ("a.at < {}", [wanted.until]),
        ("a.source_id = {}", [wanted.source_id]),
        ("(a.at, a.id) < ({}, {})", [place["at"], place["id"]] if place else [None]),
    ]
    texts = []
    for text, filled in values:
        if filled[0] is not None:
            names = [f"${len(given) + n}" for n in range(1, len(filled) + 1)]
            given.extend(filled)
            texts.append(text.format(*names))
    return " and ".join(texts) or "true"


async def _users(connection: Connection, search: str) -> list[int]:
    rows = await text_search.fetch_planned(
        connection,
        f"select u.id from users u where {text_search.matches('u', '$1', search)} limit $2",
        search,
        MOST_LANES + 1,
    )
    return [row["id"] for row in rows]


async def _objects(connection: Connection, search: str) -> dict[str, Sequence[Any]]:
    """The lanes of a Stripe object: its own, and those of the purchase it belongs to."""
    rows = await connection.fetch(
        """
        select id as source, null::bigint as person from orders
         where payment_intent = $1 or invoice = $1
        union all select target_id, null from events where id = $1
        union all select null, user_id from customers where id = $1 and user_id is not null
        """,
        search,
    )
    sources = [search, *(row["source"] for row in rows if row["source"])]
    ended = await connection.fetch(
        "select 'access_ended:' || id as fact from grants"
        " where source_id = any($1::text[]) and end_reason = 'link_removed'",
        sources,
    )
    return {
        "source_id": sources,
        "fact": [row["fact"] for row in ended],
        "event_id": [search],
        "user_id": [row["person"] for row in rows if row["person"]],
    }


async def _ids(connection: Connection, query: str, given: Sequence[object]) -> list[int]:
    return [row["id"] for row in await connection.fetch(query, *given)]
