"""What a checkout asks for, offers and lets the buyer choose, on its page and in a component."""

import re

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import refused

pytestmark = pytest.mark.anyio
ADDRESS = {"line1": "1 Main Street", "city": "Bonn", "postal_code": "53113", "country": "DE"}


async def cart(stripe: Stripe, **params: object) -> Json:
    price = await stripe.price(await stripe.product(), 1500, every=None)
    return await stripe.checkout(price, mode="payment", **params)


async def not_paid(stripe: Stripe, session: Json, **entered: object) -> Json:
    answer = await stripe.client.post(
        f"/_sandbox/checkout/{session['id']}/pay", json={"email": "ada@box.example", **entered}
    )
    assert answer.status_code == 400
    error: Json = answer.json()["error"]
    assert (await stripe.get(f"checkout/sessions/{session['id']}"))["status"] == "open"
    return error


FIELDS = [
    {
        "key": "size",
        "label": {"type": "custom", "custom": "Size"},
        "type": "dropdown",
        "dropdown": {"options": [{"label": "Small", "value": "s"}, {"label": "Big", "value": "b"}]},
    },
    {
        "key": "note",
        "label": {"type": "custom", "custom": "Note"},
        "type": "text",
        "optional": True,
    },
]


async def test_custom_fields_are_asked_for_and_answered(stripe: Stripe) -> None:
    session = await cart(stripe, custom_fields=FIELDS)
    assert session["custom_fields"][0]["dropdown"]["value"] is None
    page = (await stripe.client.get(session["url"])).text
    assert 'name="fields[size]"' in page
    assert 'name="fields[note]"' in page
    assert (await not_paid(stripe, session))["param"] == "fields[size]"
    assert (await not_paid(stripe, session, fields={"size": "x"}))["param"] == "fields[size]"
    paid = await stripe.pay(session, "ada@box.example", fields={"size": "b", "note": "hi"})
    assert [field[field["type"]]["value"] for field in paid["custom_fields"]] == ["b", "hi"]


async def test_names_numbers_addresses_and_consent_are_collected(stripe: Stripe) -> None:
    session = await cart(
        stripe,
        billing_address_collection="required",
        phone_number_collection={"enabled": True},
        name_collection={"business": {"enabled": True}},
        shipping_address_collection={"allowed_countries": ["DE", "AT"]},
        tax_id_collection={"enabled": True},
        consent_collection={"terms_of_service": "required", "promotions": "auto"},
        customer_creation="always",
    )
    entered: Json = {
        "phone": "+49228123",
        "business_name": "Ada & Co",
        "address": ADDRESS,
        "shipping": {"name": "Ada", "address": ADDRESS},
        "tax_id": {"type": "eu_vat", "value": "DE123456789"},
        "consent": {"terms_of_service": "accepted", "promotions": "opt_in"},
    }
    for name, param in (
        ("phone", "phone"),
        ("business_name", "business_name"),
        ("address", "address"),
        ("shipping", "shipping"),
        ("consent", "consent[terms_of_service]"),
    ):
        left = {key: value for key, value in entered.items() if key != name}
        assert (await not_paid(stripe, session, **left))["param"] == param
    abroad = {**entered, "shipping": {"name": "Ada", "address": {**ADDRESS, "country": "US"}}}
    assert (await not_paid(stripe, session, **abroad))["param"] == "shipping[address][country]"
    paid = await stripe.pay(session, "ada@box.example", **entered)
    details = paid["customer_details"]
    assert (details["phone"], details["business_name"]) == ("+49228123", "Ada & Co")
    assert details["address"]["city"] == "Bonn"
    assert details["tax_ids"] == [{"type": "eu_vat", "value": "DE123456789"}]
    assert paid["consent"] == {"promotions": "opt_in", "terms_of_service": "accepted"}
    assert paid["collected_information"]["shipping_details"]["name"] == "Ada"
    customer = await stripe.get(f"customers/{paid['customer']}")
    assert (customer["phone"], customer["shipping"]["address"]["city"]) == ("+49228123", "Bonn")
    intent = await stripe.get(f"payment_intents/{paid['payment_intent']}")
    assert intent["shipping"]["name"] == "Ada"
    charge = await stripe.get(f"charges/{intent['latest_charge']}")
    assert charge["billing_details"]["address"]["city"] == "Bonn"


async def test_quantities_and_optional_items_are_the_buyers_choice(stripe: Stripe) -> None:
    product = await stripe.product()
    price = await stripe.price(product, 1000, every=None)
    extra = await stripe.price(product, 300, every=None)
    session = await stripe.post(
        "checkout/sessions",
        mode="payment",
        success_url="https://example.com",
        line_items=[
            {
                "price": price,
                "quantity": 2,
                "adjustable_quantity": {"enabled": True, "minimum": 1, "maximum": 5},
            }
        ],
        optional_items=[{"price": extra, "quantity": 1}],
    )
    assert session["optional_items"][0]["price"] == extra
    assert (await not_paid(stripe, session, quantities={price: 6}))["param"] == "quantities"
    assert (await not_paid(stripe, session, optional={extra: 2}))["param"] == "quantities"
    paid = await stripe.pay(session, "ada@box.example", quantities={price: 3}, optional={extra: 1})
    assert paid["amount_total"] == 3300
    lines = (await stripe.get(f"checkout/sessions/{paid['id']}/line_items"))["data"]
    assert [(line["quantity"], line["amount_total"]) for line in lines] == [(3, 3000), (1, 300)]
    intent = await stripe.get(f"payment_intents/{paid['payment_intent']}")
    assert intent["amount"] == 3300


async def test_a_link_hands_on_what_it_asks_for(stripe: Stripe) -> None:
    product = await stripe.product()
    price = await stripe.price(product, 1000, every=None)
    extra = await stripe.price(product, 300, every=None)
    link = await stripe.post(
        "payment_links",
        line_items=[
            {"price": price, "quantity": 1, "adjustable_quantity": {"enabled": True, "maximum": 3}}
        ],
        optional_items=[{"price": extra, "quantity": 1}],
        custom_fields=FIELDS,
        phone_number_collection={"enabled": True},
    )
    assert "value" not in link["custom_fields"][0]["dropdown"]
    session = await stripe.control(f"payment_links/{link['id']}/open")
    paid = await stripe.pay(
        session,
        "ada@box.example",
        fields={"size": "s"},
        phone="+1555",
        quantities={price: 3},
        optional={extra: 1},
    )
    assert (paid["amount_total"], paid["customer_details"]["phone"]) == (3300, "+1555")
    changed = await stripe.post(
        f"payment_links/{link['id']}", phone_number_collection={"enabled": False}
    )
    assert changed["phone_number_collection"]["enabled"] is False


async def test_a_session_is_paid_in_a_component(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 1500, every=None)
    params = {"mode": "payment", "line_items": [{"price": price, "quantity": 1}]}
    error = await refused(stripe, "checkout/sessions", **params, ui_mode="embedded_page")
    assert error["param"] == "return_url"
    back = "https://example.com/back?cs={CHECKOUT_SESSION_ID}"
    session = await stripe.post(
        "checkout/sessions", **params, ui_mode="embedded_page", return_url=back
    )
    assert (session["url"], session["redirect_on_completion"]) == (None, "always")
    assert session["client_secret"].startswith(f"{session['id']}_secret_")
    url = f"{stripe.url}/c/embedded/{session['client_secret']}"
    assert "Card number" in (await stripe.client.get(url)).text
    answer = await stripe.client.post(
        url, data={"email": "ada@box.example", "name": "Ada", "card": "4242424242424242"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == f"https://example.com/back?cs={session['id']}"
    never = await stripe.post(
        "checkout/sessions", **params, ui_mode="elements", redirect_on_completion="never"
    )
    assert never["redirect_on_completion"] == "never"
    assert (await stripe.client.get(f"{stripe.url}/c/embedded/nonsense")).status_code == 404


async def test_an_expired_session_is_recovered(stripe: Stripe) -> None:
    session = await cart(stripe, after_expiration={"recovery": {"enabled": True}})
    assert session["after_expiration"]["recovery"]["url"] is None
    gone = await stripe.post(f"checkout/sessions/{session['id']}/expire")
    url = gone["after_expiration"]["recovery"]["url"]
    answer = await stripe.client.get(url)
    again = re.search(r"cs_test_\w+", answer.headers["location"])
    assert again
    found = await stripe.get(f"checkout/sessions/{again[0]}")
    assert (found["recovered_from"], found["amount_total"]) == (session["id"], 1500)
    assert (await stripe.pay(found, "ada@box.example"))["status"] == "complete"


async def test_a_kind_of_payment_method_that_is_not_offered_is_refused(stripe: Stripe) -> None:
    session = await cart(stripe, allowed_payment_method_types=["card"])
    assert session["payment_method_types"] == ["card"]
    assert (await not_paid(stripe, session, card="sepa_debit"))["param"] == "payment_method"


@pytest.mark.parametrize("seconds", [60, 25 * 3600])
async def test_a_session_lives_between_half_an_hour_and_a_day(stripe: Stripe, seconds: int) -> None:
    price = await stripe.price(await stripe.product(), 1500, every=None)
    made = await stripe.checkout(price, mode="payment")
    error = await refused(
        stripe,
        "checkout/sessions",
        mode="payment",
        line_items=[{"price": price, "quantity": 1}],
        success_url="https://example.com",
        expires_at=made["created"] + seconds,
    )
    assert error["param"] == "expires_at"


async def test_an_invoice_of_a_session_says_what_it_is_to_say(stripe: Stripe) -> None:
    session = await cart(
        stripe,
        customer_creation="always",
        invoice_creation={
            "enabled": True,
            "invoice_data": {
                "description": "Thanks",
                "footer": "Bye",
                "custom_fields": [{"name": "PO", "value": "7"}],
                "metadata": {"a": "b"},
            },
        },
    )
    assert session["invoice_creation"]["enabled"] is True
    assert session["managed_payments"] == {"enabled": False}
    paid = await stripe.pay(session, "ada@box.example")
    bill = await stripe.get(f"invoices/{paid['invoice']}")
    assert (bill["description"], bill["footer"], bill["metadata"]) == ("Thanks", "Bye", {"a": "b"})
    assert bill["custom_fields"] == [{"name": "PO", "value": "7"}]


async def test_a_session_says_what_its_total_is_made_of(stripe: Stripe) -> None:
    coupon = await stripe.post("coupons", percent_off=10)
    session = await cart(stripe, discounts=[{"coupon": coupon["id"]}])
    found = await stripe.get(
        f"checkout/sessions/{session['id']}", **{"expand[]": "total_details.breakdown"}
    )
    row = found["total_details"]["breakdown"]["discounts"][0]
    assert (row["amount"], row["discount"]["source"]["coupon"]) == (150, coupon["id"])
