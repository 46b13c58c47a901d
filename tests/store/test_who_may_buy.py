"""Who is sold what, for any subscriptions that people have and any state of what is on sale."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.rules.access import LIVE_STATUSES, TERMINAL
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import checkout
from latchkey.store.products.checkout import Obstacle
from tests.store.test_removed_links import linked

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
STATUSES = sorted(LIVE_STATUSES | TERMINAL | {"from_the_future"})
PEOPLE = 60


def had(chance: random.Random, number: int, person: int) -> dict[str, Any]:
    """A subscription of the product, or of another one, in any state."""
    status = chance.choice(STATUSES)
    return {
        "id": f"sub_{number}",
        "person": person,
        "status": status,
        "ended": NOW if status in TERMINAL and chance.random() < 0.8 else None,
        "scheduled": chance.choice((None, None, NOW - timedelta(days=1), NOW + timedelta(days=9))),
        "product": chance.choice(("prod_1", "prod_1", "prod_2", "prod_removed")),
        "livemode": chance.random() < 0.15,
        "created": NOW - timedelta(days=number),
    }


def is_over(subscription: dict[str, Any]) -> bool:
    """By a naive model: whoever buys again buys nothing twice."""
    if subscription["ended"] or subscription["status"] not in LIVE_STATUSES:
        return True
    return subscription["scheduled"] is not None and subscription["scheduled"] <= NOW


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_is_sold_what_they_have(pool: Pool, seed: int) -> None:
    """With or without an account: the newest subscription of the product that isn't over is found,
    and nothing else."""
    chance = random.Random(seed)
    people = [n for n in range(1, PEOPLE + 1) for _ in range(chance.randrange(5))]
    all_had = [had(chance, number, person) for number, person in enumerate(people)]
    async with pool.acquire() as connection:
        await on_sale(connection)
        await connection.execute(
            """
            insert into users (id, email, email_key)
            overriding system value
            select n, 'p' || n || '@who.example', 'p' || n || '@who.example'
              from generate_series(1, $1::int, 2) n
            """,
            PEOPLE,
        )
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, email, user_id)
            select 'cus_' || n || m, 'acct_1', m = 't', 'p' || n || '@who.example',
                   case when n % 2 = 1 then n end
              from generate_series(1, $1::int) n cross join (values ('t'), ('f')) g (m)
            """,
            PEOPLE,
        )
        await connection.execute(
            """
            insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                       created_at, scheduled_end, ended_at, ticket)
            select g.id, 'acct_1', g.livemode,
                   'cus_' || g.person || case when g.livemode then 't' else 'f' end,
                   case when g.person % 2 = 1 then g.person end, g.status, g.created, g.scheduled,
                   g.ended, 1
              from jsonb_to_recordset($1::jsonb) as g (id text, person bigint, status text,
                   created timestamptz, scheduled timestamptz, ended timestamptz, livemode boolean)
            """,
            all_had,
        )
        await connection.execute(
            """
            insert into subscription_items (subscription_id, id, stripe_product, price_id)
            select g.id, 'si_1', g.product, 'price_1'
              from jsonb_to_recordset($1::jsonb) as g (id text, product text)
            """,
            all_had,
        )
        for person in range(1, PEOPLE + 1):
            running = [
                each["id"]
                for each in all_had
                if each["person"] == person
                and each["product"] == "prod_1"
                and not each["livemode"]
                and not is_over(each)
            ]
            found: Any
            if person % 2:
                found = (
                    await checkout.bought_before(connection, user_id=person, product_id="course")
                ).running
            else:
                found = await checkout.subscription_of_address(
                    connection, key=f"p{person}@who.example", product_id="course"
                )
            assert (found.id if found else None) == (running[0] if running else None), person


async def on_sale(connection: Connection) -> None:
    await connection.execute(
        "update stripe_connection set state = 'connected', account_id = 'acct_1', livemode = false"
    )
    await linked(connection, "course", {})
    await connection.execute(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state, removed_at)
        values ('course', 'acct_1', false, 'prod_removed', 'listening', now())
        """
    )


def obstacle_of(product: dict[str, bool] | None, active: bool | None) -> Obstacle | None:
    """What keeps a price from being sold, by a naive model; None for `active` is a price that
    Stripe doesn't have."""
    if product and product["deleted"]:
        return Obstacle.PRODUCT_DELETED
    if product and not product["active"]:
        return Obstacle.PRODUCT_ARCHIVED
    return None if active else Obstacle.PRICE_ARCHIVED


async def test_only_what_stripe_sells_is_for_sale(pool: Pool) -> None:
    """For any products and prices that were archived, deleted, or lost, in any number: each price
    by itself, the product as long as one is left, and the page that leads there."""
    chance = random.Random(11)
    async with pool.acquire() as connection:
        await on_sale(connection)
        await connection.execute(
            "update products set purchase_method = 'checkout', checkout_target = 'stripe'"
        )
        for _ in range(120):
            product = {"active": chance.random() < 0.7, "deleted": chance.random() < 0.2}
            prices = [chance.choice((True, True, False, None)) for _ in range(chance.randrange(4))]
            await connection.execute(
                "delete from offers; delete from prices; delete from stripe_products"
            )
            await connection.execute(
                """
                insert into stripe_products (id, account_id, livemode, name, active, deleted,
                                             created_at, ticket)
                values ('prod_1', 'acct_1', false, 'Course', $1, $2, now(), 1)
                """,
                product["active"],
                product["deleted"],
            )
            for number, active in enumerate(prices):
                if active is not None:
                    await connection.execute(
                        """
                        insert into prices (id, account_id, livemode, stripe_product, type,
                                            currency, active, created_at, ticket)
                        values ($1, 'acct_1', false, 'prod_1', 'recurring', 'usd', $2, now(), 1)
                        """,
                        f"price_{number}",
                        active,
                    )
                await connection.execute(
                    """
                    insert into offers (product_id, account_id, livemode, price_id, position)
                    values ('course', 'acct_1', false, $1, $2)
                    """,
                    f"price_{number}",
                    number,
                )
            expected = [
                obstacle_of(None if active is None else product, active) for active in prices
            ]
            selling = await checkout.selling(connection, "course")
            states = await connection.fetch("select obstacle from offer_states order by position")
            assert [row["obstacle"] for row in states] == expected
            sold = [f"price_{n}" for n, obstacle in enumerate(expected) if obstacle is None]
            assert [offer.price_id for offer in selling.sellable] == sold
            assert selling.leads_somewhere is bool(sold)
            assert (selling.obstacle is not None) is (bool(prices) and not sold), "admins are told"
