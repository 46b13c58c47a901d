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


def test_an_intent_accepts_what_suits_unless_kinds_are_named(published: Published) -> None:
    account = Inside.empty(published)
    for path in ("payment_intents", "setup_intents"):
        money = {"amount": 900, "currency": "usd"} if path == "payment_intents" else {}
        made = account.make(path, **money)
        assert made["automatic_payment_methods"] == {"allow_redirects": "always", "enabled": True}
        assert made["payment_method_configuration_details"]["id"].startswith("pmc_")
        named = account.make(path, **money, allowed_payment_method_types=["card"])
        assert named["automatic_payment_methods"] is None
        both = {"allowed_payment_method_types": ["card"], "excluded_payment_method_types": ["link"]}
        assert account.ask("POST", path, **money, **both)[0] == 400
        status, body = account.ask("POST", path, **money, payment_method_types=["card"])
        assert (status, body["error"]["code"]) == (400, "payment_method_types_no_longer_supported")


def test_a_setup_session_has_its_setup_intent_from_the_start(published: Published) -> None:
    account = Inside.empty(published)
    customer = account.make("customers", email="setup@box.example")["id"]
    asked = {"mode": "setup", "currency": "usd", "success_url": "https://a.example"}
    session = account.make("checkout/sessions", customer=customer, **asked)
    intent = account.get(f"setup_intents/{session['setup_intent']}")
    assert (intent["status"], intent["customer"]) == ("requires_payment_method", customer)
    assert session["customer_details"]["tax_exempt"] is None
    assert session["branding_settings"]["display_name"] == "Harbour School"
    account.make(f"checkout/sessions/{session['id']}/expire")
    assert account.get(f"setup_intents/{intent['id']}")["status"] == "canceled"


def test_each_customer_has_invoice_numbers_of_their_own(published: Published) -> None:
    account = Inside.empty(published)
    for _ in range(2):
        customer = account.make("customers")
        for number in ("0001", "0002"):
            bill = account.make("invoices", customer=customer["id"])
            assert bill["rendering"]["pdf"]["page_size"] == "auto"
            account.make(
                "invoiceitems",
                customer=customer["id"],
                invoice=bill["id"],
                amount=900,
                currency="usd",
            )
            done = account.make(f"invoices/{bill['id']}/finalize")
            assert done["number"] == f"{customer['invoice_prefix']}-{number}"
            assert done["rendering"]["pdf"]["page_size"] == "letter"
        found = account.get(f"customers/{customer['id']}")
        assert found["next_invoice_sequence"] == 3


def test_a_discount_of_an_item_names_it(published: Published) -> None:
    account = Inside.empty(published)
    customer = account.make("customers")["id"]
    coupon = account.make("coupons", percent_off=50)["id"]
    item = account.make(
        "invoiceitems",
        customer=customer,
        amount=900,
        currency="usd",
        discounts=[{"coupon": coupon}],
        expand=["discounts"],
    )
    assert item["discounts"][0]["invoice_item"] == item["id"]


@pytest.mark.parametrize("mode", ["classic", "flexible"])
def test_a_credit_names_the_line_that_it_gives_back(published: Published, mode: str) -> None:
    account = Inside.empty(published)
    product = account.make("products", name="Course")["id"]
    small, large = [
        account.make(
            "prices",
            product=product,
            currency="usd",
            unit_amount=amount,
            recurring={"interval": "month"},
        )["id"]
        for amount in (900, 1900)
    ]
    customer = account.make(
        "customers",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )["id"]
    made = account.make(
        "subscriptions",
        customer=customer,
        items=[{"price": small}],
        billing_mode={"type": mode},
        expand=["latest_invoice"],
    )
    first = made["latest_invoice"]
    billed = {"invoice": first["id"], "invoice_line_items": [first["lines"]["data"][0]["id"]]}
    change = [{"id": made["items"]["data"][0]["id"], "price": large}]
    changed = account.make(
        f"subscriptions/{made['id']}",
        items=change,
        proration_behavior="always_invoice",
        expand=["latest_invoice"],
    )
    credited = {
        line["amount"] < 0: line["parent"]["subscription_item_details"]["proration_details"]
        for line in changed["latest_invoice"]["lines"]["data"]
    }
    assert credited == {True: {"credited_items": billed}, False: {"credited_items": None}}
    items = account.get("invoiceitems", customer=customer)["data"]
    credit = next(item for item in items if item["amount"] < 0)
    assert credit["proration_details"]["credited_items"]["invoice_line_item_details"] == billed


def test_what_is_known_of_a_payment_method(published: Published) -> None:
    account = Inside.empty(published)
    customer = account.make("customers")["id"]
    card = account.make("payment_methods", type="card", card={"token": "tok_visa"})
    assert card["card"]["checks"]["cvc_check"] == "unchecked"
    path = f"payment_methods/{card['id']}/attach"
    assert account.make(path, customer=customer)["card"]["checks"]["cvc_check"] == "pass"
    same = account.make("payment_methods", type="card", card={"token": "tok_visa"})
    assert same["card"]["fingerprint"] == card["card"]["fingerprint"]
    assert len(card["card"]["fingerprint"]) == 16
    debit = account.make(
        "payment_methods",
        type="sepa_debit",
        sepa_debit={"iban": "DK5000400440116243"},
        billing_details={"name": "Ada", "email": "ada@box.example"},
    )["sepa_debit"]
    assert (debit["bank_code"], debit["branch_code"], debit["country"]) == ("0040", "", "DK")
    ideal = account.make("payment_methods", type="ideal", ideal={"bank": "abn_amro"})["ideal"]
    assert ideal["bic"] == "ABNANL2A"


def test_a_statement_names_the_account_and_what_is_added(published: Published) -> None:
    account = Inside.empty(published)
    paid = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    for given, words in (
        ({}, "HARBOUR SCHOOL"),
        ({"statement_descriptor_suffix": "Term 1"}, "HARBOUR SCHOOL* TERM 1"),
    ):
        intent = account.make("payment_intents", **paid, **given, expand=["latest_charge"])
        assert intent["latest_charge"]["calculated_statement_descriptor"] == words


def test_an_address_has_all_its_keys(published: Published) -> None:
    account = Inside.empty(published)
    blank = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    shipping = {"name": "Ada", "address": {"line1": "1 Main St"}}
    made = account.make("customers", address={"country": "US"}, shipping=shipping)
    assert made["address"] == {**blank, "country": "US"}
    assert made["shipping"]["address"] == {**blank, "line1": "1 Main St"}
    changed = account.make(f"customers/{made['id']}", address={"city": "Bath"})
    assert changed["address"] == {**blank, "country": "US", "city": "Bath"}


def test_a_refund_for_fraud_reports_the_charge(published: Published) -> None:
    account = Inside.empty(published)
    paid = account.make("charges", amount=900, currency="usd", source="tok_visa")["id"]
    assert account.get(f"charges/{paid}")["fraud_details"] == {}
    account.make("refunds", charge=paid, reason="fraudulent")
    assert account.get(f"charges/{paid}")["fraud_details"] == {"user_report": "fraudulent"}
