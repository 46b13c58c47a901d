"""What Stripe refuses: codes for others, scheduled ends, far leaps."""

import re
from pathlib import Path

import pytest

from sandbox import calls
from sandbox.schema import Published
from tests.harness import Json, Stripe
from tests.sandbox.lives import begin, refused

pytestmark = pytest.mark.anyio


async def code(stripe: Stripe, **params: object) -> str:
    coupon = await stripe.post("coupons", percent_off=20)
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    return str((await stripe.post("promotion_codes", promotion=promotion, **params))["id"])


@pytest.mark.parametrize(
    "limits",
    [
        {"restrictions": {"first_time_transaction": True}},
        {"restrictions": {"minimum_amount": 2000, "minimum_amount_currency": "usd"}},
        {"customer": None},
    ],
)
async def test_a_code_that_is_not_for_them_is_refused(stripe: Stripe, limits: Json) -> None:
    if "customer" in limits:
        limits = {"customer": await stripe.customer("other@box.example")}
    life = await begin(stripe)
    given = {"discounts": [{"promotion_code": await code(stripe, **limits)}]}
    made = {"customer": life.customer, "items": [{"price": life.price}], **given}
    assert (await refused(stripe, "subscriptions", **made))["param"] == "discounts"
    error = await refused(stripe, f"subscriptions/{life.id}", **given)
    assert error["param"] == "discounts"
    session = {
        "mode": "subscription",
        "customer": life.customer,
        "line_items": [{"price": life.price, "quantity": 1}],
        "success_url": "https://example.com",
    }
    assert (await refused(stripe, "checkout/sessions", **session, **given))["param"] == "discounts"


async def test_a_code_of_their_own_is_taken(stripe: Stripe) -> None:
    customer = await stripe.customer("mine@box.example")
    price = await stripe.price(await stripe.product())
    mine = await code(
        stripe,
        customer=customer,
        restrictions={
            "first_time_transaction": True,
            "minimum_amount": 1500,
            "minimum_amount_currency": "usd",
        },
    )
    made = await stripe.post(
        "subscriptions",
        customer=customer,
        items=[{"price": price}],
        discounts=[{"promotion_code": mine}],
    )
    assert (await stripe.get(f"invoices/{made['latest_invoice']}"))["total"] == 1200


async def test_a_scheduled_subscription_ends_by_its_schedule_alone(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.post("subscription_schedules", from_subscription=life.id)
    answer = await stripe.client.delete(f"/v1/subscriptions/{life.id}")
    assert answer.status_code == 400
    assert "subscription schedule" in answer.json()["error"]["message"]
    error = await refused(stripe, f"subscriptions/{life.id}", cancel_at_period_end=True)
    assert error["status"] == 400
    assert (await life.now())["status"] == "active"


async def test_a_clock_leaps_two_intervals_at_most(stripe: Stripe) -> None:
    clock = await stripe.post("test_helpers/test_clocks", frozen_time=1_900_000_000)
    made = await stripe.post(
        "customers",
        test_clock=clock["id"],
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    price = await stripe.price(await stripe.product())
    await stripe.post("subscriptions", customer=made["id"], items=[{"price": price}])
    path = f"test_helpers/test_clocks/{clock['id']}/advance"
    error = await refused(stripe, path, frozen_time=1_900_000_000 + 70 * 86400)
    assert error["param"] == "frozen_time"
    await stripe.post(path, frozen_time=1_900_000_000 + 55 * 86400)


async def test_every_published_call_is_played_or_refused_by_name(
    stripe: Stripe, published: Published
) -> None:
    unplayed = [r for r in published.routes() if not calls.handler(r.method, r.template)]
    assert {"/v1/billing/meters", "/v1/quotes/{quote}/pdf"} <= {r.template for r in unplayed}
    for route in unplayed:
        answer = await stripe.client.request(route.method, _filled(route.template))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "sandbox_unsupported"), route.template
        assert f" {route.method} {route.template}," in error["message"]
    counted = f"{len(published.routes())} and {len(published.v2_routes())} calls"
    told = f"of {counted}, the sandbox plays {len(published.routes()) - len(unplayed)} and"
    assert f"{told} {PLAYED_OF_V2}." in " ".join(Path("docs/sandbox.md").read_text().split())
    logged = (await stripe.client.get("/_sandbox/requests")).json()["data"][-1]
    assert (logged["status"], logged["hint"]) == (400, error["message"])


async def test_every_published_call_of_v2_is_played_or_refused_by_name(
    stripe: Stripe, published: Published
) -> None:
    refused_calls = set()
    for route in published.v2_routes():
        answer = await stripe.client.request(route.method, _filled(route.template), json={})
        error = answer.json().get("error", {})
        if error.get("code") == "sandbox_unsupported":
            assert answer.status_code == 400
            assert f" {route.method} {route.template}," in error["message"]
            refused_calls.add(f"{route.method} {route.template}")
        else:
            assert "Unrecognized" not in error.get("message", ""), route.template
    assert len(refused_calls) == len(published.v2_routes()) - PLAYED_OF_V2
    assert "POST /v2/billing/meter_events" in refused_calls


PLAYED_OF_V2 = 11


def _filled(template: str) -> str:
    return re.sub(r"\{\w+\}", "x_1", template)
