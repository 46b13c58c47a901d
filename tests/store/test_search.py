"""The team's search: who and what a text or an id finds, and by which index."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from latchkey.store.feed import text_search
from latchkey.store.pool import Connection, Pool
from latchkey.store.users import search
from tests.spellings import spelled
from tests.store.test_billing_lists import ORDERS, SHOP

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await connection.execute(ORDERS)
        await connection.execute(
            "insert into bills (id, subscription_id) values ('in_renewal', 'sub_2')"
        )
        yield connection


async def people(connection: Connection, text: str, **options: Any) -> list[str]:
    """The names before the `@` of those who are found."""
    given = {"number": int(text) if text.isdecimal() else None, "limit": 8} | options
    return [one.email.partition("@")[0] for one in await search.people(connection, text, **given)]


async def test_a_part_of_a_name_or_address_finds_the_newest_first(shop: Connection) -> None:
    assert await people(shop, "anna") == ["joanna", "anna"]
    assert await people(shop, "ärmel") == ["anna"]
    assert await people(shop, "@x.exam") == ["bo", "joanna", "anna"]
    assert await people(shop, "@x.exam", limit=2) == ["bo", "joanna"]
    assert await people(shop, "nobody") == []


@pytest.mark.parametrize("email", ["anna@x.example", "second@y.example", "work@z.example"])
async def test_an_address_finds_its_person_however_it_is_written(
    shop: Connection, email: str
) -> None:
    """A main address, an additional one, and one that only Stripe's customer has."""
    owner = "anna" if email.startswith("anna") else "joanna"
    chance = random.Random(email)
    for written in [spelled(email, chance) for _ in range(12)]:
        assert (await people(shop, written.strip()))[0] == owner, written


async def test_an_exact_find_comes_first(shop: Connection) -> None:
    anna = await shop.fetchval("select id from users where email = 'anna@x.example'")
    await shop.execute(
        "insert into users (email, email_key) values ($1, $1)", f"{anna}{anna}@later.example"
    )
    found = await search.people(shop, str(anna), number=anna, limit=8)
    assert found[0].id == anna
    assert [one.exact for one in found] == [True] + [False] * (len(found) - 1)


async def test_a_merged_users_id_finds_whom_they_became(shop: Connection) -> None:
    joanna = await shop.fetchval("select id from users where email = 'joanna@x.example'")
    await shop.execute(
        "insert into user_merges (from_user, into_user, email, kept)"
        " values (999, $1, 'gone@x.example', '{}')",
        joanna,
    )
    assert await people(shop, "999") == ["joanna"]


@pytest.mark.parametrize(
    ("stripe_id", "kind", "found", "owner"),
    [
        ("cus_1", "customer", "cus_1", ["anna"]),
        ("cus_4", "customer", "cus_4", []),
        ("sub_2", "subscription", "sub_2", ["joanna"]),
        ("cs_of_sub_1", "subscription", "sub_1", ["anna"]),
        ("in_renewal", "subscription", "sub_2", ["joanna"]),
        ("cs_2", "purchase", "cs_2", ["joanna"]),
        ("pi_cs_1", "purchase", "cs_1", ["anna"]),
        ("in_cs_3", "purchase", "cs_3", []),
    ],
)
async def test_a_stripe_id_finds_its_object_and_person(
    shop: Connection, stripe_id: str, kind: str, found: str, owner: list[str]
) -> None:
    objects = await search.objects(shop, stripe_id, limit=8)
    assert [(one.kind, one.id) for one in objects] == [(kind, found)]
    assert await people(shop, stripe_id) == owner


@pytest.mark.parametrize("stripe_id", ["sub_", "SUB_1", "sub_1%", "anna"])
async def test_only_a_whole_id_finds_an_object(shop: Connection, stripe_id: str) -> None:
    assert await search.objects(shop, stripe_id, limit=8) == []


async def test_products_are_found_by_name_and_by_what_they_are_linked_to(shop: Connection) -> None:
    await shop.execute("insert into products (id, slug, name) values ('prd_c', 'x-cab', 'Tab A')")

    async def found(text: str) -> list[str]:
        return [product.id for product in await search.products(shop, text, limit=8)]

    assert await found("a") == ["prd_a", "prd_c"], "a name that begins with it comes first"
    assert await found("CAB") == ["prd_c"]
    assert await found("prd_b") == ["prd_b"]
    assert await found("prod_a") == ["prd_a"]
    assert await found("price_y") == ["prd_a"]
    await shop.execute("update links set removed_at = now() where product_id = 'prd_a'")
    assert await found("prod_a") == []


async def test_people_are_searched_by_indexes_alone(
    shop: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []

    async def noted(connection: Connection, query: str, *values: Any) -> list[Any]:
        asked.append((query, values))
        return []

    monkeypatch.setattr(text_search, "fetch_planned", noted)
    for text in ("anna", "anna@x.example", "cus_1", "31234"):
        assert await people(shop, text) == []
    async with shop.transaction():
        await shop.execute("set local enable_seqscan = off")
        plans = [
            [row[0] for row in await shop.fetch(f"explain {query}", *values)]
            for query, values in asked
        ]
    assert len(plans) == 4
    for plan in plans:
        assert any("users_by_grams" in line for line in plan), "\n".join(plan)
        assert not any("Seq Scan" in line for line in plan), "\n".join(plan)
