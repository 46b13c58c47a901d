"""Sessions that are closed because nobody should pay them any more."""

import pytest

from latchkey.store.pool import Connection, Pool
from latchkey.store.products import checkout, checkout_attempts
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

PRODUCT = "prd_a"


async def begin(connection: Connection) -> int:
    """The id of the attempt that a click belongs to."""
    attempt = await checkout_attempts.begin(connection, b"key", product_id=PRODUCT, user_id=None)
    return attempt.id


async def opens(connection: Connection, session_id: str) -> None:
    await checkout_attempts.opened(
        connection, await begin(connection), session_id=session_id, price_id="price_m"
    )


async def remove_link(connection: Connection) -> None:
    await connection.execute("update links set removed_at = now() where product_id = $1", PRODUCT)


async def link_again(connection: Connection) -> None:
    await connection.execute("update links set removed_at = null where product_id = $1", PRODUCT)


async def test_an_attempt_keeps_the_language_of_the_last_click(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await opens(connection, "cs_read")
        for locale in ("ar", "tr"):
            await checkout_attempts.begin(
                connection, b"key", product_id=PRODUCT, user_id=None, locale=locale
            )
        found = await checkout_attempts.of_session(connection, "cs_read")
        assert found == checkout_attempts.SoldAttempt(PRODUCT, "price_m", None, "tr")


async def test_a_session_that_opens_as_its_link_is_removed_is_closed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await opens(connection, "cs_before")
        assert await checkout_attempts.orphans(connection, PRODUCT) == []
        await remove_link(connection)
        await checkout_attempts.orphan(connection, PRODUCT)
        await opens(connection, "cs_during")
        assert await checkout.waiting(connection, limit=9) == [PRODUCT]
        assert await checkout_attempts.orphans(connection, PRODUCT) == ["cs_during"]
        await checkout_attempts.closed(connection, "cs_during")
        assert await checkout_attempts.orphans(connection, PRODUCT) == []
        assert await checkout.waiting(connection, limit=9) == []


async def test_a_session_whose_price_is_sold_again_stays_open(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await opens(connection, "cs_kept")
        await remove_link(connection)
        await checkout_attempts.orphan(connection, PRODUCT)
        await link_again(connection)
        assert await checkout_attempts.orphans(connection, PRODUCT) == []
        await remove_link(connection)
        assert await checkout_attempts.orphans(connection, PRODUCT) == [], "it isn't one any more"


async def hour_later(connection: Connection) -> None:
    await connection.execute("update checkout_attempts set begun_at = begun_at - interval '1 hour'")


async def test_sessions_whose_place_others_took_are_closed_too(pool: Pool) -> None:
    """Whoever comes back later gets a session of their own, and the one before can still be
    paid."""
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        for session in ("cs_first", "cs_second"):
            await opens(connection, session)
            await hour_later(connection)
        await begin(connection)
        await begin(connection)
        await remove_link(connection)
        await checkout_attempts.orphan(connection, PRODUCT)
        assert await checkout_attempts.orphans(connection, PRODUCT) == ["cs_first", "cs_second"]
        for session in ("cs_first", "cs_second"):
            await checkout_attempts.closed(connection, session)
        assert await checkout_attempts.orphans(connection, PRODUCT) == []


async def test_only_the_latest_session_of_an_attempt_is_one_that_was_left(pool: Pool) -> None:
    """Whoever began again is led to the new session; nothing is sent about the one before."""
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await opens(connection, "cs_first")
        assert await checkout_attempts.of_session(connection, "cs_first") is not None
        await hour_later(connection)
        await opens(connection, "cs_second")
        assert await checkout_attempts.of_session(connection, "cs_first") is None
        assert await checkout_attempts.of_session(connection, "cs_second") is not None


async def test_an_attempt_that_begins_again_keeps_its_orphan(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await opens(connection, "cs_old")
        await remove_link(connection)
        await checkout_attempts.orphan(connection, PRODUCT)
        await hour_later(connection)
        await begin(connection)
        assert await checkout_attempts.orphans(connection, PRODUCT) == ["cs_old"]
