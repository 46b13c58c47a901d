"""A customer of Accounts v2 is one buyer, whether Stripe names customer, account or both."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from latchkey.rules import reading
from latchkey.rules.reading import Customer, Order, OrderLine, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe import portal
from latchkey.store.stripe.context import Account, ApplyContext
from tests.store.test_removed_links import linked, subscription

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", livemode=False)
BUYER = "acct_buyer"
EMAIL = "p1@store.example"
NOW = datetime.now(UTC).replace(microsecond=0)


def order(number: int) -> Order:
    """A session that names the account alone."""
    return Order(
        id=f"cs_{number}",
        livemode=False,
        customer=Customer(BUYER, account=BUYER),
        email=EMAIL,
        name=None,
        reference=None,
        status="complete",
        payment_status="no_payment_required",
        subscription=None,
        invoice=None,
        payment=None,
        amount=0,
        currency="usd",
        created=NOW,
        lines=(OrderLine("li_1", "prod_1", "price_1", recurring=False, quantity=1, amount=0),),
        lines_complete=True,
    )


def with_account() -> Subscription:
    running = subscription(1, "active")
    return replace(running, customer=replace(running.customer, account=BUYER))


@pytest.mark.parametrize("turn", list(permutations((0, 1, 2))))
async def test_the_account_and_its_customer_are_one_buyer(
    pool: Pool, turn: tuple[int, ...]
) -> None:
    """Whatever comes first: what names both, or what names the account alone."""
    bought: list[Order | Subscription] = [order(1), with_account(), order(2)]
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        for ticket, place in enumerate(turn, start=1):
            await _apply(connection, bought[place], ticket)
        assert await connection.fetchval("select count(*) from live_grants") == 3
        assert await connection.fetchval("select count(*) from users") == 1
        [row] = await connection.fetch("select id, user_id, customer_account from customers")
        assert row["customer_account"] == BUYER
        [billing] = await portal.customers(connection, row["user_id"])
        assert billing.id == row["id"]
        named = "select customer_id from orders union select customer_id from subscriptions"
        assert [r["customer_id"] for r in await connection.fetch(named)] == [row["id"]]


async def test_a_customer_known_before_it_had_an_account_takes_over(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await _apply(connection, subscription(1, "active"), 1)
        await _apply(connection, order(1), 2)
        await _apply(connection, with_account(), 3)
        await _apply(connection, order(2), 4)
        rows = await connection.fetch("select id, customer_id from orders order by id")
        assert [row["customer_id"] for row in rows] == [BUYER, "cus_1"]
        user = await connection.fetchval("select user_id from customers where id = 'cus_1'")
        assert [c.id for c in await portal.customers(connection, user)] == ["cus_1"]


async def _apply(connection: Connection, bought: Order | Subscription, ticket: int) -> None:
    context = ApplyContext(ACCOUNT, ticket, NOW, Cause.STRIPE)
    await connection.execute(
        """
        insert into stripe_connection (state, account_id, livemode)
        values ('connected', 'acct_1', false)
        on conflict (singleton) do update
           set state = excluded.state, account_id = excluded.account_id, livemode = false
        """
    )
    async with connection.transaction():
        if isinstance(bought, Order):
            await apply_orders(connection, [bought], context=context)
        else:
            await apply_subscriptions(connection, [bought], context=context)


@pytest.mark.parametrize(
    ("customer", "account", "id_"),
    [
        ("cus_1", None, "cus_1"),
        ("cus_1", "acct_1", "cus_1"),
        (None, "acct_1", "acct_1"),
        ({"id": "cus_1", "customer_account": "acct_1"}, None, "cus_1"),
        ({"id": "cus_1", "deleted": True}, "acct_1", "cus_1"),
        (None, None, None),
    ],
)
def test_the_account_stands_for_a_customer_that_is_not_named(
    customer: object, account: str | None, id_: str | None
) -> None:
    found = reading.customer(customer, account)
    assert (found.id if found else None) == id_
    assert found is None or id_ == "cus_1" or found.account == "acct_1"
