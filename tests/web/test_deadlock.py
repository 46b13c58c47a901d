"""A call whose transaction Postgres gives up for another one is begun again."""

import asyncio

import pytest

from tests.harness import Latchkey

pytestmark = pytest.mark.anyio


async def test_a_merge_that_meets_an_apply_is_done_all_the_same(shared: Latchkey) -> None:
    """The apply holds the purchase and needs its user, the merge holds the users and needs the
    purchase."""
    product = await shared.product("Deadlocked")
    ids = []
    for name in ("into", "other"):
        given = {"email": f"{name}@deadlock.example", "mail": False}
        made = await shared.call("POST", f"/products/{product}/grants", 201, json=given)
        ids.append(made["user_id"])
    into, other = ids
    async with shared.pool.acquire() as connection:
        await connection.execute(
            "insert into customers (id, account_id, livemode, ticket)"
            " values ('cus_deadlock', 'acct_x', false, 0)"
        )
        await connection.execute(
            """
            insert into subscriptions
                   (id, account_id, livemode, customer_id, user_id, status, created_at, ticket)
            values ('sub_deadlock', 'acct_x', false, 'cus_deadlock', $1, 'canceled', now(), 0)
            """,
            other,
        )
        applying = connection.transaction()
        await applying.start()
        await connection.execute("set local deadlock_timeout = '30s'")
        await connection.execute("select from subscriptions where id = 'sub_deadlock' for update")
        merging = asyncio.create_task(
            shared.call("POST", f"/users/{into}/merge", json={"user": other})
        )
        async with shared.pool.acquire() as onlooker:
            while not await onlooker.fetchval(
                "select exists (select from pg_locks where not granted)"
            ):
                await asyncio.sleep(0.02)
        await connection.execute("select from users where id = $1 for key share", other)
        await applying.commit()
    moved = await merging
    assert moved["moved"]["subscriptions.user_id"] == 1
