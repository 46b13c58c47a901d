"""Who pays for two subscriptions of one product is found, for any people and subscriptions."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.access import HELD_STATUSES, LIVE_STATUSES, TERMINAL
from latchkey.rules.vocabulary import Cause
from latchkey.store.checks import health
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import second_subscriptions
from latchkey.store.stripe.context import Account, ApplyContext
from tests.store.test_who_may_buy import on_sale

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC).replace(microsecond=0)
STATUSES = sorted(LIVE_STATUSES | TERMINAL | {"from_the_future"})
ACCOUNT = Account("acct_1", False)


@dataclass(frozen=True)
class Had:
    """One subscription: whose, by whichever way that is known."""

    id: str
    user: int | None
    customer: str
    address: str | None
    status: str
    ends: datetime | None
    products: tuple[str, ...]
    quantity: int | None
    created: datetime

    @property
    def held(self) -> bool:
        over = self.ends is not None and self.ends <= NOW
        sold = "prod_1" in self.products and self.quantity != 0
        return self.status in HELD_STATUSES and not over and sold


def any_people(chance: random.Random) -> list[Had]:
    """Subscriptions of few people, so that many of them meet."""
    customers = {
        f"cus_{n}": chance.choice((None, "a@two.example", "b@two.example")) for n in range(6)
    }
    found = []
    for number in range(24):
        customer = chance.choice(sorted(customers))
        found.append(
            Had(
                id=f"sub_{number}",
                user=chance.choice((None, 1, 2, 3)),
                customer=customer,
                address=customers[customer],
                status=chance.choice([*STATUSES, "active", "active", "trialing"]),
                ends=chance.choice((None, None, NOW - timedelta(days=1), NOW + timedelta(days=9))),
                products=chance.choice((("prod_1",), ("prod_1", "prod_1"), ("prod_2",))),
                quantity=chance.choice((None, 1, 1, 0)),
                created=NOW - timedelta(days=chance.randrange(5)),
            )
        )
    return found


def same_person(one: Had, other: Had) -> bool:
    if one.user is not None and other.user is not None:
        return one.user == other.user
    same_address = one.address is not None and one.address == other.address
    return one.customer == other.customer or same_address


def earlier(one: Had, everything: list[Had]) -> list[Had]:
    """By a naive model: the earlier ones that a subscription is the second of."""
    if not one.held:
        return []
    return [
        other
        for other in everything
        if other.held
        and same_person(one, other)
        and (other.created, other.id) < (one.created, one.id)
    ]


def context(cause: Cause = Cause.STRIPE) -> ApplyContext:
    return ApplyContext(ACCOUNT, ticket=1, as_of=NOW, cause=cause)


async def write(connection: Connection, everything: list[Had]) -> None:
    await on_sale(connection)
    await connection.execute(
        """
        insert into users (id, email) overriding system value
        select n, 'user' || n || '@two.example' from generate_series(1, 3) n
        """
    )
    for customer, address in {(one.customer, one.address) for one in everything}:
        await connection.execute(
            "insert into customers (id, account_id, livemode, email)"
            " values ($1, 'acct_1', false, $2)",
            customer,
            address,
        )
    for one in everything:
        await connection.execute(
            """
            insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                       created_at, scheduled_end, ended_at, ticket)
            values ($1, 'acct_1', false, $2, $3, $4, $5, $6, $7, 1)
            """,
            one.id,
            one.customer,
            one.user,
            one.status,
            one.created,
            one.ends,
            NOW if one.status in TERMINAL else None,
        )
        for number, product in enumerate(one.products):
            await connection.execute(
                "insert into subscription_items"
                " (subscription_id, id, stripe_product, price_id, quantity)"
                " values ($1, $2, $3, 'price_1', $4)",
                one.id,
                f"si_{number}",
                product,
                one.quantity,
            )


@pytest.mark.parametrize("seed", range(8))
async def test_whoever_pays_twice_is_noticed_once(pool: Pool, seed: int) -> None:
    """One after the other, in any order, or all at once: the same are noticed, each once; listed
    is what doesn't end by itself."""
    chance = random.Random(seed)
    everything = any_people(chance)
    expected = {one.id for one in everything if earlier(one, everything)}
    unsettled = {
        one.id
        for one in everything
        if one.ends is None and any(other.ends is None for other in earlier(one, everything))
    }
    async with pool.acquire() as connection:
        await write(connection, everything)
        order = [one.id for one in everything if one.held]
        chance.shuffle(order)
        for number, one in enumerate(order):
            await second_subscriptions.notice(
                connection,
                order[number : number + 2] if chance.random() < 0.3 else [one],
                context=context(),
            )
        assert await noticed(connection) == expected
        lines = await connection.fetch("select type, source_id, data from activities")
        assert {row["type"] for row in lines} <= {"second_subscription"}
        assert sorted(row["source_id"] for row in lines) == sorted(expected)
        await second_subscriptions.notice_all(connection, context=context())
        assert await connection.fetchval("select count(*) from activities") == len(expected)
        told = await connection.fetch("select data ->> 'source_id' as id from mails")
        just_bought = {
            one.id
            for one in everything
            if one.id in expected and one.user and NOW - one.created < timedelta(days=2)
        }
        assert sorted(row["id"] for row in told) == sorted(just_bought)
        listed = await second_subscriptions.listed(connection, limit=100)
        assert {row.subscription.id for row in listed} == unsettled
        for row in listed:
            assert row.earlier.id in {other.id for other in everything if other.ends is None}
        assert (await health.figures(connection)).second_subscriptions == len(unsettled)
        for user in (1, 2, 3):
            theirs = {one.id for one in everything if one.user == user} & expected
            assert set(await second_subscriptions.of_user(connection, user)) == theirs
        await connection.execute("truncate second_subscriptions, activities cascade")
        await second_subscriptions.notice_all(connection, context=context())
        assert await noticed(connection) == expected


async def test_an_import_writes_to_nobody_and_what_is_meant_stays_settled(pool: Pool) -> None:
    everything = [
        Had(f"sub_{n}", 1, "cus_1", None, "active", None, ("prod_1",), 1, NOW) for n in range(2)
    ]
    async with pool.acquire() as connection:
        await write(connection, everything)
        await second_subscriptions.notice(connection, ["sub_0"], context=context(Cause.IMPORT))
        assert await noticed(connection) == {"sub_1"}
        assert await connection.fetchval("select count(*) from mails") == 0
        assert await second_subscriptions.allow(connection, "sub_1")
        assert not await second_subscriptions.allow(connection, "sub_0")
        await second_subscriptions.notice(connection, ["sub_1"], context=context())
        assert await second_subscriptions.listed(connection, limit=10) == []
        assert (await health.figures(connection)).second_subscriptions == 0


async def noticed(connection: Connection) -> set[str]:
    rows = await connection.fetch("select subscription_id from second_subscriptions")
    return {row["subscription_id"] for row in rows}
