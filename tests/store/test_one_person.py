"""An address is one person however it is written, on every road by which one comes in, and nothing
of it is left once the person is erased."""

import csv
import io
import random
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from latchkey.addresses import email_key
from latchkey.rules.reading import Customer
from latchkey.rules.vocabulary import Cause
from latchkey.store.access import complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import buyers
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import ApplyContext
from latchkey.store.users import claims, erasure, listing, users
from latchkey.store.users.listing import UserFilter
from tests.spellings import spelled
from tests.store.test_member_imports import check, run, upload
from tests.store.test_money_state import PAID
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio

PEOPLE = [
    "anna.müller@münchen.example",
    "straße+club@bücher.example",
    "иван.петров@почта.example",
    "ολοσ@αθηνα.example",
    "ñandú@club.example",
    "o'brien_99@club.example",
]


class Shop:
    """Everything that brings an address in, in the words of whoever wrote it."""

    def __init__(self, connection: Connection, chance: random.Random) -> None:
        self.connection = connection
        self.chance = chance
        self.number = 0

    @property
    def context(self) -> ApplyContext:
        self.number += 1
        return ApplyContext(ACCOUNT, self.number, NOW, Cause.STRIPE)

    async def subscribes(self, written: str) -> None:
        context = self.context
        bought = subscription(context.ticket, "active")
        who = replace(bought.customer, email=written)
        await apply_subscriptions(self.connection, [replace(bought, customer=who)], context=context)

    async def buys_as_a_guest(self, written: str) -> None:
        context = self.context
        order = replace(PAID, id=f"cs_{context.ticket}", invoice=None, email=written)
        await apply_orders(self.connection, [order], context=context)

    async def buys_as_a_customer(self, written: str) -> None:
        context = self.context
        who = Customer(f"cus_{context.ticket}", written, known=True)
        order = replace(PAID, id=f"cs_{context.ticket}", invoice=None, email=None, customer=who)
        await apply_orders(self.connection, [order], context=context)

    async def changes_the_address_at_stripe(self, written: str) -> None:
        rows = await self.connection.fetch(
            "select id from customers where email_key = $1", email_key(written)
        )
        if rows:
            who = Customer(self.chance.choice(rows)["id"], written, known=True)
            await buyers.mirror_customer(self.connection, who, context=self.context)

    async def is_given_access(self, written: str) -> None:
        twice = [ComplimentaryGrant(written), ComplimentaryGrant(spelled(written, self.chance))]
        await complimentary.give(self.connection, "course", twice, actor=None)

    async def is_imported(self, written: str) -> None:
        rows = [["email", "name"], [written, ""], [spelled(written, self.chance), "A name"]]
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        found = await upload(self.connection, text.getvalue(), actor=1)
        await check(self.connection, found, {"": "course"})
        await run(self.connection, found)

    async def signs_in(self, written: str) -> None:
        await users.find_or_create(self.connection, written)

    async def asks_for_a_claim(self, written: str) -> None:
        await claims.ask(self.connection, 1, written)

    @property
    def roads(self) -> list[Callable[[str], Awaitable[None]]]:
        return [
            self.subscribes,
            self.buys_as_a_guest,
            self.buys_as_a_customer,
            self.changes_the_address_at_stripe,
            self.is_given_access,
            self.is_imported,
            self.signs_in,
            self.asks_for_a_claim,
        ]


@pytest.mark.parametrize("seed", range(4))
async def test_one_address_is_one_person_by_every_road(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    written = set()
    async with pool.acquire() as connection:
        admin, _ = await users.find_or_create(connection, "admin@club.example")
        assert admin.id == 1
        await linked(connection, "course", {})
        shop = Shop(connection, chance)
        for person in PEOPLE:
            for road in chance.sample(shop.roads, len(shop.roads)):
                now = spelled(person, chance)
                written.add(now)
                async with connection.transaction():
                    await road(now)
        keys = {email_key(person) for person in PEOPLE}
        known = await connection.fetch("select email_key from users where id <> 1")
        assert sorted(row["email_key"] for row in known) == sorted(keys)
        for table in ("customers", "orders", "claims"):
            found = await connection.fetch(f"select distinct email_key from {table}")
            assert {row["email_key"] for row in found} - {None} == keys, table
        owners = await connection.fetch(
            "select user_id, count(*) from (select user_id from orders union all"
            " select user_id from subscriptions) s group by 1"
        )
        assert [row["count"] for row in owners] == [3] * len(PEOPLE)
        assert await connection.fetchval("select count(*) from matches") == 0
        for person in PEOPLE:
            now = spelled(person, chance)
            assert len(await grants.access_rows(pool, "course", email=now)) == 4
            listed = await listing.listed(connection, UserFilter(search=now.strip()), limit=9)
            assert len(listed) == 1
        await _erased(connection, written)


async def _erased(connection: Connection, written: set[str]) -> None:
    """Erase everybody, and look through every row of every table."""
    for row in await connection.fetch("select id from users where id <> 1"):
        async with connection.transaction():
            await erasure.erase(connection, row["id"], actor=1)
    tables = await connection.fetch(
        "select table_name from information_schema.tables"
        " where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    locals_ = {unicodedata.normalize("NFKC", one).strip().casefold() for one in written}
    names = {one.rpartition("@")[0] for one in locals_}
    for table in tables:
        rows = await connection.fetch(f"select to_jsonb(t)::text as row from {table[0]} t")
        for row in rows:
            text = unicodedata.normalize("NFKC", row["row"]).casefold()
            assert not [name for name in names if f"{name}@" in text], (table[0], row["row"])
