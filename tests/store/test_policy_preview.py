"""A policy preview matches what saving does, on generated purchases."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Customer, Dispute, Item, Order, OrderLine, Payment, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.access import policy, policy_preview
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import rejudging
from latchkey.store.purchases.linked_products import Draft
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.context import Account, ApplyContext

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", False)
NOW = datetime.now(UTC).replace(microsecond=0)
STATUSES = ["active", "trialing", "past_due", "unpaid", "paused", "incomplete", "hibernating"]
PRODUCTS = 3
Access = set[tuple[str, str]]


def subscription(chance: random.Random, number: int) -> Subscription:
    started = NOW - timedelta(days=chance.randint(1, 40))
    end = started + timedelta(days=60)
    items = tuple(
        Item(f"si_{number}_{n}", f"prod_{n}", f"price_{n}", chance.choice([0, 1, 2]), started, end)
        for n in chance.sample(range(PRODUCTS), chance.randint(1, PRODUCTS))
    )
    return Subscription(
        id=f"sub_{number}",
        livemode=False,
        customer=Customer(f"cus_{number % 30}", f"p{number % 30}@store.example", known=True),
        status=chance.choice(STATUSES),
        items=items,
        items_complete=True,
        created=started,
        cancel_at=chance.choice([None, None, NOW + timedelta(days=chance.randint(1, 50))]),
        cancel_at_period_end=False,
        canceled_at=None,
        ended_at=None,
        cancel_reason=None,
        cancelled_by_customer=False,
        trial_end=None,
        collection_paused=chance.random() < 0.3,
        resumes_at=None,
    )


def order(chance: random.Random, number: int) -> Order:
    refunded = chance.choice([0, 400, 1000])
    dispute = chance.choice(
        [None, None, Dispute("needs_response"), Dispute("won"), Dispute("lost")]
    )
    return Order(
        id=f"cs_{number}",
        livemode=False,
        customer=None,
        email=f"p{number % 30}@store.example",
        name=None,
        reference=None,
        status="complete",
        payment_status="paid",
        subscription=None,
        invoice=None,
        payment=Payment(
            f"pi_{number}",
            "succeeded",
            NOW,
            1000,
            refunded,
            refunded == 1000,
            bool(dispute),
            dispute,
        ),
        amount=1000,
        currency="usd",
        created=NOW - timedelta(days=3),
        lines=(
            OrderLine(
                f"li_{number}", f"prod_{chance.randrange(PRODUCTS)}", "price", False, 1, 1000
            ),
        ),
        lines_complete=True,
    )


def cells(chance: random.Random) -> dict[str, object]:
    found: dict[str, object] = {
        name: chance.random() < 0.5 for name in DEFAULT_POLICY.cells() if chance.random() < 0.5
    }
    if "past_due_days" in found or chance.random() < 0.5:
        found["past_due_days"] = chance.choice([None, 0, 5, 14, 30])
    return found


async def accessible(connection: Connection) -> Access:
    rows = await connection.fetch(
        """
        select distinct u.email, g.product_id from grants g join users u on u.id = g.user_id
         where g.ended_at is null and (g.until is null or g.until > now())
        """
    )
    return {(row["email"], row["product_id"]) for row in rows}


async def carry_out(connection: Connection, change: policy.PolicyRevision) -> None:
    context = ApplyContext(ACCOUNT, 0, datetime.now(UTC), Cause.POLICY)
    for ids_of, kind in (
        (policy.subscriptions_touched, "subscriptions"),
        (policy.orders_touched, "orders"),
    ):
        after: str | None = None
        while ids := await ids_of(
            connection,
            change.touched,
            account=ACCOUNT,
            product_id=change.product_id,
            after=after,
            limit=37,
        ):
            await rejudging.of_sources(connection, **{kind: ids}, context=context)
            after = ids[-1]


@pytest.mark.parametrize("seed", range(4))
async def test_the_preview_matches_what_happens(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    async with pool.acquire() as connection, connection.transaction():
        await connections.save_check(
            connection,
            account_id="acct_1",
            account_name="One",
            country="US",
            livemode=False,
            findings=[],
        )
        for number in range(PRODUCTS):
            await connection.execute(
                "insert into products (id, slug, name, status) values ($1, $1, $1, 'live')",
                f"prd-{number}",
            )
            await connection.execute(
                """
                insert into links (product_id, account_id, livemode, stripe_product, state)
                values ($1, 'acct_1', false, $2, 'listening')
                """,
                f"prd-{number}",
                f"prod_{number}",
            )
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        readings = [subscription(chance, number) for number in range(120)]
        await apply_subscriptions(connection, readings, context=context)
        await apply_orders(
            connection, [order(chance, number) for number in range(60)], context=context
        )
    for _ in range(5):
        product = chance.choice([None, "prd-0", "prd-1"])
        draft = Draft(cells(chance), product)
        async with pool.acquire() as connection, connection.transaction():
            before = await accessible(connection)
            told = await policy_preview.preview(connection, draft, limit=10_000)
            assert await accessible(connection) == before
            change = await policy.save(connection, draft, actor=None)
            if change is not None:
                await carry_out(connection, change)
            after = await accessible(connection)
        gains = {(e.email, e.product_id) for e in told.effects if e.outcome == "gains"}
        loses = {(e.email, e.product_id) for e in told.effects if e.outcome == "loses"}
        assert gains == after - before
        assert loses == before - after
        assert (told.gains, told.loses) == (len(gains), len(loses))
    mails = await pool.fetch("select data from mails")
    lines = await pool.fetchval("select count(*) - count(distinct fact) from activities")
    assert lines == 0
    assert all("source_id" in mail["data"] for mail in mails)
