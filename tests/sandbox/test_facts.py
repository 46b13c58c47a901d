"""Facts of Stripe's documentation: least amounts, and what a dispute costs."""

import pytest

from sandbox import disputes
from sandbox.schema import Published
from tests.sandbox.inside import Inside


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
