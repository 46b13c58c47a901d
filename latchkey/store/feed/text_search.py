"""Finding users by a part of their address or name, at the same cost however many there are."""

from typing import Any

import asyncpg

from latchkey.store.pool import Connection

_TEXT = "{0}.email_key || ' ' || lower(coalesce({0}.name, ''))"
_GRAMS = f"(grams({_TEXT}, 2) || grams({_TEXT}, 3))"
"""As the index `users_by_grams` has it."""

_NEWEST, _MANY = 2000, 200


def matches(table: str, parameter: str, search: str) -> str:
    """The condition that a row of users, called `table` in the query, holds what was searched,
    which is the query's `parameter`. It is served by the index of pairs and triples of characters.

    A single character is in no index: so many people have it that the newest are soon found.
    """
    exact = text_matches(table, parameter)
    size = min(len(search), 3)
    if size < 2:
        return exact
    return f"{_GRAMS.format(table)} @> grams(lower({parameter}::text), {size}) and {exact}"


def text_matches(table: str, parameter: str) -> str:
    """The same condition where the rows are known already."""
    return f"position(lower({parameter}::text) in {_TEXT.format(table)}) > 0"


async def finds_many(connection: Connection, search: str) -> bool:
    """Whether every tenth of the newest users has what was searched."""
    count: int = await connection.fetchval(
        f"""
        select count(*) from (select * from users order by id desc limit {_NEWEST}) u
         where {text_matches("u", "$1")}
        """,
        search,
    )
    return count >= _MANY


async def fetch_planned(connection: Connection, query: str, *values: Any) -> list[asyncpg.Record]:
    """The rows of a query that is planned for these very values: how many rows a search finds
    decides which way is short, and a plan kept for all searches can't know it."""
    statement = await connection.prepare(query)
    rows: list[asyncpg.Record] = await statement.fetch(*values)
    return rows
