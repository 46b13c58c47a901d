"""Finds users and Stripe customers by part of their address or name, at a cost independent of how
many there are."""

from typing import Any

import asyncpg

from latchkey.addresses import email_key
from latchkey.store.pool import Connection

_TEXT = "{0}.email_key || ' ' || lower(coalesce({0}.name, ''))"
_CUSTOMERS_TEXT = "coalesce({0}.email_key, '') || ' ' || lower(coalesce({0}.name, ''))"
"""With `_grams`, these must match the indexes `users_by_grams` and `customers_by_grams`."""

_SAMPLE, _MANY = 2000, 200


def text_of(search: str) -> str:
    """What to search for: of an address, or a part of one with `@`, the key, which is stored."""
    return email_key(search) if "@" in search or "＠" in search else search


def matches(table: str, parameter: str, search: str, *, customers: bool = False) -> str:
    """The SQL condition that a users row, or one of `customers` (alias `table`), matches the search
    in `parameter`. It uses the index of character pairs and triples.

    Single characters aren't indexed: so many people match that the newest are found quickly.
    """
    exact = text_matches(table, parameter, customers=customers)
    size = min(len(search), 3)
    if size < 2:
        return exact
    grams = _grams(_text(table, customers))
    return f"{grams} @> grams(lower({parameter}::text), {size}) and {exact}"


def text_matches(table: str, parameter: str, *, customers: bool = False) -> str:
    """The same condition for rows that are already selected."""
    return f"position(lower({parameter}::text) in {_text(table, customers)}) > 0"


def _text(table: str, customers: bool) -> str:
    return (_CUSTOMERS_TEXT if customers else _TEXT).format(table)


def _grams(text: str) -> str:
    return f"(grams({text}, 2) || grams({text}, 3))"


async def finds_many(connection: Connection, search: str, *, old_ones: bool = False) -> bool:
    """Whether at least a tenth of the newest users match the search and, if asked for `old_ones`,
    of the oldest, too."""
    for way in ("desc", "asc") if old_ones else ("desc",):
        count: int = await connection.fetchval(
            f"""
            select count(*) from (select * from users order by id {way} limit {_SAMPLE}) u
             where {text_matches("u", "$1")}
            """,
            search,
        )
        if count < _MANY:
            return False
    return True


async def fetch_planned(connection: Connection, query: str, *values: Any) -> list[asyncpg.Record]:
    """Run a query planned for these values: the best plan depends on how many rows a search finds,
    which a cached plan can't know. Without cached plans, every query is."""
    if not getattr(connection, "prepares", True):
        return await connection.fetch(query, *values)
    statement = await connection.prepare(query)
    rows: list[asyncpg.Record] = await statement.fetch(*values)
    return rows
