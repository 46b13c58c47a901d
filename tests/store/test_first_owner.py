"""The owner that the settings name is made once, on a site that has none."""

import pytest

from latchkey.store.pool import Pool
from latchkey.store.users import team

pytestmark = pytest.mark.anyio

FIRST = "first@owner.example"


async def start(pool: Pool, email: str = FIRST, password_hash: str = "chosen at first") -> bool:
    async with pool.acquire() as connection, connection.transaction():
        return await team.make_first_owner(connection, email, password_hash)


async def roles(pool: Pool) -> dict[str, str]:
    return {row["email"]: row["role"] for row in await pool.fetch("select email, role from users")}


async def test_the_first_start_makes_the_owner_with_a_line_in_the_feed(pool: Pool) -> None:
    assert await start(pool)
    assert await roles(pool) == {FIRST: "owner"}
    assert await pool.fetchval("select count(*) from activities where type = 'role_changed'") == 1


async def test_an_owner_whose_role_was_taken_stays_without_it(pool: Pool) -> None:
    await start(pool)
    await pool.execute("insert into users (email, role) values ('second@owner.example', 'owner')")
    await pool.execute("update users set role = 'member' where email = $1", FIRST)
    assert not await start(pool)
    assert (await roles(pool))[FIRST] == "member"


async def test_an_owner_who_changed_address_gets_no_second_self(pool: Pool) -> None:
    await start(pool)
    await pool.execute("update users set email = 'other@owner.example', password_hash = 'changed'")
    assert not await start(pool)
    assert await roles(pool) == {"other@owner.example": "owner"}
    assert await pool.fetchval("select password_hash from users") == "changed"


async def test_settings_never_raise_a_role(pool: Pool) -> None:
    await pool.execute("insert into users (email) values ($1)", FIRST.upper())
    assert not await start(pool)
    assert await roles(pool) == {FIRST.upper(): "member"}
    assert await pool.fetchval("select password_hash from users") is None
