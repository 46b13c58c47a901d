"""The sandbox's pages, as seen by a browser without JavaScript."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.harness import Stripe, http_client
from tests.sandbox.lives import begin

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(stripe: Stripe) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=stripe.url) as client:
        yield client


async def open_session(stripe: Stripe, **params: object) -> str:
    price = await stripe.price(await stripe.product("Course <b>"), every=None)
    session = await stripe.checkout(price, mode="payment", **params)
    return f"/c/pay/{session['id']}"


FORM = {"email": "p@box.example", "name": "P", "card": "4242 4242 4242 4242", "method": "card"}


async def test_checkout_takes_a_promotion_code_and_is_free_then(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    made = await stripe.post("coupons", percent_off=100)
    promotion = {"type": "coupon", "coupon": made["id"]}
    await stripe.post("promotion_codes", promotion=promotion, code="ALL")
    path = await open_session(
        stripe, allow_promotion_codes=True, cancel_url="http://127.0.0.1/back"
    )
    shown = await visitor.get(path)
    assert "Course &lt;b&gt;" in shown.text
    assert 'href="http://127.0.0.1/back"' in shown.text
    assert "Sandbox, not Stripe" in shown.text
    wrong = await visitor.post(path, data={**FORM, "promotion_code": "NO", "do": "promotion"})
    assert "This promotion code is invalid." in wrong.text
    assert 'value="p@box.example"' in wrong.text
    right = await visitor.post(path, data={**FORM, "promotion_code": "all", "do": "promotion"})
    assert "No payment method is needed." in right.text
    assert "Card number" not in right.text
    paid = await visitor.post(path, data={"email": "p@box.example", "name": "P"})
    assert paid.status_code == 303
    again = await visitor.get(path)
    assert "This checkout session has ended" in again.text


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000000000009995", "Your card has insufficient funds."),
        ("4000000000000069", "Your card has expired."),
        ("1234", "Your card number is invalid."),
    ],
)
async def test_checkout_says_why_a_card_is_refused(
    stripe: Stripe, visitor: httpx.AsyncClient, card: str, words: str
) -> None:
    answer = await visitor.post(await open_session(stripe), data={**FORM, "card": card})
    assert answer.status_code == 402
    assert words.replace("'", "&#39;") in answer.text


async def test_3d_secure_is_a_step_that_can_be_refused(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    path = await open_session(stripe)
    form = {**FORM, "card": "4000002760003184"}
    asked = await visitor.post(path, data=form)
    assert "Confirm your payment" in asked.text
    assert 'name="email" value="p@box.example"' in asked.text
    refused = await visitor.post(path, data={**form, "authenticated": "no"})
    assert "unable to authenticate" in refused.text
    paid = await visitor.post(path, data={**form, "authenticated": "yes"})
    assert paid.status_code == 303


async def test_a_delayed_method_and_a_bad_address(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    path = await open_session(stripe, allowed_payment_method_types=["sepa_debit"])
    bad = await visitor.post(path, data={**FORM, "email": "nobody", "method": "sepa_debit"})
    assert "Your email is incomplete." in bad.text
    paid = await visitor.post(path, data={**FORM, "method": "sepa_debit", "card": ""})
    assert paid.status_code == 303
    session = await stripe.get(f"checkout/sessions/{path.rsplit('/', 1)[1]}")
    assert session["payment_status"] == "unpaid"


@pytest.mark.parametrize(
    ("listed", "offered", "other"),
    [
        (["card"], ["card"], "sepa_debit"),
        (
            ["us_bank_account", "card", "klarna"],
            ["card", "us_bank_account", "000111111113"],
            "sepa_debit",
        ),
        (["sepa_debit"], ["sepa_debit", "AT861904300235473202"], "card"),
        (["klarna"], [], "card"),
    ],
)
async def test_the_page_offers_what_its_session_lists(
    stripe: Stripe,
    visitor: httpx.AsyncClient,
    listed: list[str],
    offered: list[str],
    other: str,
) -> None:
    path = await open_session(stripe, allowed_payment_method_types=listed)
    shown = (await visitor.get(path)).text
    assert re.findall(r'name="method" value="(\w+)"', shown) == offered
    assert re.findall(r'value="(\w+)" checked', shown) == offered[:1]
    assert ("Card number" in shown) == ("card" in offered)
    assert ("offers: klarna" in shown) == (not offered)
    refused = await visitor.post(path, data={**FORM, "method": other})
    assert "This payment method isn&#39;t offered here." in refused.text
    assert (await stripe.get(f"checkout/sessions/{path.rsplit('/', 1)[1]}"))["status"] == "open"


async def test_a_payment_link_makes_a_session_for_each_visit(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    link = await stripe.post(
        "payment_links",
        line_items=[{"price": price, "quantity": 1}],
        after_completion={
            "type": "hosted_confirmation",
            "hosted_confirmation": {"custom_message": "See you on board"},
        },
    )
    query = {"client_reference_id": "a_b-1", "locked_prefilled_email": "in@box.example"}
    first = await visitor.get(f"/b/{link['id']}", params=query)
    other = await visitor.get(f"/b/{link['id']}", params={"client_reference_id": "no way!"})
    assert first.headers["location"] != other.headers["location"]
    for answer, reference in ((first, "a_b-1"), (other, None)):
        found = await stripe.get(f"checkout/sessions/{answer.headers['location'].split('/')[-1]}")
        assert found["client_reference_id"] == reference
    shown = await visitor.get(first.headers["location"])
    assert re.search(r'value="in@box.example"[^>]*readonly', shown.text)
    thanks = await visitor.post(first.headers["location"], data=FORM)
    assert "See you on board" in thanks.text
    await stripe.post(f"payment_links/{link['id']}", active=False, inactive_message="Sold out")
    assert "Sold out" in (await visitor.get(f"/b/{link['id']}")).text


async def configured(stripe: Stripe, customer: str, **features: object) -> str:
    made = await stripe.post("billing_portal/configurations", features=features)
    session = await stripe.post(
        "billing_portal/sessions",
        customer=customer,
        configuration=made["id"],
        return_url="http://127.0.0.1/home",
    )
    return str(session["url"]).removeprefix(stripe.url)


async def test_the_portal_shows_what_its_configuration_allows(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    cheap = await stripe.price(await stripe.product("Cheap"), 500)
    path = await configured(
        stripe,
        life.customer,
        subscription_cancel={"enabled": False},
        invoice_history={"enabled": True},
    )
    shown = (await visitor.get(path)).text
    assert "Invoice history" in shown
    assert 'href="http://127.0.0.1/home"' in shown
    for absent in ("Cancel subscription", "Update plan", "Change card"):
        assert absent not in shown
    form = {"subscription": life.id, "do": "cancel"}
    assert "can&#39;t be cancelled here" in (await visitor.post(path, data=form)).text
    product = (await stripe.get(f"prices/{cheap}"))["product"]
    path = await configured(
        stripe,
        life.customer,
        subscription_cancel={
            "enabled": True,
            "mode": "at_period_end",
            "cancellation_reason": {"enabled": True, "options": ["unused"]},
        },
        payment_method_update={"enabled": True},
        customer_update={"enabled": True, "allowed_updates": ["email"]},
        subscription_update={
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": [{"product": product, "prices": [cheap]}],
            "proration_behavior": "none",
        },
    )
    shown = (await visitor.get(path)).text
    assert "Cheap: $5.00 per month" in shown
    switched = await visitor.post(
        path, data={"subscription": life.id, "do": "switch", "price": cheap}
    )
    assert "Your plan has been changed." in switched.text
    assert (await life.now())["items"]["data"][0]["price"]["id"] == cheap
    changed = await visitor.post(path, data={"do": "card", "card": "5555555555554444"})
    assert "Mastercard" in changed.text
    mail = await visitor.post(path, data={"do": "details", "email": "n@box.example", "name": "N"})
    assert "n@box.example" in mail.text
    asked = (await visitor.post(path, data={"subscription": life.id, "do": "cancel"})).text
    assert "Why did you cancel?" in asked
    assert ('value="unused"' in asked, 'value="too_complex"' in asked) == (True, False)
    assert (await life.now())["cancellation_details"]["feedback"] is None
    answer = {"subscription": life.id, "do": "reason", "feedback": "unused", "comment": "bye"}
    assert "Why did you cancel?" not in (await visitor.post(path, data=answer)).text
    found = await life.now()
    assert found["cancellation_details"]["comment"] == "bye"
    undone = await visitor.post(path, data={"subscription": life.id, "do": "undo"})
    assert "Your subscription will continue." in undone.text
    other = await begin(stripe)
    strange = await visitor.post(path, data={"subscription": other.id, "do": "cancel"})
    assert "No such subscription." in strange.text


async def test_the_portal_asks_for_a_reason_only_if_configured(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    path = await configured(stripe, life.customer, subscription_cancel={"enabled": True})
    cancelled = await visitor.post(path, data={"subscription": life.id, "do": "cancel"})
    assert "Your subscription has been cancelled" in cancelled.text
    assert "Why did you cancel?" not in cancelled.text


async def test_a_portal_session_expires(stripe: Stripe, visitor: httpx.AsyncClient) -> None:
    life = await begin(stripe)
    session = await stripe.post("billing_portal/sessions", customer=life.customer)
    await stripe.control("clock/advance", seconds=301)
    answer = await visitor.get(session["url"])
    assert (answer.status_code, "has expired" in answer.text) == (410, True)
    await stripe.control("settings", portal_saved=False)
    fresh = await stripe.client.get("/v1/billing_portal/configurations")
    assert len(fresh.json()["data"]) == 1


async def test_an_open_invoice_can_be_paid_on_its_page(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe, card=None, payment_behavior="default_incomplete")
    bill = (await life.invoices())[0]
    path = bill["hosted_invoice_url"].removeprefix(stripe.url)
    assert "$15.00" in (await visitor.get(path)).text
    declined = await visitor.post(path, data={"card": "4000000000000002"})
    assert "Your card was declined." in declined.text
    paid = await visitor.post(path, data={"card": "4242424242424242"})
    assert "The invoice has been paid" in paid.text
    assert (await life.now())["status"] == "active"


async def test_pages_show_tax_shipping_and_credit(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    vat = await stripe.post("tax_rates", display_name="VAT", percentage=20, inclusive=False)
    post = await stripe.post(
        "shipping_rates", display_name="Post", fixed_amount={"amount": 450, "currency": "usd"}
    )
    price = await stripe.price(await stripe.product(), 1000, every=None)
    session = await stripe.post(
        "checkout/sessions",
        mode="payment",
        success_url="http://127.0.0.1/thanks",
        line_items=[{"price": price, "quantity": 1, "tax_rates": [vat["id"]]}],
        shipping_options=[{"shipping_rate": post["id"]}],
        invoice_creation={"enabled": True},
        customer_creation="always",
    )
    shown = (await visitor.get(session["url"].removeprefix(stripe.url))).text
    for amount in ("$2.00", "$4.50", "$16.50"):
        assert amount in shown
    session = await stripe.pay(session, "page@box.example")
    note = await stripe.post(
        "credit_notes", invoice=session["invoice"], amount=700, refund_amount=700
    )
    bill = await stripe.get(f"invoices/{session['invoice']}")
    shown = (await visitor.get(bill["hosted_invoice_url"].removeprefix(stripe.url))).text
    for text in ("$2.00", "$4.50", "$16.50", "$7.00", note["number"]):
        assert text in shown


async def test_the_control_pages(stripe: Stripe, visitor: httpx.AsyncClient) -> None:
    life = await begin(stripe)
    for path in ("/", "/webhooks", "/requests", "/faults", "/objects?kind=subscription"):
        answer = await visitor.get(path)
        assert answer.status_code == 200, path
        assert "Sandbox, not Stripe" in answer.text
    assert life.id in (await visitor.get(f"/objects/{life.id}")).text
    assert (await visitor.get("/objects/none")).status_code == 404
    await visitor.post("/control/faults", data={"rate": "0.5", "drop": "1", "delay_seconds": "3"})
    known = (await stripe.client.get("/_sandbox/faults")).json()
    assert (known["drop"], known["duplicate"], known["delay_seconds"]) == (0.5, 0, 3)
    await visitor.post("/control/faults", data={"do": "none"})
    assert not any((await stripe.client.get("/_sandbox/faults")).json().values())
    charge = (await stripe.get("charges", customer=life.customer))["data"][0]["id"]
    for do in ("refund_part", "dispute"):
        moved = await visitor.post("/control/charge", data={"id": charge, "do": do})
        assert "error" not in moved.headers["location"]
    found = (await stripe.get("disputes", charge=charge))["data"][0]["id"]
    await visitor.post("/control/charge", data={"id": charge, "do": "lost", "dispute": found})
    assert (await stripe.get(f"disputes/{found}"))["status"] == "lost"
    for do, status in (("pause", "paused"), ("resume", "active"), ("now", "canceled")):
        await visitor.post("/control/subscription", data={"id": life.id, "do": do})
        assert (await life.now())["status"] == status
    wrong = await visitor.post("/control/subscription", data={"id": "sub_no", "do": "now"})
    assert "error=" in wrong.headers["location"]
    nothing = await visitor.post("/control/advance", data={"seconds": "-5"})
    assert "error=" in nothing.headers["location"]
