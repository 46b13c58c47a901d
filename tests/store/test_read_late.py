"""What is read late from Stripe: after a merge, an erasure, a deletion, or the end of a bill."""

import random
from dataclasses import replace

import pytest

from latchkey.rules.reading import Customer, Order, Payment, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import checkout
from latchkey.store.purchases import buyers, matches
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe import portal
from latchkey.store.stripe.context import ApplyContext
from latchkey.store.users import account, erasure, merging, users
from tests.store.test_money_state import PAID
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio

SURVIVOR, OTHER = "p1@store.example", "p2@store.example"
CONNECTED = (
    "update stripe_connection set state = 'connected', account_id = 'acct_1', livemode = false"
)


async def apply(
    connection: Connection, found: Subscription | Order | Customer, ticket: int
) -> None:
    context = ApplyContext(ACCOUNT, ticket, NOW, Cause.STRIPE)
    async with connection.transaction():
        match found:
            case Subscription():
                await apply_subscriptions(connection, [found], context=context)
            case Order():
                await apply_orders(connection, [found], context=context)
            case Customer():
                await buyers.mirror_customer(connection, found, context=context)


def bought(number: int, email: str | None) -> Order:
    who = Customer(f"cus_{number}", email, known=True)
    return replace(PAID, id=f"cs_{number}", invoice=None, email=email, customer=who)


async def two_people(connection: Connection) -> tuple[int, int]:
    """Two buyers with a subscription and a purchase each, and an admin who is neither."""
    await linked(connection, "course", {})
    await connection.execute(CONNECTED)
    for number, email in ((1, SURVIVOR), (2, OTHER)):
        await apply(connection, subscription(number, "active"), 10)
        await apply(connection, bought(number, email), 10)
    ids = [(await users.find_or_create(connection, email))[0].id for email in (SURVIVOR, OTHER)]
    return ids[0], ids[1]


def readings(number: int, email: str) -> list[Subscription | Order | Customer]:
    """What Stripe may say of a buyer: as ever, cancelled, refunded, under an address that is
    written in another way, deleted."""
    running = subscription(number, "active")
    loud = email.upper()
    back = Payment("pi_1", "succeeded", amount=1000, amount_refunded=1000, refunded=True)
    return [
        running,
        replace(running, customer=replace(running.customer, email=loud)),
        replace(running, status="canceled", ended_at=NOW, canceled_at=NOW),
        bought(number, email),
        bought(number, loud),
        replace(bought(number, email), payment=back),
        Customer(f"cus_{number}", loud, "Somebody", known=True),
        Customer(f"cus_{number}", deleted=True, known=True),
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_merge_it_belongs_to_the_survivor(pool: Pool, seed: int) -> None:
    """However old the reading is, and in whatever order they come; nobody is there twice."""
    chance = random.Random(seed)
    async with pool.acquire() as connection:
        into, other = await two_people(connection)
        admin, _ = await users.find_or_create(connection, "admin@store.example")
        async with connection.transaction():
            await merging.merge(connection, into=into, other=other, reason=None, actor=admin.id)
        late = chance.sample(readings(2, OTHER), 8)
        for reading in late:
            await apply(connection, reading, chance.choice((5, 10, 20, 30)))
        await apply(connection, replace(bought(3, OTHER), customer=None), 40)
        owners = await connection.fetch(
            "select distinct user_id from (select user_id from orders union all"
            " select user_id from subscriptions union all select user_id from customers) s"
        )
        assert [row["user_id"] for row in owners] == [into]
        assert await connection.fetchval("select count(*) from users") == 2
        assert (
            await connection.fetchval("select count(*) from live_grants where user_id <> $1", into)
            == 0
        )


@pytest.mark.parametrize("seed", range(4))
async def test_after_an_erasure_nothing_of_theirs_comes_back(pool: Pool, seed: int) -> None:
    """No name, no address, no access, whatever Stripe still says of what they had bought."""
    chance = random.Random(seed)
    async with pool.acquire() as connection:
        kept, gone = await two_people(connection)
        async with connection.transaction():
            await erasure.erase(connection, gone, actor=kept)
        for reading in chance.sample(readings(2, OTHER), 8):
            await apply(connection, reading, chance.choice((5, 10, 20, 30)))
        for table in ("users", "customers", "orders", "activities", "matches", "mails"):
            rows = str([dict(row) for row in await connection.fetch(f"select * from {table}")])
            assert OTHER not in rows.lower(), table
            assert "Somebody" not in rows, table
        assert await connection.fetchval("select count(*) from users") == 2
        live = await connection.fetch("select distinct user_id from live_grants")
        assert [row["user_id"] for row in live] == [kept]


async def test_a_customer_who_is_there_again_is_billed_again(pool: Pool) -> None:
    """Under the id of before, which shops may choose, or under another one: only what Stripe still
    has can be managed, and nobody becomes a second person."""
    deleted = Customer("cus_1", deleted=True, known=True)
    there = Customer("cus_1", SURVIVOR, known=True)
    async with pool.acquire() as connection:
        person, _ = await two_people(connection)
        await connection.execute(
            "update users set proven_at = now(); update customers set billing_user = user_id"
        )

        async def billed() -> list[str]:
            return [customer.id for customer in await portal.customers(connection, person)]

        assert await billed() == ["cus_1"]
        await apply(connection, deleted, 20)
        assert await billed() == []
        await apply(connection, there, 15)
        assert await billed() == [], "a reading from before the deletion"
        again = replace(subscription(3, "active"), customer=Customer("cus_3", "P1@Store.Example"))
        await apply(connection, replace(again, customer=replace(again.customer, known=True)), 25)
        assert await billed() == ["cus_3"]
        await apply(connection, there, 30)
        assert sorted(await billed()) == ["cus_1", "cus_3"]
        assert await connection.fetchval("select count(*) from users") == 2


async def test_a_bill_that_is_voided_was_never_bought(pool: Pool) -> None:
    """Before it is paid, and while the money of its checkout is under way: however often it is read
    and in whatever order."""
    void = replace(PAID, status="void", payment_status="unpaid", written_off=True, payment=None)
    pending = replace(void, id="cs_1", status="complete", written_off=False)
    pending = replace(pending, payment=Payment("pi_1", "processing"))
    let_go = replace(pending, written_off=True, payment=Payment("pi_1", "canceled"))
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await apply(connection, void, 1)
        assert await connection.fetchval("select count(*) from orders") == 0
        await apply(connection, pending, 2)
        assert await connection.fetchval("select money_state from orders") == "pending"
        for ticket, reading in ((4, let_go), (3, pending), (5, replace(let_go, payment=None))):
            await apply(connection, reading, ticket)
            found = await connection.fetchval("select money_state from orders")
            assert found in ("failed", "written_off")
        assert await connection.fetchval("select count(*) from live_grants") == 0
        failed = "select count(*) from activities where type = 'payment_failed'"
        assert await connection.fetchval(failed) == 1


@pytest.mark.parametrize("customer", ["cus_2", "cus_3", None])
@pytest.mark.parametrize("status", ["paused", "unpaid", "incomplete"])
async def test_who_becomes_a_user_later_has_what_gave_nothing_before(
    pool: Pool, status: str, customer: str | None
) -> None:
    """So that they are led to mend it, not to buy it again: however they become one, with the same
    customer, another one of the same address, or none."""
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await linked(connection, "book", {})
        await connection.execute(CONNECTED)
        await connection.execute(
            "update links set stripe_product = 'prod_book' where product_id = 'book'"
        )
        await apply(connection, subscription(2, status), 10)
        assert await connection.fetchval("select count(*) from users") == 0
        if customer is None:
            await users.find_or_create(connection, OTHER.upper())
        else:
            book = replace(PAID.lines[0], stripe_product="prod_book")
            who = Customer(customer, OTHER.upper(), known=True)
            await apply(connection, replace(bought(2, OTHER), customer=who, lines=(book,)), 20)
        person, _ = await users.find_or_create(connection, OTHER)
        running = (
            await checkout.bought_before(connection, user_id=person.id, product_id="course")
        ).running
        assert running is not None
        assert (running.id, running.status) == ("sub_2", status)
        assert [row.id for row in await account.subscriptions(connection, person.id)] == ["sub_2"]
        owners = await connection.fetch("select distinct user_id from customers")
        assert [row["user_id"] for row in owners] == [person.id]
        assert await connection.fetchval("select count(*) from matches") == 0


@pytest.mark.parametrize("buys", [True, False])
async def test_who_paid_as_somebody_unknown_gets_access_when_it_is_read_again(
    pool: Pool, buys: bool
) -> None:
    """Though the customer or the address has become somebody's in between; no match stays open."""
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await connection.execute(CONNECTED)
        running = subscription(2, "active")
        nobody = replace(running.customer, email=None)
        await apply(connection, replace(running, customer=nobody), 10)
        assert await matches.count_open(connection) == 1
        if buys:
            await apply(connection, bought(2, OTHER), 20)
        else:
            await apply(connection, Customer("cus_2", OTHER, known=True), 20)
        person, _ = await users.find_or_create(connection, OTHER)
        await apply(connection, running, 30)
        held = "select count(*) from live_grants where user_id = $1 and source_id = 'sub_2'"
        assert await connection.fetchval(held, person.id) == 1
        assert await matches.count_open(connection) == 0
