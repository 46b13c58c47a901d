"""What pays a subscription, in the mirror: whose card is stored, kept, changed and erased."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from latchkey.rules.reading import PaymentCard
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import subscription_mirror
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

MAY = datetime(2031, 5, 1, tzinfo=UTC)
VISA = PaymentCard("pm_1", own=True, known=True, brand="visa", last4="4242", expires=MAY)
KNOWN = ("pm_1", True, "visa", "4242", MAY)
NONE = (None, False, None, None, None)


async def stored(connection: Connection, subscription: str = "sub_1") -> tuple[Any, ...]:
    row = await connection.fetchrow(
        "select card_id, card_own, card_brand, card_last4, card_expires from subscriptions"
        " where id = $1",
        subscription,
    )
    assert row is not None
    return tuple(row)


async def write(
    connection: Connection, card: PaymentCard | None, *, ticket: int = 2
) -> tuple[Any, ...]:
    """Write a reading with this card; what is stored then."""
    [reading] = await subscription_mirror.readings(connection, ["sub_1"])
    made = subscription_mirror.row_of(
        replace(reading, card=card),
        state="Active",
        wake_at=None,
        wake=None,
        past_due_since=None,
        cancellations=0,
        checkout_session=None,
    )
    await subscription_mirror.write(connection, [made], [reading], ticket=ticket)
    return await stored(connection)


async def note(connection: Connection, card: PaymentCard | None) -> tuple[Any, ...]:
    """Note a reading with this card that isn't applied; what is stored then."""
    [reading] = await subscription_mirror.readings(connection, ["sub_1"])
    await subscription_mirror.note_cards(connection, [replace(reading, card=card)])
    return await stored(connection)


async def test_a_reading_stores_its_card_and_one_without_details_keeps_them(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        assert await write(connection, VISA) == KNOWN
        assert await write(connection, PaymentCard("pm_1", own=True)) == KNOWN
        assert await write(connection, None, ticket=0) == KNOWN, "judging again reads nothing"
        assert await write(connection, PaymentCard("pm_2")) == ("pm_2", False, None, None, None)
        assert await write(connection, VISA) == KNOWN
        assert await write(connection, None) == NONE


async def test_an_erased_persons_card_isnt_stored(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await connection.execute("update customers set erased = true where id = 'cus_1'")
        assert await write(connection, VISA) == NONE
        assert await note(connection, VISA) == NONE
        await subscription_mirror.default_changed(connection, "cus_1", replace(VISA, own=False))
        assert await stored(connection) == NONE


async def test_a_comparison_notes_cards_that_the_mirror_doesnt_have(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        for card, kept in (
            (VISA, KNOWN),
            (PaymentCard("pm_1", own=True), KNOWN),
            (replace(VISA, last4="1"), ("pm_1", True, "visa", "1", MAY)),
            (None, NONE),
        ):
            assert await note(connection, card) == kept


async def test_another_date_or_default_reaches_every_subscription_it_pays(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await write(connection, VISA)
        default = replace(VISA, id="pm_9", own=False)
        await subscription_mirror.default_changed(connection, "cus_1", default)
        assert await stored(connection) == KNOWN, "it names a card itself"
        assert await stored(connection, "sub_5") == ("pm_9", False, "visa", "4242", MAY)
        assert await stored(connection, "sub_2") == NONE, "another customer's"
        await subscription_mirror.default_changed(connection, "cus_1", PaymentCard("pm_9"))
        assert await stored(connection, "sub_5") == ("pm_9", False, "visa", "4242", MAY)
        later = MAY.replace(year=2035)
        assert await subscription_mirror.pays(connection, "pm_9")
        await subscription_mirror.card_changed(connection, replace(default, expires=later))
        assert await stored(connection, "sub_5") == ("pm_9", False, "visa", "4242", later)
        assert await stored(connection) == KNOWN
        await subscription_mirror.default_changed(connection, "cus_1", None)
        assert await stored(connection, "sub_5") == NONE
        assert not await subscription_mirror.pays(connection, "pm_9")
