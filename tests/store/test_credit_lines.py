"""The feed says what credit notes gave back of a paid bill, once, and when one was withdrawn."""

from dataclasses import replace

import pytest

from latchkey.rules.reading import Order, Payment
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import order_facts
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_money_state import PAID, paid
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

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


async def test_what_is_credited_of_a_subscriptions_invoice_is_told_and_ends_nothing(
    pool: Pool,
) -> None:
    """Each credit once, in any order of readings, also of an invoice that needed no payment."""
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply_subscriptions(
            connection,
            [subscription(1, "active")],
            context=ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE),
        )
        part, whole = billed(paid(after=400)), billed(paid(after=1000))
        both = billed(paid(after=400, amount_refunded=300))
        unpaid = replace(whole, payment=None, invoice="in_2")
        for ticket, bill in enumerate(
            [billed(PAID), part, part, whole, part, both, both, billed(paid(before=1000)), unpaid]
        ):
            async with connection.transaction():
                context = ApplyContext(ACCOUNT, 10 + ticket, NOW, Cause.STRIPE)
                await order_facts.tell_of_bill(connection, bill, context=context)
        stale = ApplyContext(ACCOUNT, 11, NOW, Cause.STRIPE)
        await order_facts.tell_of_bill(connection, part, context=stale)
        rows = await connection.fetch(
            """
            select type, source_id, data->>'invoice' as invoice, data->>'amount' as amount,
                   data->>'full' as full from activities where type = any($1::text[]) order by id
            """,
            (*MONEY, "refund_failed"),
        )
        assert {row["source_id"] for row in rows} == {"sub_1"}
        assert [(row["type"], row["invoice"], row["amount"], row["full"]) for row in rows] == [
            ("credited", "in_1", "400", "false"),
            ("credited", "in_1", "1000", "true"),
            ("credit_withdrawn", "in_1", "400", None),
            ("refunded", "in_1", "300", "false"),
            ("refund_failed", "in_1", "0", None),
            ("credit_withdrawn", "in_1", "0", None),
            ("credited", "in_2", "1000", "true"),
        ]
        live = "select count(*) from live_grants where source_id = 'sub_1'"
        assert await connection.fetchval(live) == 1


def billed(order: Order) -> Order:
    """The same money, as the invoice of a subscription."""
    line = replace(order.lines[0], recurring=True)
    return replace(order, subscription="sub_1", lines=(line,))
