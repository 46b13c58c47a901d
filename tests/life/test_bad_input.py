"""Unexpected answers from Stripe, through the whole of Latchkey."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

import activities.resilient
from latchkey.stripe_api import StripeApi
from sandbox.schema import Published
from tests.digest import digest
from tests.harness import Json, Latchkey, Postgres, run_latchkey, run_sandbox, until

pytestmark = pytest.mark.anyio

STATE = SearchAttributeKey.for_keyword("LatchkeyState")

AREAS = (
    "account", "billing_portal", "charges", "checkout", "coupons", "credit_notes", "customers",
    "disputes", "events", "invoice_payments", "invoices", "payment_intents", "payment_links",
    "payment_methods", "prices", "products", "promotion_codes", "refunds", "subscription_items",
    "subscriptions", "webhook_endpoints",
)  # fmt: skip


@pytest.mark.slow
async def test_a_key_without_a_permission_says_which_and_loses_nothing(
    postgres: Postgres,
    temporal_address: str,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activities.resilient, "TRY_AGAIN", timedelta(seconds=1))
    key = "rk_test_without_subscriptions"
    allowed = dict.fromkeys(AREAS, "write")
    with run_sandbox(published, chance=1) as stripe:
        lacking = {area: level for area, level in allowed.items() if area != "subscriptions"}
        await stripe.control("keys", key=key, permissions=lacking)
        dsn = await postgres.create()
        async with run_latchkey(dsn, temporal_address, stripe, STRIPE_SECRET_KEY=key) as site:
            findings = await site.pool.fetchval("select findings from stripe_connection")
            missing = {one["area"]: one["message"] for one in findings if not one["ok"]}
            assert list(missing) == ["Subscriptions"]
            assert "rak_subscription_read" in missing["Subscriptions"]
            stripe_product = await stripe.product()
            price = await stripe.price(stripe_product)
            product = await site.product()
            await site.know(stripe_product)
            body = {"stripe_product": stripe_product}
            await site.call("PUT", f"/products/{product}/link", 202, json=body)
            made = await stripe.subscribe("lacking@bad.example", price)
            await stripe.delivered()
            handle = site.temporal.get_workflow_handle(f"subscription/{made['id']}")

            async def refused() -> bool:
                try:
                    found = (await handle.describe()).typed_search_attributes
                except RPCError:
                    return False
                return "waiting" in (found.get(STATE) or "")

            await until(refused, "the run says that the key is refused")
            assert (await site.access(product, "lacking@bad.example"))["access"] is False
            states = await site.pool.fetch(
                "select distinct state from events where target_id = $1", made["id"]
            )
            assert {row["state"] for row in states} <= {"waiting", "relayed"}
            await stripe.control("keys", key=key, permissions=allowed)
            await site.has(product, "lacking@bad.example")
            await site.settled()


async def test_an_unknown_status_gives_no_access(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    made = await site.stripe.subscribe("unknown@bad.example", price)
    await site.has(product, "unknown@bad.example")
    read = StripeApi.subscription

    async def hibernating(api: StripeApi, subscription_id: str) -> Json:
        return {**await read(api, subscription_id), "status": "hibernating"}

    with monkeypatch.context() as patch:
        patch.setattr(StripeApi, "subscription", hibernating)
        await site.stripe.post(f"subscriptions/{made['id']}", metadata={"note": "new status"})
        await site.has(product, "unknown@bad.example", access=False)
        await site.settled()
    ended = await site.lines(type="access_ended", product=product)
    assert [line["data"]["reason"] for line in ended] == ["unknown_status"]
    failed = await site.pool.fetchval("select count(*) from events where state = 'failed'")
    assert failed == 0, "an unknown value isn't a failure"
    await site.stripe.post(f"subscriptions/{made['id']}", metadata={"note": "known again"})
    await site.has(product, "unknown@bad.example")


async def test_an_unknown_dispute_outcome_takes_no_access_away(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    session = await site.stripe.buy("dispute@bad.example", price, mode="payment")
    await site.has(product, "dispute@bad.example")
    intent = await site.stripe.get(f"payment_intents/{session['payment_intent']}")
    call = StripeApi.call

    async def adjourned(api: StripeApi, method: str, path: str, *given: Any, **more: Any) -> Json:
        answer = await call(api, method, path, *given, **more)
        if path.startswith("/v1/disputes"):
            for one in answer.get("data", [answer]):
                one["status"] = "adjourned"
        return answer

    monkeypatch.setattr(StripeApi, "call", adjourned)
    await site.stripe.control(f"charges/{intent['latest_charge']}/dispute")
    await site.settled()
    assert (await site.access(product, "dispute@bad.example"))["access"] is True


async def test_an_invented_object_changes_nothing_but_the_inbox(site: Latchkey) -> None:
    """An event about what Stripe does not know fails with its reason and can be resent."""
    before = await digest(site)
    made = await site.stripe.subscribe("gone@bad.example", await site.stripe.price(
        await site.stripe.product()
    ))  # fmt: skip
    site.stripe.box.shop.world.forget("subscription", made["id"])
    await site.settled()
    assert await digest(site) == before
    failed = (await site.call("GET", "/events", params={"state": "failed"}))["data"]
    assert {one["object_id"] for one in failed} <= {made["id"], made["latest_invoice"]}
    assert all("404" in one["error"] for one in failed)
