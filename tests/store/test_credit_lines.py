"""The feed says what credit notes gave back of a paid bill, once, and when one was withdrawn."""

from dataclasses import replace

import pytest

from latchkey.rules.reading import Order, Payment
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_money_state import PAID, paid
from tests.store.test_removed_links import ACCOUNT, NOW, linked

pytestmark = pytest.mark.anyio

MONEY = ("credited", "credit_withdrawn", "refunded")


async def read(connection: Connection, *orders: Order) -> list[tuple[str, int, bool | None]]:
    """The lines about money after these readings, one after the other: amount, and if in full."""
    for order in orders:
        ticket = await connection.fetchval("select coalesce(max(ticket), 0) + 1 from orders")
        async with connection.transaction():
            context = ApplyContext(ACCOUNT, ticket, NOW, Cause.STRIPE)
            await apply_orders(connection, [order], context=context)
    rows = await connection.fetch(
        "select type, data from activities where type = any($1::text[]) order by id", MONEY
    )
    return [(row["type"], row["data"]["amount"], row["data"].get("full")) for row in rows]


async def test_each_credit_is_one_line(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        part, more, whole = paid(after=400), paid(after=700), paid(after=1000)
        assert await read(connection, PAID, part, part) == [("credited", 400, False)]
        found = await read(connection, more, whole, whole)
        assert found[1:] == [("credited", 700, False), ("credited", 1000, True)]
        found = await read(connection, part, part)
        assert found[3:] == [("credit_withdrawn", 400, None)]
        back = replace(part, payment=Payment("pi_1", "succeeded", amount=1000, amount_refunded=100))
        assert (await read(connection, back, back))[4:] == [("refunded", 100, False)]


async def test_a_credit_before_the_payment_gives_nothing_back(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        assert await read(connection, paid(before=400)) == []
        assert await read(connection, paid(before=400, after=600)) == [("credited", 600, True)]


async def test_what_was_credited_before_it_was_known_is_told_too(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        assert await read(connection, paid(after=400)) == [("credited", 400, False)]
