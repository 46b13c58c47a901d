"""A checkout session and the invoice that it created are one purchase, whichever is read first."""

import itertools
import random
from dataclasses import replace

import pytest

from latchkey.rules.reading import Order, OrderLine, Payment
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.judging import AppliedPage
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_money_state import PAID
from tests.store.test_removed_links import ACCOUNT, NOW, linked

pytestmark = pytest.mark.anyio

BILL = PAID
"""The session's invoice, as it is read while Stripe doesn't say yet where it came from."""
SESSION = replace(
    PAID,
    id="cs_1",
    status="complete",
    lines=(OrderLine("li_1", "prod_1", "price_1", False, 1, 1000),),
)
REFUNDED = Payment("pi_1", "succeeded", amount=1000, amount_refunded=1000, refunded=True)
_tickets = itertools.count(1)


async def apply(connection: Connection, *readings: Order, ticket: int = 0) -> AppliedPage:
    context = ApplyContext(ACCOUNT, ticket or next(_tickets), NOW, Cause.STRIPE)
    async with connection.transaction():
        return await apply_orders(connection, readings, context=context)


async def live(connection: Connection) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        "select source_id, product_id from live_grants order by source_id, product_id"
    )
    return [tuple(row) for row in rows]


async def told(connection: Connection) -> list[str]:
    rows = await connection.fetch("select type from activities order by id")
    return [row["type"] for row in rows if row["type"] != "user_created"]


async def test_an_invoice_that_was_read_first_becomes_part_of_its_session(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, BILL)
        assert await live(connection) == [("in_1", "course")]
        await apply(connection, SESSION)
        assert await live(connection) == [("cs_1", "course")]
        assert await told(connection) == ["product_purchased", "access_granted"]
        opened = "select count(*) from mails where kind = 'product_access'"
        assert await connection.fetchval(opened) == 1
        again = await apply(connection, BILL)
        assert again.applied["in_1"].stale, "its run looks for the session again"
        assert await connection.fetchval("select array_agg(id) from orders") == ["cs_1"]
        await apply(connection, replace(SESSION, payment=REFUNDED))
        assert await live(connection) == []


async def test_both_in_one_page_are_one_purchase(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        for readings in ((BILL, SESSION), (SESSION, BILL)):
            await apply(connection, *readings)
            assert await live(connection) == [("cs_1", "course")]


async def test_what_an_admin_ended_stays_ended(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, BILL)
        await connection.execute("update grants set ended_at = now(), held = true")
        await apply(connection, SESSION)
        assert await live(connection) == []


async def test_a_refund_that_is_seen_with_the_session_ends_what_the_invoice_gave(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, BILL)
        await apply(connection, replace(SESSION, payment=REFUNDED))
        assert await live(connection) == []
        assert await connection.fetchval("select end_reason from grants") == "refunded"


async def test_a_purchase_that_was_counted_twice_is_counted_once_when_it_is_read_again(
    pool: Pool,
) -> None:
    """As two transactions that don't see each other leave it."""
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, BILL)
        await apply(connection, replace(SESSION, invoice=None))
        assert await live(connection) == [("cs_1", "course"), ("in_1", "course")]
        await apply(connection, SESSION)
        assert await live(connection) == [("cs_1", "course")]
        reason = "select end_reason from grants where ended_at is not null"
        assert await connection.fetchval(reason) == "same_purchase"


async def test_in_whatever_order_and_company_it_is_read(pool: Pool) -> None:
    """Readings of both, some older than what is known, alone or in one page: in the end the session
    gives what its last reading says, and the invoice nothing."""
    chance = random.Random(13)
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        for number in range(30):
            invoice, email = f"in_{number}", f"p{number}@one.example"
            bill = replace(BILL, id=invoice, invoice=invoice, email=email)
            session = replace(SESSION, id=f"cs_{number}", invoice=invoice, email=email)
            known = [bill, replace(session, invoice=None), session]
            readings = [
                replace(chance.choice(known), payment=chance.choice((BILL.payment, REFUNDED)))
                for _ in range(chance.randint(0, 4))
            ]
            for reading in readings:
                other = [bill] if chance.random() < 0.3 and not reading.is_invoice else []
                await apply(connection, *other, reading, ticket=chance.randint(1, 10**6))
            paid = chance.random() < 0.5
            last = replace(session, payment=BILL.payment if paid else REFUNDED)
            await apply(connection, last, ticket=10**7 + 2 * number)
            await apply(connection, bill, ticket=10**7 + 2 * number + 1)
            rows = await connection.fetch(
                "select source_id from live_grants where source_id = any($1::text[])",
                [bill.id, session.id],
            )
            told = f"{number}: {readings}"
            assert [row["source_id"] for row in rows] == ([session.id] if paid else []), told
            kept = "select count(*) from orders where invoice = $1"
            assert await connection.fetchval(kept, bill.id) <= 1, told


async def test_an_older_reading_of_the_session_takes_nothing_away(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, replace(SESSION, invoice=None), ticket=1000)
        await apply(connection, BILL, ticket=1001)
        stale = await apply(connection, SESSION, ticket=5)
        assert stale.applied["cs_1"].stale
        assert len(await live(connection)) == 2
        await apply(connection, SESSION, ticket=1002)
        assert await live(connection) == [("cs_1", "course")]
