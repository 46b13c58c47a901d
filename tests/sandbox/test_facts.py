"""Facts of Stripe's documentation and of recorded answers."""

import pytest

from sandbox import disputes
from sandbox.schema import Published
from tests.harness import Stripe
from tests.sandbox.inside import Inside
from tests.sandbox.lives import begin, refused


@pytest.mark.parametrize(
    ("currency", "least", "words"),
    [
        ("usd", 50, "Amount must be at least $0.50 usd"),
        ("eur", 50, "Amount must be at least €0.50 eur"),
        ("dkk", 250, "Amount must be at least 2.50 dkk"),
        ("jpy", 50, "Amount must be at least ¥50 jpy"),
    ],
)
def test_each_currency_has_its_least_amount(
    published: Published, currency: str, least: int, words: str
) -> None:
    account = Inside.empty(published)
    account.make("payment_intents", amount=least, currency=currency)
    status, body = account.ask("POST", "payment_intents", amount=least - 1, currency=currency)
    assert (status, body["error"]["code"]) == (400, "amount_too_small")
    assert body["error"]["message"] == words


def test_a_dispute_costs_its_fee_even_if_it_is_won(published: Published) -> None:
    account = Inside.empty(published)
    made = account.make("charges", amount=2000, currency="usd", source="tok_visa")
    charge = account.shop.find("charge", made["id"])
    found = disputes.open_dispute(account.shop, charge)
    disputes.close(account.shop, found, "won")
    entries = account.get(f"disputes/{found['id']}")["balance_transactions"]
    assert [(row["amount"], row["fee"], row["net"]) for row in entries] == [
        (-2000, 1500, -3500),
        (2000, 0, 2000),
    ]
    assert entries[0]["description"] == f"Chargeback withdrawal for {charge['id']}"


@pytest.mark.anyio
async def test_what_stripe_sends_without_publishing_it(stripe: Stripe) -> None:
    """In answers, where expanded, in errors and in events."""
    life = await begin(stripe)
    found = await stripe.get(f"subscriptions/{life.id}", **{"expand[0]": "latest_invoice"})
    (item,) = found["items"]["data"]
    assert (found["plan"]["id"], found["quantity"]) == (item["plan"]["id"], 1)
    assert found["items"]["total_count"] == found["latest_invoice"]["lines"]["total_count"] == 1
    events = await stripe.get("events", type="customer.subscription.created")
    shown = events["data"][0]["data"]["object"]
    assert (shown["plan"]["id"], shown["items"]["total_count"]) == (item["plan"]["id"], 1)
    more = await stripe.price(await stripe.product())
    await stripe.post("subscription_items", subscription=life.id, price=more)
    found = await life.now()
    assert (found["plan"], found["quantity"], found["items"]["total_count"]) == (None, None, 2)
    disputed = await stripe.post("charges", amount=900, currency="usd", source="tok_createDispute")
    (dispute,) = (await stripe.get("disputes", limit=1))["data"]
    charge = await stripe.get(f"charges/{disputed['id']}", **{"expand[0]": "refunds"})
    assert (charge["dispute"], charge["destination"]) == (dispute["id"], None)
    assert charge["refunds"]["total_count"] == 0
    error = await refused(
        stripe,
        "payment_intents",
        amount=900,
        currency="usd",
        confirm=True,
        payment_method="pm_card_chargeDeclined",
    )
    assert error["payment_intent"]["shared_payment_granted_token"] is None
