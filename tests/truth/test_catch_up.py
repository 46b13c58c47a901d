"""Missed events are found in Stripe's list and go the inbox's way, within the configured time."""

from collections.abc import AsyncIterator

import pytest

from latchkey.rules.routing import HANDLED_EVENTS, MOST_LISTED_TYPES, listed_parts
from tests.harness import Latchkey, Postgres, Stripe, run_latchkey, until

pytestmark = pytest.mark.anyio


def test_every_handled_type_is_looked_for_and_access_takes_one_call() -> None:
    parts = listed_parts()
    assert sorted(name for types in parts.values() for name in types) == sorted(HANDLED_EVENTS)
    assert all(len(types) <= MOST_LISTED_TYPES for types in parts.values())
    assert [name for name in parts if not name.startswith("hourly")] == ["often-1"]


@pytest.fixture
async def quick(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[Latchkey]:
    """A site that looks for missed events every ten seconds."""
    options = {"LATCHKEY_CATCHUP_SECONDS": 10}
    async with run_latchkey(
        await postgres.create(), temporal_address, stripe, **options
    ) as running:
        yield running


async def reads(site: Latchkey, path: str = "/v1/events") -> int:
    log = (await site.stripe.client.get("/_sandbox/requests")).json()["data"]
    return sum(1 for entry in log if entry["method"] == "GET" and entry["path"] == path)


async def linked(site: Latchkey) -> tuple[str, str]:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.settled()
    return product, price


async def test_dropped_webhooks_are_repaired_by_themselves(quick: Latchkey) -> None:
    product, price = await linked(quick)
    await quick.stripe.control("faults", drop=1)
    session = await quick.stripe.buy("dropped@missed.example", price)
    await quick.has(product, "dropped@missed.example")
    rows = await quick.pool.fetch(
        "select source, body from events where object_id in ($1, $2)",
        session["subscription"],
        session["id"],
    )
    assert {(row["source"], row["body"]) for row in rows} == {("catch_up", None)}
    await quick.stripe.delete(f"subscriptions/{session['subscription']}")
    await quick.has(product, "dropped@missed.example", access=False)
    types = [line["type"] for line in await quick.lines(product=product)]
    assert sorted(types) == sorted(
        [
            "link_created",
            "product_purchased",
            "subscription_started",
            "access_granted",
            "subscription_cancelled",
            "access_ended",
        ]
    )
    await quick.settled()


async def test_a_quiet_site_costs_one_read_each_time(quick: Latchkey) -> None:
    await linked(quick)

    async def looks() -> int:
        found: int = await quick.pool.fetchval(
            "select extract(epoch from max(looked_at))::bigint from catch_up where part = 'often-1'"
        )
        return found

    async def anchored() -> bool:
        return bool(await quick.pool.fetchval("select count(*) from catch_up") == 2)

    await until(anchored, "both parts were looked at")
    begun = await looks()

    async def looked_again() -> bool:
        return await looks() > begun

    await until(looked_again, "the next look")
    before, begun = await reads(quick), await looks()
    await until(looked_again, "one more look")
    assert await reads(quick) - before == 1


async def test_what_was_sold_while_the_web_process_was_away_is_found(quick: Latchkey) -> None:
    product, price = await linked(quick)
    await quick.stripe.control("faults", drop=0.5)
    await quick.stop_web()
    for number in range(6):
        await quick.stripe.buy(f"away{number}@missed.example", price)
    await quick.stripe.control("faults", drop=1)
    await quick.start_web()
    for number in range(6):
        await quick.has(product, f"away{number}@missed.example")
    purchases = [line["email"] for line in await quick.lines(type="product_purchased")]
    assert sorted(purchases) == [f"away{number}@missed.example" for number in range(6)]
