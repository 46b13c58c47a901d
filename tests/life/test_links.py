"""Product links: preview, import, purchases during the import, changing and removing."""

from typing import Any

import pytest

from latchkey.stripe_api import StripeApi, StripeError
from tests.harness import Json, Latchkey, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def populated(site: Latchkey, count: int, one_off: int = 0) -> Json:
    return await site.stripe.control("bulk", count=count, one_off=one_off)


async def test_the_preview_shows_who_what_and_why_and_changes_nothing(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    once = await shared.stripe.price(stripe_product, every=None)
    await shared.stripe.subscribe("new@preview.example", price)
    await shared.stripe.subscribe("known@preview.example", price)
    await shared.stripe.subscribe(None, price)
    gone = await shared.stripe.subscribe("gone@preview.example", price)
    await shared.stripe.delete(f"subscriptions/{gone['id']}")
    await shared.stripe.subscribe(
        "unpaid@preview.example", price, payment_behavior="default_incomplete"
    )
    await shared.stripe.buy("once@preview.example", once, mode="payment")
    await shared.stripe.subscribe("has@preview.example", price)
    product = await shared.product()
    await shared.know(stripe_product)
    for email in ("known@preview.example", "has@preview.example"):
        grant = await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
        if email.startswith("known"):
            await shared.call("DELETE", f"/grants/{grant['id']}")
    users = await shared.pool.fetchval("select count(*) from users")
    found = await shared.call(
        "POST", f"/products/{product}/link/preview", json={"stripe_product": stripe_product}
    )
    outcome = {record["email"]: record["outcome"] for record in found["records"]}
    assert outcome == {
        "new@preview.example": "new_user",
        "once@preview.example": "new_user",
        "known@preview.example": "matched_user",
        "has@preview.example": "already_has_access",
        "unpaid@preview.example": "skipped",
        None: "skipped",
    }
    assert all(record["reason"] for record in found["records"])
    assert await shared.pool.fetchval("select count(*) from users") == users
    missing = await shared.api.get(f"/products/{product}/link")
    assert missing.status_code == 404


async def test_earlier_buyers_get_access(shared: Latchkey) -> None:
    made = await populated(shared, 230, one_off=30)
    session_buyer = await shared.stripe.buy("session@import.example", made["once"], mode="payment")
    assert session_buyer["payment_status"] == "paid"
    await shared.stripe.post(f"prices/{made['monthly']}", active=False)
    product = await shared.product()
    found = await shared.link(product, made["product"], mail="suppress")
    count = await shared.pool.fetchval(
        "select count(distinct user_id) from grants where product_id = $1 and ended_at is null",
        product,
    )
    assert count == 261
    assert found["progress"]["subscriptions"] == 230
    mails = await shared.pool.fetchval("select count(*) from mails where product_id = $1", product)
    assert mails == 0
    again = await shared.call(
        "PUT", f"/products/{product}/link", 202, json={"stripe_product": made["product"]}
    )
    assert again["id"] == found["id"]

    async def lifecycles() -> bool:
        missing = await shared.pool.fetchval(
            """
            select count(*) from subscriptions s join subscription_items i
                on i.subscription_id = s.id
             where i.stripe_product = $1 and s.lifecycle_at is null
            """,
            made["product"],
        )
        return bool(missing == 0)

    await until(lifecycles, "every subscription has its run")


async def test_purchases_during_the_import_are_counted_once(
    site: Latchkey,
) -> None:
    made = await populated(site, 450)
    await site.know(made["product"])
    product = await site.product()
    await site.stripe.control("faults", api_latency_seconds=0.05)
    await site.call(
        "PUT", f"/products/{product}/link", 202, json={"stripe_product": made["product"]}
    )
    buyers: list[str] = []
    cancelled: list[str] = []
    while (await site.call("GET", f"/products/{product}/link"))["state"] == "importing":
        email = f"during{len(buyers)}@import.example"
        session = await site.stripe.buy(email, made["monthly"])
        buyers.append(email)
        if len(buyers) % 3 == 0:
            await site.stripe.delete(f"subscriptions/{session['subscription']}")
            cancelled.append(email)
    assert len(buyers) >= 3, "the import was over before anybody bought"
    await site.stripe.control("faults", api_latency_seconds=0)
    await site.settled()
    for email in buyers:
        await site.has(product, email, access=email not in cancelled)
    doubled = await site.pool.fetch(
        """
        select user_id from grants where product_id = $1 and ended_at is null
         group by user_id having count(*) > 1
        """,
        product,
    )
    assert doubled == []
    purchased = await site.lines(type="product_purchased", product=product)
    who = [line["email"] for line in purchased]
    imported = await site.pool.fetchval(
        "select count(*) from activities where product_id = $1 and type = 'imported'", product
    )
    assert imported == 450
    assert len(who) == len(set(who))
    assert set(who) >= set(buyers) - set(cancelled)
    live = await site.pool.fetchval(
        "select count(*) from grants where product_id = $1 and ended_at is null", product
    )
    assert live == 450 + len(buyers) - len(cancelled)


async def test_a_killed_worker_resumes_the_import(site: Latchkey) -> None:
    made = await populated(site, 1200)
    await site.know(made["product"])
    product = await site.product()
    await site.stop_worker()
    process = site.spawn_worker()
    await site.stripe.control("faults", api_latency_seconds=0.15)
    await site.call(
        "PUT", f"/products/{product}/link", 202, json={"stripe_product": made["product"]}
    )

    async def some() -> bool:
        found = await site.call("GET", f"/products/{product}/link")
        assert found["state"] == "importing"
        return bool(found["progress"].get("pages", 0) >= 3)

    await until(some, "a few pages are in")
    process.kill()
    process.wait()
    await site.stripe.control("faults", api_latency_seconds=0)
    before = await site.call("GET", f"/products/{product}/link")
    assert before["state"] == "importing"
    await site.start_worker()
    found = await site.listening(product)
    assert found["progress"]["granted"] + found["progress"]["already_had_access"] == 1200
    live = await site.pool.fetchval(
        "select count(*) from grants where product_id = $1 and ended_at is null", product
    )
    facts = await site.pool.fetchval(
        "select count(*) from activities where product_id = $1 and type = 'imported'", product
    )
    assert (live, facts) == (1200, 1200)


async def test_a_new_stripe_product_inherits_name_and_description(shared: Latchkey) -> None:
    product = await shared.product(
        "Night sailing", description="Under stars", image_url="https://example.com/a.png"
    )
    body = {"create": {"amount": 2900, "currency": "eur", "interval": "month"}}
    await shared.call("PUT", f"/products/{product}/link", 202, json=body)
    found = await shared.listening(product)
    made = await shared.stripe.get(f"products/{found['stripe_product']}")
    assert (made["name"], made["description"]) == ("Night sailing", "Under stars")
    assert made["images"] == ["https://example.com/a.png"]
    prices = (await shared.stripe.get("prices", product=made["id"]))["data"]
    assert [(p["unit_amount"], p["currency"], p["recurring"]["interval"]) for p in prices] == [
        (2900, "eur", "month")
    ]
    await shared.stripe.buy("night@link.example", prices[0]["id"])
    await shared.has(product, "night@link.example")


async def test_a_stripe_product_is_created_once_though_the_answer_is_lost(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe creates it but answers 500, and repeats that answer for the same key."""
    create = StripeApi.create_product
    failed: list[StripeError] = []

    async def answered_500(api: StripeApi, **given: Any) -> Json:
        if failed:
            return await create(api, **given)
        await site.stripe.control("faults", api_500_after=1)
        try:
            return await create(api, **given)
        except StripeError as error:
            failed.append(error)
            raise
        finally:
            await site.stripe.control("faults", api_500_after=0)

    monkeypatch.setattr(StripeApi, "create_product", answered_500)
    product = await site.product("Only once")
    body = {"create": {"amount": 2900, "currency": "eur", "interval": "month"}}
    await site.call("PUT", f"/products/{product}/link", 202, json=body)
    found = await site.listening(product)
    assert len(failed) == 1
    made = (await site.stripe.get("products", limit=100))["data"]
    assert [one["id"] for one in made] == [found["stripe_product"]]


@pytest.mark.parametrize("way", ["keep", "end", "complimentary"])
async def test_removing_a_link_requires_a_choice_for_its_members(
    shared: Latchkey, way: str
) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    made = await shared.stripe.subscribe(f"{way}@out.example", price)
    product = await shared.product()
    await shared.link(product, stripe_product)
    refused = await shared.call("DELETE", f"/products/{product}/link", 409)
    assert refused["code"] == "live_subscriptions"
    assert refused["active_subscriptions"] == 1
    other = await shared.stripe.product("Other")
    await shared.know(other)
    changed = await shared.call(
        "PUT", f"/products/{product}/link", 409, json={"stripe_product": other}
    )
    assert changed["code"] == "live_subscriptions"
    assert (await shared.access(product, f"{way}@out.example"))["access"] is True
    removed = await shared.call("DELETE", f"/products/{product}/link", params={"members": way})
    assert removed["active_subscriptions"] == 1
    await shared.has(product, f"{way}@out.example", access=way != "end")
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.settled()
    await shared.has(product, f"{way}@out.example", access=way == "complimentary")
    await shared.stripe.subscribe(f"{way}-late@out.example", price)
    await shared.settled()
    late = await shared.access(product, f"{way}-late@out.example")
    assert late["access"] is False, "a removed link grants nothing new"

    async def stopped() -> bool:
        handle = shared.temporal.get_workflow_handle(f"product-link/{product}")
        return (await handle.describe()).status.name == "COMPLETED"  # type: ignore[union-attr]

    await until(stopped, "the link's workflow ends")


async def test_a_link_can_be_replaced_with_a_choice_for_its_members(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    await shared.stripe.subscribe("first@replace.example", price)
    product = await shared.product()
    await shared.link(product, stripe_product)
    other = await shared.stripe.product("Other")
    other_price = await shared.stripe.price(other)
    await shared.know(other)
    body = {"stripe_product": other, "members": "keep"}
    await shared.call("PUT", f"/products/{product}/link", 202, json=body)
    found = await shared.listening(product)
    assert found["stripe_product"] == other
    await shared.stripe.buy("second@replace.example", other_price)
    await shared.has(product, "second@replace.example")
    assert (await shared.access(product, "first@replace.example"))["access"] is True


@pytest.mark.parametrize("way", ["end", "complimentary"])
async def test_switching_to_the_new_links_stripe_product_gives_access(
    shared: Latchkey, way: str
) -> None:
    email = f"{way}@switch.example"
    stripe_product = await shared.stripe.product()
    made = await shared.stripe.subscribe(email, await shared.stripe.price(stripe_product))
    product = await shared.product()
    await shared.link(product, stripe_product)
    other = await shared.stripe.product("Other")
    other_price = await shared.stripe.price(other)
    await shared.know(other)
    body = {"stripe_product": other, "members": "keep"}
    await shared.call("PUT", f"/products/{product}/link", 202, json=body)
    await shared.listening(product)
    item = made["items"]["data"][0]["id"]
    await shared.stripe.post(
        f"subscriptions/{made['id']}", items=[{"id": item, "price": other_price}]
    )
    await shared.settled()
    assert (await shared.access(product, email))["access"] is True
    removed = await shared.call("DELETE", f"/products/{product}/link", params={"members": way})
    counted = {"end": "ended", "complimentary": "converted"}[way]
    assert (removed[counted], removed["kept"]) == (1, 0)
    assert (await shared.access(product, email))["access"] is (way == "complimentary")
    await shared.stripe.post(f"subscriptions/{made['id']}", metadata={"read": "again"})
    await shared.settled()
    assert (await shared.access(product, email))["access"] is (way == "complimentary")
