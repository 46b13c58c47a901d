"""Which checkout sessions are closed once nobody gets anything for paying them."""

import pytest

from latchkey.store.pool import Connection, Pool
from latchkey.store.products import checkout, checkout_attempts, links
from tests.store.test_abandoned_checkouts import sells

pytestmark = pytest.mark.anyio


async def begin(connection: Connection, key: bytes) -> int:
    begun = await checkout_attempts.begin(connection, key, product_id="course", user_id=None)
    return begun.id


async def opened(connection: Connection, attempt: int, session: str) -> None:
    await checkout_attempts.opened(connection, attempt, session_id=session, price_id="price_1")


async def test_those_of_a_removed_link_are_closed_unless_it_is_linked_again(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await sells(connection)
        await opened(connection, await begin(connection, b"open"), "cs_open")
        late = await begin(connection, b"late")
        await begin(connection, b"unanswered")
        assert await checkout_attempts.orphans(connection, "course") == []
        assert await checkout.waiting(connection, limit=9) == []
        await links.remove_link(connection, product_id="course", members=None, actor=None)
        await opened(connection, late, "cs_late")
        assert await checkout.waiting(connection, limit=9) == ["course"]
        assert await checkout_attempts.orphans(connection, "course") == ["cs_open", "cs_late"]
        await checkout_attempts.closed(connection, "cs_open")
        await checkout.mark_told(connection, "course")
        assert await checkout.waiting(connection, limit=9) == []
        assert await checkout_attempts.orphans(connection, "course") == ["cs_late"]
        await connection.execute(
            """
            insert into links (product_id, account_id, livemode, stripe_product, state)
            values ('course', 'acct_1', false, 'prod_1', 'listening')
            """
        )
        assert await checkout_attempts.orphans(connection, "course") == []
