"""What requests that can't be right are told, in Stripe's words."""

import pytest

from sandbox.calls import registry
from sandbox.schema import Published
from tests.harness import Json
from tests.sandbox.inside import Inside

MONEY = {"amount": 900, "currency": "usd"}
CARD = {"number": "4242424242424242", "exp_month": 5, "exp_year": 2050}
INTEGER = "parameter_invalid_integer"


@pytest.mark.parametrize(
    ("method", "path", "asked", "code", "param", "message"),
    [
        ("POST", "customers", {"a": 1, "b": 2}, "parameter_unknown", "a", "parameters: a, b"),
        ("POST", "customers", {"tax_exempt": "maybe"}, None, "tax_exempt", "exempt, none, or rev"),
        ("POST", "customers", {"address": "US"}, None, "address", "Invalid object"),
        ("POST", "customers", {"metadata": "x"}, None, "metadata", "Invalid object"),
        ("POST", "customers", {"expand": "x"}, None, "expand", "Invalid array"),
        ("POST", "customers", {"name": {"x": "y"}}, None, "name", "Invalid string"),
        (
            "POST",
            "customers",
            {"address": {"planet": "Mars"}},
            "parameter_unknown",
            "address[planet]",
            "address[planet]",
        ),
        ("POST", "payment_intents", {**MONEY, "confirm": "x"}, None, "confirm", "boolean: x"),
        ("GET", "customers", {"created": {"gte": "x"}}, INTEGER, "created[gte]", "integer: x"),
        (
            "GET",
            "customers",
            {"created": {"at": 1}},
            "parameter_unknown",
            "created[at]",
            "created[at]",
        ),
        ("GET", "customers", {"limit": 0}, INTEGER, "limit", "greater than or equal to 1."),
        ("GET", "customers", {"limit": 101}, INTEGER, "limit", "less than or equal to 100."),
        (
            "GET",
            "customers",
            {"starting_after": "cus_a", "ending_before": "cus_b"},
            None,
            None,
            "Received both starting_after and ending_before",
        ),
        ("POST", "customers", {"email": "x"}, "email_invalid", "email", "address: x"),
        ("POST", "customers", {"phone": "1" * 21}, None, "phone", "at most 20 characters"),
        ("POST", "customers", {"metadata": {"k" * 41: "v"}}, None, "metadata", "is 41 characters"),
        (
            "POST",
            "customers",
            {"metadata": {"k": "v" * 501}},
            None,
            "metadata",
            "is 501 characters",
        ),
        (
            "POST",
            "customers",
            {"metadata": {f"k{number}": "v" for number in range(51)}},
            None,
            "metadata",
            "51 keys",
        ),
        (
            "POST",
            "customers",
            {"shipping": {"name": "A"}},
            "parameter_missing",
            "shipping[address]",
            "param: shipping[address].",
        ),
        (
            "POST",
            "checkout/sessions",
            {"client_reference_id": "x" * 201},
            None,
            "client_reference_id",
            "at most 200 characters",
        ),
        ("POST", "products", {"name": ""}, "parameter_invalid_empty", "name", "You should remove"),
        ("POST", "prices", {"currency": "usd"}, "parameter_missing", "product", "product."),
        ("POST", "coupons", {"percent_off": 101}, None, "percent_off", "at most 100"),
        ("POST", "coupons", {"percent_off": 1, "amount_off": 1}, None, None, "only specify one"),
        ("POST", "subscriptions", {}, "parameter_missing", "customer", "customer."),
        (
            "POST",
            "payment_intents",
            {**MONEY, "confirm": True},
            "payment_intent_unexpected_state",
            None,
            "missing a payment method",
        ),
        (
            "POST",
            "setup_intents",
            {"confirm": True},
            "setup_intent_unexpected_state",
            None,
            "missing a payment method",
        ),
        ("POST", "payment_methods", {}, "parameter_missing", "type", "type."),
        (
            "POST",
            "payment_methods/pm_card_visa/attach",
            {},
            "parameter_missing",
            "customer",
            "customer.",
        ),
        (
            "POST",
            "checkout/sessions",
            {"mode": "setup", "success_url": "https://a.example"},
            "parameter_missing",
            "currency",
            "currency.",
        ),
        (
            "POST",
            "checkout/sessions",
            {"success_url": "there"},
            "url_invalid",
            "success_url",
            "Not a valid URL",
        ),
    ],
)
def test_a_request_that_cannot_be_right_is_told_why(
    published: Published,
    method: str,
    path: str,
    asked: Json,
    code: str | None,
    param: str | None,
    message: str,
) -> None:
    status, body = Inside.empty(published).ask(method, path, **asked)
    error = body["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error.get("code"), error.get("param")) == (code, param)
    assert message in error["message"]


def test_an_id_is_missing_from_the_path_or_from_a_parameter(published: Published) -> None:
    account = Inside.empty(published)
    for path, message in (
        ("payment_intents/pi_no", "No such payment_intent: 'pi_no'"),
        ("setup_intents/seti_no", "No such setupintent: 'seti_no'"),
        ("checkout/sessions/cs_no", "No such checkout.session: 'cs_no'"),
        ("payment_methods/pm_no", "No such PaymentMethod: 'pm_no'"),
        ("promotion_codes/promo_no", "No such promotion code: 'promo_no'"),
    ):
        status, body = account.ask("GET", path)
        error = body["error"]
        assert (status, error["code"], error["param"]) == (404, "resource_missing", "id")
        assert error["message"] == message
    for path, asked, param in (
        ("payment_intents", {**MONEY, "customer": "cus_no"}, "customer"),
        ("setup_intents", {"customer": "cus_no"}, "customer"),
        ("payment_methods/pm_card_visa/attach", {"customer": "cus_no"}, "customer"),
        ("refunds", {"charge": "ch_no"}, "charge"),
        ("charges", {**MONEY, "source": "tok_no"}, "source"),
        ("customers", {"payment_method": "pm_no"}, "payment_method"),
    ):
        status, body = account.ask("POST", path, **asked)
        error = body["error"]
        assert (status, error["code"], error["param"]) == (400, "resource_missing", param), path


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "number"),
        ({"exp_month": 13}, "invalid_expiry_month", "exp_month"),
        ({"exp_month": 10**12}, "invalid_expiry_month", "exp_month"),
        ({"exp_year": 2001}, "invalid_expiry_year", "exp_year"),
        ({"cvc": "1"}, "invalid_cvc", "cvc"),
    ],
)
def test_a_card_that_cannot_be_right_is_refused(
    published: Published, given: Json, code: str, param: str
) -> None:
    account = Inside.empty(published)
    for path, kind in (("payment_methods", {"type": "card"}), ("tokens", {})):
        status, body = account.ask("POST", path, **kind, card={**CARD, **given})
        error = body["error"]
        assert (status, error["type"], error["code"]) == (402, "card_error", code)
        assert error["param"] == param
        assert account.make(path, **kind, card=CARD)["card"]["last4"] == "4242"


def test_the_date_of_a_token_is_text(published: Published) -> None:
    account = Inside.empty(published)
    made = account.make("tokens", card={**CARD, "exp_year": 50})
    assert made["card"]["exp_year"] == 2050
    status, body = account.ask("POST", "tokens", card={**CARD, "exp_month": ""})
    assert (status, body["error"]["code"]) == (402, "invalid_expiry_month")


def test_a_session_needs_quantities(published: Published) -> None:
    account = Inside.empty(published)
    product = account.make("products", name="Thing")["id"]
    price = account.make("prices", product=product, currency="usd", unit_amount=900)["id"]
    for line, words in (
        ({}, "Add `quantity` to `line_items[0]`"),
        ({"quantity": 0}, "must be greater than or equal to 1."),
    ):
        status, body = account.ask(
            "POST",
            "checkout/sessions",
            mode="payment",
            success_url="https://a.example",
            line_items=[{"price": price, **line}],
        )
        assert status == 400
        assert words in body["error"]["message"]


@pytest.mark.parametrize("number", ["9" * 19, "-" + "9" * 5000])
def test_a_number_that_no_computer_counts_to_is_refused(published: Published, number: str) -> None:
    account = Inside.empty(published)
    product = account.make("products", name="Thing")["id"]
    for path, asked, name in (
        ("payment_intents", MONEY, "amount"),
        ("prices", {"product": product, "currency": "usd"}, "unit_amount"),
    ):
        status, body = account.ask("POST", path, **{**asked, name: number})
        assert (status, body["error"]["code"], body["error"]["param"]) == (400, INTEGER, name)
    status, body = account.ask(
        "POST", "prices", product=product, currency="usd", unit_amount_decimal=number
    )
    assert (status, body["error"]["param"]) == (400, "unit_amount_decimal")
    assert account.get("prices")["data"] == []


@pytest.mark.parametrize("email", [" a@b.example ", "a\uff20b.example", "A@B\u3002example"])
def test_an_email_may_be_written_in_odd_ways(published: Published, email: str) -> None:
    assert Inside.empty(published).make("customers", email=email)["email"] == email


def test_what_excludes_each_other_is_refused(published: Published) -> None:
    account = Inside.empty(published)
    customer = account.make("customers", payment_method="pm_card_visa")["id"]
    product = account.make("products", name="Thing")["id"]
    sold = {"product": product, "currency": "usd", "recurring": {"interval": "month"}}
    price = account.make("prices", **sold, unit_amount=900)["id"]
    wanted = {"customer": customer, "items": [{"price": price}]}
    paid = account.make(
        "payment_intents",
        **MONEY,
        confirm=True,
        payment_method="pm_card_visa",
        return_url="https://a.example",
    )
    for path, asked in (
        ("prices", {**sold, "unit_amount": 1, "unit_amount_decimal": "1"}),
        ("subscriptions", {**wanted, "trial_end": "now", "trial_period_days": 3}),
        ("subscriptions", {**wanted, "cancel_at": 2_000_000_000, "cancel_at_period_end": True}),
        ("refunds", {"charge": paid["latest_charge"], "payment_intent": paid["id"]}),
    ):
        status, body = account.ask("POST", path, **asked)
        assert status == 400, path
        assert "You may only specify one of these parameters" in body["error"]["message"]
    for asked, param in (
        ({**wanted, "trial_period_days": 731}, "trial_period_days"),
        ({**wanted, "items": [{"price": price, "quantity": -1}]}, "items[0][quantity]"),
    ):
        status, body = account.ask("POST", "subscriptions", **asked)
        assert (status, body["error"]["param"]) == (400, param)


def test_what_only_goes_with_something_else_is_refused(published: Published) -> None:
    account = Inside.empty(published)
    customer = account.make("customers", payment_method="pm_card_visa")["id"]
    product = account.make("products", name="Book")["id"]
    price: Json = {"product": product, "currency": "usd", "unit_amount": 900}
    monthly = account.make("prices", **price, recurring={"interval": "month"})["id"]
    once = account.make("prices", **price)["id"]
    new: Json = {"customer": customer, "items": [{"price": monthly}]}
    sent: Json = {"collection_method": "send_invoice"}
    subscription = account.make("subscriptions", **new, **sent, days_until_due=0)
    assert subscription["days_until_due"] == 0
    path = f"subscriptions/{subscription['id']}"
    charged = account.make(path, collection_method="charge_automatically")
    assert charged["days_until_due"] is None
    item: Json = {"customer": customer}
    count = "recurring[interval_count]"
    for asked, form, param in (
        ("prices", {**price, "recurring": {"interval": "week", "interval_count": 157}}, count),
        ("subscriptions", {**new, "days_until_due": 5}, "days_until_due"),
        ("subscriptions", {**new, **sent}, "days_until_due"),
        ("subscriptions", {**new, "payment_behavior": "pending_if_incomplete"}, "payment_behavior"),
        (path, {"days_until_due": 5}, "days_until_due"),
        ("invoiceitems", {**item, "pricing": {"price": monthly}}, "pricing[price]"),
        ("invoiceitems", {**item, "pricing": {"price": once}, "amount": 5}, None),
        ("invoices", {**item, "due_date": 2_000_000_000}, "due_date"),
        ("invoices", {**item, "days_until_due": 5}, "days_until_due"),
    ):
        status, body = account.ask("POST", asked, **form)
        assert status == 400, (asked, form)
        assert body["error"].get("param") == param, asked


def test_discounts_and_offers_that_cannot_be_are_refused(published: Published) -> None:
    account = Inside.empty(published)
    soon = account.shop.world.now() + 900
    half: Json = {"percent_off": 50}
    coupon = account.make("coupons", **half, max_redemptions=2, redeem_by=soon)["id"]
    offer: Json = {"promotion": {"type": "coupon", "coupon": coupon}}
    account.make("promotion_codes", **offer, code="Sail-24")
    found = account.get("promotion_codes", code="sail-24")["data"]
    assert [row["code"] for row in found] == ["SAIL-24"]
    price: Json = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Book"}}
    once = account.make("prices", **price)["id"]
    monthly = account.make("prices", **price, recurring={"interval": "month"})["id"]
    sold: Json = {"line_items": [{"price": once, "quantity": 1}]}
    lasting: Json = {"line_items": [{"price": monthly, "quantity": 1}], "mode": "subscription"}
    session, days = "checkout/sessions", "subscription_data[trial_period_days]"
    for path, form, param in (
        ("coupons", {**half, "duration_in_months": 3}, "duration_in_months"),
        ("promotion_codes", {**offer, "code": "two words"}, "code"),
        ("promotion_codes", {**offer, "max_redemptions": 3}, "max_redemptions"),
        ("promotion_codes", {**offer, "expires_at": soon + 1}, "expires_at"),
        (session, {**sold, "mode": "payment", "payment_method_collection": "always"}, "payment_m"),
        (session, {**lasting, "subscription_data": {"trial_period_days": 0}}, days),
        (
            session,
            {**lasting, "subscription_data": {"trial_period_days": 5, "trial_end": soon}},
            None,
        ),
        ("payment_links", {**sold, "after_completion": {"type": "redirect"}}, "after_completion"),
    ):
        given = {**form, "success_url": "https://a.example"} if path == session else form
        status, body = account.ask("POST", path, **given)
        assert status == 400, (path, form)
        assert str(body["error"].get("param")).startswith(param or ""), body


def test_a_state_that_forbids_a_call_is_shown(published: Published) -> None:
    account = Inside.empty(published)
    made = account.make(
        "payment_intents",
        **MONEY,
        confirm=True,
        payment_method="pm_card_visa",
        return_url="https://a.example",
    )
    for verb, words in (
        ("confirm", "already succeeded after being previously confirmed"),
        ("cancel", "may be canceled: requires_payment_method"),
    ):
        status, body = account.ask("POST", f"payment_intents/{made['id']}/{verb}")
        error = body["error"]
        assert (status, error["code"]) == (400, "payment_intent_unexpected_state")
        assert words in error["message"]
        assert error["payment_intent"]["status"] == "succeeded"


def test_a_call_that_breaks_is_noticed(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Inside.empty(published)

    def break_down(call: registry.Call) -> Json:
        raise KeyError("nothing")

    monkeypatch.setitem(registry._HANDLERS, ("GET", "/v1/account"), break_down)
    status, body = account.ask("GET", "account")
    assert (status, body["error"]["code"]) == (500, "sandbox_bug")
    assert account.shop.problems == ["GET /v1/account: KeyError('nothing')"]
