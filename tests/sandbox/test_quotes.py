"""Quotes: what they turn into, and what they refuse."""

import time

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import refused

pytestmark = pytest.mark.anyio
DAY = 86400


async def offered(stripe: Stripe, *prices: str, **params: object) -> Json:
    """An open quote to a new customer with a card."""
    card = "pm_card_visa"
    customer = await stripe.post(
        "customers",
        email="quoted@box.example",
        payment_method=card,
        invoice_settings={"default_payment_method": card},
    )
    made = await stripe.post(
        "quotes",
        customer=customer["id"],
        line_items=[{"price": price, "quantity": 2} for price in prices],
        **params,
    )
    assert (made["status"], made["number"]) == ("draft", None)
    return await stripe.post(f"quotes/{made['id']}/finalize")


async def test_a_recurring_price_becomes_a_subscription(stripe: Stripe) -> None:
    """With a price that is paid once on its first invoice."""
    monthly = await stripe.price(await stripe.product(), 900)
    once = await stripe.price(await stripe.product(), 4000, every=None)
    quote = await offered(stripe, monthly, once)
    assert quote["number"].startswith("QT-")
    assert quote["amount_total"] == quote["computed"]["upfront"]["amount_total"] == 9800
    assert quote["computed"]["recurring"]["amount_total"] == 1800
    quote = await stripe.post(f"quotes/{quote['id']}/accept")
    assert (quote["status"], quote["invoice"]) == ("accepted", None)
    found = await stripe.get(
        f"subscriptions/{quote['subscription']}", **{"expand[0]": "latest_invoice"}
    )
    assert (found["status"], found["latest_invoice"]["amount_paid"]) == ("active", 9800)
    rows = found["items"]["data"]
    assert [(row["price"]["id"], row["quantity"]) for row in rows] == [(monthly, 2)]
    wanted = {"expand[0]": "line_items", "expand[1]": "subscription"}
    again = await stripe.get(f"quotes/{quote['id']}", **wanted)
    assert [line["price"]["id"] for line in again["line_items"]["data"]] == [monthly, once]
    assert again["subscription"]["id"] == found["id"]


async def test_prices_paid_once_become_an_invoice(stripe: Stripe) -> None:
    """A draft that is finalized and charged in an hour; its parent names the quote."""
    once = await stripe.price(await stripe.product(), 4000, every=None)
    quote = await offered(stripe, once)
    quote = await stripe.post(f"quotes/{quote['id']}/accept")
    assert quote["subscription"] is None
    bill = await stripe.get(f"invoices/{quote['invoice']}")
    assert (bill["status"], bill["billing_reason"]) == ("draft", "quote_accept")
    assert bill["parent"] == {
        "type": "quote_details",
        "quote_details": {"quote": quote["id"]},
        "subscription_details": None,
    }
    await stripe.control("clock/advance", seconds=2 * 3600)
    bill = await stripe.get(f"invoices/{quote['invoice']}")
    assert (bill["status"], bill["amount_paid"]) == ("paid", 8000)


async def test_a_later_beginning_becomes_a_schedule(stripe: Stripe) -> None:
    monthly = await stripe.price(await stripe.product(), 900)
    begin = int(time.time()) + 3 * DAY
    quote = await offered(stripe, monthly, subscription_data={"effective_date": begin})
    quote = await stripe.post(f"quotes/{quote['id']}/accept")
    assert quote["subscription"] is None
    path = f"subscription_schedules/{quote['subscription_schedule']}"
    assert (await stripe.get(path))["status"] == "not_started"
    await stripe.control("clock/advance", seconds=3 * DAY + 1)
    found = await stripe.get(f"subscriptions/{(await stripe.get(path))['subscription']}")
    assert (found["status"], found["items"]["data"][0]["price"]["id"]) == ("active", monthly)


async def test_a_trial_costs_nothing_upfront(stripe: Stripe) -> None:
    monthly = await stripe.price(await stripe.product(), 900)
    quote = await offered(stripe, monthly, subscription_data={"trial_period_days": 14})
    assert quote["amount_total"] == 0
    assert quote["computed"]["recurring"]["amount_total"] == 1800
    lines = await stripe.get(f"quotes/{quote['id']}/computed_upfront_line_items")
    assert lines["data"] == []
    quote = await stripe.post(f"quotes/{quote['id']}/accept")
    assert (await stripe.get(f"subscriptions/{quote['subscription']}"))["status"] == "trialing"


async def test_only_what_fits_its_status(stripe: Stripe) -> None:
    monthly = await stripe.price(await stripe.product(), 900)
    other = await stripe.price(await stripe.product(), 500)
    bare = await stripe.post("quotes", line_items=[{"price": monthly}])
    assert "customer" in (await refused(stripe, f"quotes/{bare['id']}/finalize"))["message"]
    assert "draft" in (await refused(stripe, f"quotes/{bare['id']}/accept"))["message"]
    customer = await stripe.customer("late@box.example")
    bare = await stripe.post(
        f"quotes/{bare['id']}", customer=customer, line_items=[{"price": other}]
    )
    assert (bare["customer"], bare["amount_total"]) == (customer, 500)
    quote = await stripe.post(f"quotes/{bare['id']}/finalize")
    error = await refused(stripe, f"quotes/{quote['id']}", description="Dearer")
    assert "expires_at" in error["message"]
    await stripe.control("clock/advance", seconds=31 * DAY)
    quote = await stripe.get(f"quotes/{quote['id']}")
    assert (quote["status"], quote["status_transitions"]["canceled_at"] > 0) == ("canceled", True)
    await refused(stripe, f"quotes/{quote['id']}/accept")
    listed = await stripe.get("quotes", status="canceled")
    assert [row["id"] for row in listed["data"]] == [quote["id"]]
