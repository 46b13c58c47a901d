"""Prices of all shapes, and what they come to wherever they are used."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import begin, refused

pytestmark = pytest.mark.anyio
TIERS = [
    {"up_to": 5, "unit_amount": 700, "flat_amount": 100},
    {"up_to": "inf", "unit_amount": 500},
]


async def priced(stripe: Stripe, **params: object) -> Json:
    return await stripe.post(
        "prices", product=await stripe.product(), **{"currency": "usd", **params}
    )


async def bill_of(stripe: Stripe, price: Json, quantity: int, **params: object) -> Json:
    customer = await stripe.customer("price@box.example")
    items = [{"price": price["id"], "quantity": quantity}]
    made = await stripe.post("subscriptions", customer=customer, items=items, **params)
    return await stripe.get(f"invoices/{made['latest_invoice']}")


async def test_fractions_of_a_cent_are_kept_and_rounded_on_the_bill(stripe: Stripe) -> None:
    made = await priced(stripe, unit_amount_decimal="10.5", recurring={"interval": "month"})
    assert (made["unit_amount"], made["unit_amount_decimal"]) == (None, "10.5")
    bill = await bill_of(stripe, made, 7)
    assert bill["total"] == 74
    assert bill["lines"]["data"][0]["pricing"]["unit_amount_decimal"] == "10.5"
    whole = await priced(stripe, unit_amount_decimal="12.00")
    assert (whole["unit_amount"], whole["unit_amount_decimal"]) == (12, "12")


@pytest.mark.parametrize(
    ("mode", "quantity", "total"),
    [("graduated", 5, 3600), ("graduated", 8, 5100), ("volume", 5, 3600), ("volume", 8, 4000)],
)
async def test_tiers(stripe: Stripe, mode: str, quantity: int, total: int) -> None:
    made = await priced(
        stripe,
        billing_scheme="tiered",
        tiers_mode=mode,
        tiers=TIERS,
        recurring={"interval": "month"},
    )
    assert (made["billing_scheme"], made["tiers_mode"]) == ("tiered", mode)
    assert (made["unit_amount"], "tiers" in made) == (None, False)
    found = await stripe.get(f"prices/{made['id']}", **{"expand[]": "tiers"})
    assert [tier["up_to"] for tier in found["tiers"]] == [5, None]
    assert (await bill_of(stripe, made, quantity))["total"] == total


async def test_tiers_that_make_no_sense_are_refused(stripe: Stripe) -> None:
    given = {"currency": "usd", "product": await stripe.product(), "billing_scheme": "tiered"}
    error = await refused(stripe, "prices", **given, tiers=TIERS)
    assert error["param"] == "tiers_mode"
    error = await refused(stripe, "prices", **given, tiers=TIERS[:1], tiers_mode="volume")
    assert error["param"] == "tiers"
    error = await refused(stripe, "prices", **{**given, "unit_amount": 5})
    assert error["param"] == "billing_scheme"


async def test_packages(stripe: Stripe) -> None:
    made = await priced(
        stripe,
        unit_amount=900,
        transform_quantity={"divide_by": 10, "round": "up"},
        recurring={"interval": "month"},
    )
    assert made["transform_quantity"] == {"divide_by": 10, "round": "up"}
    assert (await bill_of(stripe, made, 11))["total"] == 1800


async def test_a_price_in_several_currencies(stripe: Stripe) -> None:
    made = await priced(
        stripe,
        unit_amount=1000,
        currency_options={"eur": {"unit_amount": 900}},
        recurring={"interval": "month"},
    )
    assert "currency_options" not in made
    found = await stripe.get(f"prices/{made['id']}", **{"expand[]": "currency_options"})
    assert {key: row["unit_amount"] for key, row in found["currency_options"].items()} == {
        "usd": 1000,
        "eur": 900,
    }
    bill = await bill_of(stripe, made, 2, currency="eur")
    assert (bill["currency"], bill["total"]) == ("eur", 1800)
    line = bill["lines"]["data"][0]
    assert (line["currency"], line["pricing"]["unit_amount_decimal"]) == ("eur", "900")
    session = await stripe.checkout(made["id"], currency="eur")
    assert (session["currency"], session["amount_total"]) == ("eur", 900)
    paid = await stripe.pay(session, "eur@box.example")
    assert (await stripe.get(f"subscriptions/{paid['subscription']}"))["currency"] == "eur"
    error = await refused(
        stripe,
        "checkout/sessions",
        mode="subscription",
        success_url="https://example.com",
        currency="jpy",
        line_items=[{"price": made["id"], "quantity": 1}],
    )
    assert error["status"] == 400
    await stripe.post(f"prices/{made['id']}", currency_options={"eur": {"unit_amount": 950}})
    assert (await bill_of(stripe, made, 1, currency="eur"))["total"] == 950


async def test_a_buyer_chooses_what_to_pay(stripe: Stripe) -> None:
    limits = {"enabled": True, "minimum": 500, "maximum": 5000, "preset": 1000}
    made = await priced(stripe, custom_unit_amount=limits)
    assert made["custom_unit_amount"] == {"minimum": 500, "maximum": 5000, "preset": 1000}
    session = await stripe.checkout(made["id"], mode="payment")
    assert session["amount_total"] == 1000
    answer = await stripe.client.post(
        f"/_sandbox/checkout/{session['id']}/pay", json={"email": "a@box.example", "amount": 499}
    )
    assert answer.status_code == 400
    paid = await stripe.pay(session, "ada@box.example", amount=2500)
    assert paid["amount_total"] == 2500


async def test_a_lookup_key_belongs_to_one_price(stripe: Stripe) -> None:
    first = await priced(stripe, unit_amount=1, lookup_key="gold")
    given = {"product": first["product"], "currency": "usd", "unit_amount": 2}
    error = await refused(stripe, "prices", **given, lookup_key="gold")
    assert error["param"] == "lookup_key"
    await stripe.post("prices", **given, lookup_key="gold", transfer_lookup_key=True)
    assert (await stripe.get(f"prices/{first['id']}"))["lookup_key"] is None


async def test_products_keep_what_they_are_told(stripe: Stripe) -> None:
    told = {
        "statement_descriptor": "SHOP",
        "unit_label": "seat",
        "tax_code": "txcd_10000000",
        "marketing_features": [{"name": "All of it"}],
        "shippable": True,
    }
    made = await stripe.post("products", name="Course", **told)
    assert {key: made[key] for key in told} == told


async def test_a_quantity_of_none_costs_nothing(stripe: Stripe) -> None:
    life = await begin(stripe)
    item = (await life.now())["items"]["data"][0]["id"]
    await life.update(items=[{"id": item, "quantity": 0}], proration_behavior="none")
    await life.until("period_end")
    assert (await life.invoices())[0]["total"] == 0
