"""Previews agree with what then happens, and prorations are what each billing mode says."""

import pytest

from sandbox.schema import Published
from tests.harness import Json, Stripe
from tests.sandbox import agreement
from tests.sandbox.lives import Life, begin, refused

pytestmark = pytest.mark.anyio
DAY = 86400


def test_generated_changes_cost_what_was_previewed(published: Published) -> None:
    found = agreement.count(published, 150)
    assert found.wrong == []
    assert found.billed >= 140, "nearly every change ends on a bill"


def test_a_preview_that_disagreed_would_be_seen(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = agreement.seen

    def falsified(bill: Json) -> Json:
        return seen(bill) | ({"total": -1} if bill["id"].startswith("upcoming_") else {})

    monkeypatch.setattr(agreement, "seen", falsified)
    assert len(agreement.count(published, 3).wrong) == 3


async def preview(stripe: Stripe, **params: object) -> Json:
    return await stripe.post("invoices/create_preview", **params)


async def test_a_preview_of_a_new_subscription(stripe: Stripe) -> None:
    customer = await stripe.customer("new@box.example")
    price = await stripe.price(await stripe.product())
    coupon = await stripe.post("coupons", percent_off=50)
    details = {"items": [{"price": price, "quantity": 2}]}
    made = await preview(
        stripe,
        customer=customer,
        subscription_details=details,
        discounts=[{"coupon": coupon["id"]}],
    )
    assert (made["total"], made["status"]) == (1500, "draft")
    assert made["id"].startswith("upcoming_")
    assert (await stripe.get("subscriptions"))["data"] == []
    assert (await stripe.get("invoices"))["data"] == []
    assert (await stripe.get(f"coupons/{coupon['id']}"))["times_redeemed"] == 0


async def test_a_preview_of_a_change_that_is_billed_at_once_has_no_renewal(stripe: Stripe) -> None:
    life = await begin(stripe)
    item = (await life.now())["items"]["data"][0]["id"]
    details: Json = {"items": [{"id": item, "quantity": 2}], "proration_behavior": "always_invoice"}
    made = await preview(stripe, subscription=life.id, subscription_details=details)
    assert [line["amount"] > 0 for line in made["lines"]["data"]] == [False, True]
    details["proration_behavior"] = "create_prorations"
    made = await preview(stripe, subscription=life.id, subscription_details=details)
    assert len(made["lines"]["data"]) == 3
    assert (await life.now())["items"]["data"][0]["quantity"] == 1


async def test_a_preview_of_a_cancellation_has_the_credit_alone(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.control("clock/advance", seconds=10 * DAY)
    details: Json = {"cancel_now": True}
    made = await preview(stripe, subscription=life.id, subscription_details=details)
    assert -1500 < made["total"] < -900
    assert (await life.now())["status"] == "active"
    details["proration_behavior"] = "none"
    error = await refused(
        stripe, "invoices/create_preview", subscription=life.id, subscription_details=details
    )
    assert (error["status"], error["code"]) == (404, "invoice_upcoming_none")
    details = {"cancel_at_period_end": True}
    error = await refused(
        stripe, "invoices/create_preview", subscription=life.id, subscription_details=details
    )
    assert error["code"] == "invoice_upcoming_none"


async def dear_and_back(stripe: Stripe, mode: str) -> tuple[Life, list[int]]:
    """Half a period on, a dearer price without prorations, then back with them: the amounts."""
    life = await begin(stripe, billing_mode={"type": mode})
    dear = await stripe.price(await stripe.product("Dear"), 6000)
    found = await life.now()
    item = found["items"]["data"][0]
    middle = (item["current_period_start"] + item["current_period_end"]) // 2
    await life.update(items=[{"id": item["id"], "price": dear}], proration_behavior="none")
    await life.update(
        items=[{"id": item["id"], "price": life.price}],
        proration_behavior="create_prorations",
        proration_date=middle,
    )
    rows = (await stripe.get("invoiceitems", customer=life.customer))["data"]
    return life, sorted(row["amount"] for row in rows)


async def test_classic_billing_credits_what_the_item_costs(stripe: Stripe) -> None:
    _, amounts = await dear_and_back(stripe, "classic")
    assert amounts == [-3000, 750]


async def test_flexible_billing_credits_what_was_billed(stripe: Stripe) -> None:
    _, amounts = await dear_and_back(stripe, "flexible")
    assert amounts == [-750, 750]


@pytest.mark.parametrize(("mode", "credits"), [("classic", [-1250]), ("flexible", [-1125])])
async def test_a_fixed_discount_is_spread_evenly_or_by_what_items_cost(
    stripe: Stripe, mode: str, credits: list[int]
) -> None:
    coupon = await stripe.post("coupons", amount_off=1000, currency="usd", duration="forever")
    product = await stripe.product()
    cheap, dear = await stripe.price(product, 1000), await stripe.price(product, 3000)
    made = await stripe.subscribe(
        "spread@box.example",
        cheap,
        billing_mode={"type": mode},
    )
    life = Life(stripe, made["id"], made["customer"], cheap)
    found = await life.update(
        items=[{"price": dear}],
        discounts=[{"coupon": coupon["id"]}],
        proration_behavior="none",
    )
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=3700)
    found = await life.now()
    item = next(row for row in found["items"]["data"] if row["price"]["id"] == dear)
    middle = (item["current_period_start"] + item["current_period_end"]) // 2
    await life.update(items=[{"id": item["id"], "deleted": True}], proration_date=middle)
    rows = (await stripe.get("invoiceitems", customer=life.customer, pending=True))["data"]
    assert [row["amount"] for row in rows] == credits


async def test_a_percentage_comes_off_prorations_once(stripe: Stripe) -> None:
    coupon = await stripe.post("coupons", percent_off=50, duration="forever")
    life = await begin(stripe, discounts=[{"coupon": coupon["id"]}])
    item = (await life.now())["items"]["data"][0]
    middle = (item["current_period_start"] + item["current_period_end"]) // 2
    await life.update(
        items=[{"id": item["id"], "quantity": 3}],
        proration_date=middle,
        proration_behavior="always_invoice",
    )
    bill = (await life.invoices())[0]
    assert sorted(line["amount"] for line in bill["lines"]["data"]) == [-375, 1125]
    assert bill["total"] == 750
