"""What a batch writes is what its purchases would have written one by one."""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from latchkey.rules.identity import Reference
from latchkey.rules.reading import Customer, Item, OrderLine, Payment
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import subscription_mirror
from latchkey.store.purchases.batches import Purchase, apply_batch
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import CheckoutInfo, apply_subscriptions
from latchkey.store.stripe.context import ApplyContext, ReadBy
from latchkey.store.users import users
from tests.harness import until
from tests.store.test_concurrency import blocked
from tests.store.test_money_state import PAID
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio

FIRST = {"users": 10**12, "grants": 2 * 10**12, "claims": 3 * 10**12}
"""Ids that nothing else could be taken for."""

TABLES = {
    "users": ("id",),
    "user_addresses": (),
    "customers": (),
    "subscriptions": ("untold", "lifecycle_at"),
    "subscription_items": (),
    "orders": (),
    "order_lines": (),
    "bills": (),
    "grants": ("id",),
    "activities": ("id", "seq"),
    "mails": ("id",),
    "claims": ("id",),
    "matches": ("id",),
    "other_payers": (),
    "passed_over": (),
}
"""What a purchase writes, and the columns that say how and not what."""

TICKETS = {"ticket"}
"""One by one, each reading has its own."""


class World:
    """A small town: its people buy with few cards, under few addresses, often for one another."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.purchases = 0
        self.customers = [self._customer(number) for number in range(8)]

    def _email(self) -> str:
        tag = self.chance.choice(["", "", "", "+x"])
        return f"{self.chance.choice('pP')}{self.chance.randrange(5)}{tag}@town.example"

    def _customer(self, number: int) -> Customer:
        chance = self.chance
        account = f"acct_{number % 3}" if chance.random() < 0.2 else None
        email = self._email() if chance.random() < 0.9 else None
        name = chance.choice([None, "Ada", "Ben"])
        return Customer(f"cus_{number}", email, name, known=True, account=account)

    def _buyer(self) -> Customer:
        """Some have another address at Stripe than the last time."""
        found = self.chance.choice(self.customers)
        return replace(found, email=self._email()) if self.chance.random() < 0.1 else found

    def _reference(self) -> Reference | None:
        chance = self.chance
        if chance.random() < 0.7:
            return None
        user = chance.choice([None, *(FIRST["users"] + n for n in range(4))])
        expires = NOW + timedelta(hours=chance.choice([-30, 1]))
        return Reference(user, chance.choice(["course", "club"]), expires)

    def subscribes(self, number: int) -> Purchase:
        chance = self.chance
        found = subscription(number, chance.choice(["active"] * 6 + ["trialing", "past_due"] * 2))
        if chance.random() < 0.15:
            ended = NOW - timedelta(minutes=1)
            found = replace(found, status="canceled", ended_at=ended, canceled_at=ended)
        elif chance.random() < 0.2:
            end = found.items[0].period_end
            found = replace(found, cancel_at=end, canceled_at=NOW, cancelled_by_customer=True)
        product = chance.choice(["prod_1", "prod_1", "prod_2", "prod_3", "prod_unlinked"])
        items = tuple(
            Item(f"si_{number}_{extra}", name, "price_1", 1, NOW, NOW + timedelta(days=30))
            for extra, name in enumerate([product, "prod_2"][: chance.choice([1, 1, 2])])
        )
        begun = NOW - timedelta(days=chance.choice([0, 0, 5]))
        found = replace(found, customer=self._buyer(), items=items, created=begun)
        if chance.random() < 0.3:
            return Purchase(found)
        lines = chance.choice([(), (), (self._line(number),)])
        cart = replace(
            PAID,
            id=f"cs_{number}",
            invoice=f"in_{number}",
            subscription=found.id,
            status="complete",
            customer=found.customer,
            email=found.customer.email,
            lines=lines,
        )
        return Purchase(found, cart, self._reference())

    def buys(self, number: int) -> Purchase:
        chance = self.chance
        guest = chance.random() < 0.4
        refunded = chance.choice([0, 0, 0, 1000])
        state = chance.choice(["succeeded"] * 4 + ["processing"])
        order = replace(
            PAID,
            id=f"cs_{number}",
            invoice=None,
            status="complete",
            payment_status="paid" if state == "succeeded" else "unpaid",
            customer=None if guest else self._buyer(),
            email=self._email() if chance.random() < 0.9 else None,
            name=chance.choice([None, "Ada", "Ben"]),
            payment=Payment(f"pi_{number}", state, amount=1000, amount_refunded=refunded),
            lines=(self._line(number),),
        )
        return Purchase(order=order, reference=self._reference())

    def _line(self, number: int) -> OrderLine:
        product = self.chance.choice(["prod_1", "prod_1", "prod_2", "prod_3", "prod_unlinked"])
        return OrderLine(f"li_{number}", product, "price_2", False, 1, 1000)

    def wave(self, size: int) -> list[Purchase]:
        """Purchases, some of them seen before, in any order."""
        numbers = self.chance.sample(range(1, 60), size)
        return [self.subscribes(n) if n % 2 else self.buys(n) for n in numbers]


async def prepare(connection: Connection) -> None:
    """Products with different rules, one of which is being imported."""
    await linked(connection, "course", {})
    await linked(connection, "club", {"trialing": False})
    for product, state in (("prod_2", "listening"), ("prod_3", "importing")):
        await connection.execute(
            "insert into products (id, slug, name, status) values ($1, $1, $1, 'live')", product
        )
        await connection.execute(
            """
            insert into links (product_id, account_id, livemode, stripe_product, state, created_at)
            values ($1, 'acct_1', false, $1, $2, now() - interval '1 day')
            """,
            product,
            state,
        )


async def told(connection: Connection, world: World, wave: Sequence[Purchase]) -> None:
    """The events that caused the readings; they say whether the shop cancelled."""
    await connection.executemany(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id,
                            requested, cancels)
        values ($1, false, 'customer.subscription.updated', $2, false, $3, 'subscription', $2, $4,
                true)
        """,
        [
            (f"evt_{purchase.id}", purchase.id, NOW, world.chance.choice([True, False, None]))
            for purchase in wave
            if purchase.subscription
        ],
    )


async def one_by_one(connection: Connection, wave: Sequence[Purchase], first: int) -> None:
    for ticket, purchase in enumerate(wave, start=first):
        context = ApplyContext(ACCOUNT, ticket, NOW, Cause.STRIPE, [f"evt_{purchase.id}"])
        if purchase.subscription:
            cart = purchase.order
            checkout = cart and CheckoutInfo(cart.id, purchase.reference, cart.created)
            await apply_subscriptions(
                connection,
                [purchase.subscription],
                context=context,
                checkouts={purchase.id: checkout} if checkout else None,
            )
        if purchase.order and purchase.sells_once:
            named = {purchase.order.id: purchase.reference} if purchase.reference else None
            await apply_orders(connection, [purchase.order], context=context, references=named)


async def together(connection: Connection, wave: Sequence[Purchase], first: int) -> None:
    events = {purchase.id: [f"evt_{purchase.id}"] for purchase in wave}
    carts = {p.order.id: events[p.id] for p in wave if p.order}
    every = [event for ids in events.values() for event in ids]
    context = ApplyContext(ACCOUNT, first, NOW, Cause.STRIPE, every, events | carts)
    await apply_batch(connection, wave, context=context)


async def written(connection: Connection) -> dict[str, list[str]]:
    """All rows, with names in place of the ids that depend on the order."""
    names = {
        str(row["id"]): row["email_key"]
        for row in await connection.fetch("select id, email_key from users")
    }
    names |= {
        str(row["id"]): f"{row['source_id']}/{row['product_id']}/{row['n']}"
        for row in await connection.fetch(
            "select id, source_id, product_id, row_number() over"
            " (partition by source_id, product_id order by id) as n from grants"
        )
    }
    claimed = "select id, email_key || '/' || user_id as name from claims"
    names |= {str(row["id"]): f"claim {row['name']}" for row in await connection.fetch(claimed)}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(part) for key, part in sorted(value.items())}
        if isinstance(value, list):
            return [named(part) for part in value]
        if isinstance(value, int | str) and not isinstance(value, bool):
            return re.sub(r"\b\d{13}\b", lambda match: names[match[0]], str(value))
        return value

    found = {}
    for table, without in TABLES.items():
        rows = await connection.fetch(f"select to_jsonb(t) as row from {table} t")
        found[table] = sorted(
            str(named({k: v for k, v in row["row"].items() if k not in TICKETS | {*without}}))
            for row in rows
        )
    return found


@pytest.mark.parametrize("seed", range(8))
async def test_a_batch_writes_what_its_purchases_write_one_by_one(pool: Pool, seed: int) -> None:
    world = World(seed)
    before, now = world.wave(15), world.wave(25)
    results = []
    async with pool.acquire() as connection, connection.transaction():
        await prepare(connection)
        await told(connection, world, now)
        for apply in (one_by_one, together):
            transaction = connection.transaction()
            await transaction.start()
            for table, first in FIRST.items():
                await connection.execute(f"select setval('{table}_id_seq', {first}, false)")
            for member in ("p0", "p1", "m2", "m3"):
                await users.find_or_create(connection, f"{member}@town.example")
            await one_by_one(connection, before, 1)
            await apply(connection, now, 100)
            results.append(await written(connection))
            await transaction.rollback()
    alone, batch = results
    assert alone["activities"], "something happened"
    for table in TABLES:
        missing = sorted(set(alone[table]) - set(batch[table]))
        more = sorted(set(batch[table]) - set(alone[table]))
        assert batch[table] == alone[table], (table, missing, more)


async def test_a_batch_locks_its_users_in_the_order_in_which_merges_do(pool: Pool) -> None:
    """The purchase of the later user is applied first, since both have one customer."""
    async with pool.acquire() as mine, pool.acquire() as theirs:
        await prepare(mine)
        first, _ = await users.find_or_create(mine, "first@town.example")
        later, _ = await users.find_or_create(mine, "later@town.example")
        wave = [
            Purchase(
                order=replace(
                    PAID,
                    id=f"cs_{email}",
                    invoice=None,
                    customer=Customer("cus_1", email),
                    email=email,
                )
            )
            for email in ("later@town.example", "first@town.example")
        ]
        merging = mine.transaction()
        await merging.start()
        await mine.execute("select from users where id = $1 for update", first.id)

        async def batch() -> None:
            async with theirs.transaction():
                await together(theirs, wave, 1)

        task = asyncio.create_task(batch())
        await until(lambda: blocked(pool), "the batch waits for the merge")
        await mine.execute("select from users where id = $1 for update nowait", later.id)
        await merging.commit()
        await task
        assert await mine.fetchval("select count(*) from orders") == 2


async def test_what_a_run_knows_depends_on_who_read(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        found = []
        readers = [ReadBy.OTHER, ReadBy.BURST, ReadBy.OTHER, ReadBy.RUN, ReadBy.BURST, ReadBy.RUN]
        for ticket, reader in enumerate(readers, start=1):
            context = ApplyContext(ACCOUNT, ticket, NOW, Cause.STRIPE, read_by=reader)
            await apply_subscriptions(connection, [subscription(1, "active")], context=context)
            has_run = not await subscription_mirror.some_lack_run(connection, ["sub_1"])
            untold = await connection.fetchval("select untold from subscriptions")
            found.append((has_run, untold))
    assert found == [
        (False, False),
        (False, True),
        (False, True),
        (True, False),
        (True, True),
        (True, False),
    ]
