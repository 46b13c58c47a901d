"""Concurrent changes of one collection (the second waits for the first), and their cost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from latchkey.store.access import collections, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.pool import Connection, Pool
from latchkey.store.users import erasure
from tests.harness import until
from tests.store.test_concurrency import blocked

pytestmark = pytest.mark.anyio

EMAIL = "b@col.example"


async def _held_by(pool: Pool, *emails: str) -> str:
    """A collection of the product `one`, for these people; there is a product `two`."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            insert into products (id, slug, name, status)
            select name, name, name, 'live' from unnest('{one,two}'::text[]) as name
            """
        )
        made = await collections.create(connection, name="All", products=["one"])
        gifts = [ComplimentaryGrant(email) for email in emails]
        await collections.give(connection, made.id, gifts, actor=None, mail=False)
    return made.id


async def _end_holding(connection: Connection, collection_id: str) -> None:
    holder = await collections.holder(connection, collection_id, EMAIL)
    assert holder is not None
    await collections.end(connection, collection_id, holder.id, actor=None)


async def _end_grant(connection: Connection, collection_id: str) -> None:
    [grant] = await grants.of_product(connection, "one")
    await grants.end(connection, grant.id, actor=None)


async def _erase(connection: Connection, collection_id: str) -> None:
    holder = await collections.holder(connection, collection_id, EMAIL)
    assert holder is not None
    await erasure.erase(connection, holder.user_id, actor=holder.user_id)


@pytest.mark.parametrize(("end", "gets"), [(_end_holding, []), (_end_grant, ["two"]), (_erase, [])])
async def test_access_ended_during_a_collection_change_stays_ended(
    pool: Pool, end: Callable[[Connection, str], Awaitable[None]], gets: list[str]
) -> None:
    collection_id = await _held_by(pool, EMAIL)
    async with pool.acquire() as mine, pool.acquire() as theirs:
        begun = mine.transaction()
        await begun.start()
        await end(mine, collection_id)

        async def change() -> None:
            async with theirs.transaction():
                products = ["one", "two"]
                await collections.set_products(theirs, collection_id, products, actor=None)

        task = asyncio.create_task(change())
        await until(lambda: blocked(pool), "the change waits for the end")
        await begun.commit()
        await task
    live = await pool.fetch("select product_id from grants where ended_at is null")
    assert [row["product_id"] for row in live] == gets


async def test_lifting_a_hold_during_a_collection_change_restores_nothing_removed(
    pool: Pool,
) -> None:
    """The product leaves the collection in the meantime: it isn't given again."""
    collection_id = await _held_by(pool, EMAIL)
    async with pool.acquire() as mine, pool.acquire() as theirs:
        [grant] = await grants.of_product(mine, "one")
        async with mine.transaction():
            await grants.end(mine, grant.id, actor=None)
        begun = mine.transaction()
        await begun.start()
        await collections.set_products(mine, collection_id, ["two"], actor=None)

        async def lift() -> None:
            async with theirs.transaction():
                await grants.lift(theirs, grant.id, actor=None)

        task = asyncio.create_task(lift())
        await until(lambda: blocked(pool), "the lift waits for the change")
        await begun.commit()
        await task
    live = await pool.fetch("select product_id from grants where ended_at is null")
    assert [row["product_id"] for row in live] == ["two"]


async def test_a_change_touches_only_what_it_changes(pool: Pool) -> None:
    """A row that an upsert leaves as it is gets locked all the same, which writes it."""
    collection_id = await _held_by(pool, EMAIL)
    rows = "select ctid::text, xmax::text from grants where product_id = 'one' order by id limit 1"
    before = await pool.fetch(rows)
    async with pool.acquire() as connection, connection.transaction():
        await collections.give(
            connection, collection_id, [ComplimentaryGrant("c@col.example")], actor=None
        )
        await collections.set_products(connection, collection_id, ["one", "two"], actor=None)
    assert await pool.fetchval("select count(*) from grants where ended_at is null") == 4
    assert await pool.fetch(rows) == before


@pytest.mark.slow
async def test_thousands_of_holders_get_products_at_once(pool: Pool) -> None:
    """The work grows with the holders, not with their square, which the pool would give up."""
    collection_id = await _held_by(pool)
    await pool.execute(
        "insert into users (email) select n || '@many.example' from generate_series(1, 10000) n"
    )
    await pool.execute(
        "insert into collection_holders (collection_id, user_id) select $1, id from users",
        collection_id,
    )
    async with pool.acquire() as connection, connection.transaction():
        await collections.set_products(connection, collection_id, ["one", "two"], actor=None)
    assert await pool.fetchval("select count(*) from grants where ended_at is null") == 20000
    assert await pool.fetchval("select count(*) from mails") == 10000
