"""What the connections of the pool have in common."""

from collections.abc import Collection
from typing import Any

import asyncpg
import pytest

from latchkey.store import pool as pools
from latchkey.store.pool import create_pool

pytestmark = pytest.mark.anyio

READ = "select $1::text[] as words, $2::timestamptz[] as times, $3::jsonb[] as things"
GIVEN: tuple[list[Any], ...] = (["a", None], [], [{"b": 1}])


async def test_postgres_is_asked_about_its_types_once(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types that a database adds are asked about by each connection: another one may have given
    their number to another type."""
    asked: list[int] = []
    ask: Any = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def noted(self: Any, typeoids: Collection[int], timeout: float | None) -> Any:
        asked.extend(typeoids)
        return await ask(self, typeoids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", noted)
    monkeypatch.setattr(pools, "_types", {})
    pool = await create_pool(dsn, max_size=2)
    try:
        async with pool.acquire() as first, pool.acquire() as second:
            await first.execute("create type mood as enum ('calm', 'busy')")
            row = await first.fetchrow(READ, *GIVEN)
            assert (row and tuple(row)) == GIVEN
            before = list(asked)
            assert before
            row = await second.fetchrow(READ, *GIVEN)
            assert (row and tuple(row)) == GIVEN
            assert asked == before, "nothing is asked again"
            for connection in (first, second):
                both = await connection.fetchrow("select $1::mood[], $2::date[]", ["busy"], [])
                assert (both and tuple(both)) == (["busy"], [])
            added = [oid >= pools._FIRST_ADDED_TYPE for oid in asked[len(before) :]]
            assert sorted(added) == [False, True, True], "dates once, moods by both"
    finally:
        await pool.close()


@pytest.mark.parametrize("options", ["", "&statement_cache_size=0"])
async def test_what_is_known_serves_connections_with_and_without_statements(
    dsn: str, options: str
) -> None:
    for _ in range(2):
        pool = await create_pool(dsn + options)
        try:
            for _ in range(2):
                row = await pool.fetchrow(READ, *GIVEN)
                assert (row and tuple(row)) == GIVEN
        finally:
            await pool.close()
