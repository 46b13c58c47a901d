"""Which payment methods a payment offers where a call leaves the choice to Stripe; as recorded."""

import pytest

from sandbox import checkout, configurations
from sandbox.schema import Published
from tests.harness import Json
from tests.sandbox.inside import Inside

SHOP = (
    *("acss_debit", "afterpay_clearpay", "alipay", "bancontact", "card", "ideal", "klarna"),
    *("link", "sepa_debit", "us_bank_account", "wechat_pay"),
)
PAGE = {"success_url": "https://shop.example/ok"}
IBAN = "AT321904300235473204"


def account_of(published: Published, *on: str, **settings: object) -> Inside:
    """An account whose configuration has these payment methods on, where any are named."""
    account = Inside.empty(published)
    account.shop.set_up(settings)
    if on:
        found = configurations.default(account.shop)
        account.shop.save(configurations.choose(found, on))
    return account


def price_of(account: Inside, **params: object) -> str:
    product = account.make("products", name="Thing")["id"]
    price = {"product": product, "currency": "usd", "unit_amount": 1000, **params}
    return str(account.make("prices", **price)["id"])


def session(account: Inside, **params: object) -> Json:
    return account.make("checkout/sessions", **PAGE, **params)


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        (
            {"amount": 2900, "currency": "usd"},
            "card acss_debit afterpay_clearpay alipay klarna link us_bank_account wechat_pay",
        ),
        ({"amount": 2900, "currency": "eur"}, "card bancontact ideal sepa_debit link"),
        ({"amount": 2900, "currency": "pln"}, "card link"),
        (
            {"amount": 2900, "currency": "usd", "setup_future_usage": "off_session"},
            "card acss_debit klarna link us_bank_account",
        ),
        (
            {"amount": 2900, "currency": "usd", "capture_method": "manual"},
            "card afterpay_clearpay klarna link",
        ),
        (
            {"amount": 2900, "currency": "usd", "automatic_payment_methods[enabled]": True}
            | {"automatic_payment_methods[allow_redirects]": "never"},
            "card acss_debit link us_bank_account wechat_pay",
        ),
        (
            {"amount": 2900, "currency": "usd", "excluded_payment_method_types[0]": "alipay"},
            "card acss_debit afterpay_clearpay klarna link us_bank_account wechat_pay",
        ),
        ({"amount": 50, "currency": "usd", "capture_method": "manual"}, "card klarna link"),
        (
            {"amount": 900, "currency": "usd", "automatic_payment_methods[enabled]": False},
            "card",
        ),
    ],
)
def test_an_intent_offers_what_suits_it(published: Published, asked: Json, offered: str) -> None:
    made = account_of(published, *SHOP).make("payment_intents", **asked)
    assert made["payment_method_types"] == offered.split()
    assert set(made["payment_method_options"]) == set(offered.split())


@pytest.mark.parametrize("path", ["payment_intents", "setup_intents"])
def test_an_intent_takes_only_what_it_offers(published: Published, path: str) -> None:
    account = account_of(published, "card", "link")
    debit = account.make("payment_methods", type="sepa_debit", sepa_debit={"iban": IBAN})["id"]
    asked = {"amount": 900, "currency": "eur"} if path == "payment_intents" else {}
    made = account.make(path, **asked)
    for where, form in (
        (path, {**asked, "payment_method": debit}),
        (f"{path}/{made['id']}", {"payment_method": debit}),
        (f"{path}/{made['id']}/confirm", {"payment_method": debit}),
    ):
        status, body = account.ask("POST", where, **form)
        assert (status, body["error"]["param"]) == (400, "payment_method"), where
        assert "(sepa_debit) is not allowed" in body["error"]["message"]
        assert "of the following types: card, link." in body["error"]["message"]
    assert account.get(f"{path}/{made['id']}")["payment_method"] is None
    named = account.make(path, **asked, allowed_payment_method_types=["sepa_debit"])
    done = account.make(f"{path}/{named['id']}/confirm", payment_method=debit)
    assert done["payment_method"] == debit


def test_a_setup_intent_offers_what_can_be_saved(published: Published) -> None:
    made = account_of(published, *SHOP).make("setup_intents")
    assert made["payment_method_types"] == [
        *("card", "bancontact", "ideal", "sepa_debit", "acss_debit", "klarna", "link"),
        "us_bank_account",
    ]
    assert list(made["payment_method_options"]) == ["card", "us_bank_account"]


def test_an_intent_follows_its_amount_and_currency(published: Published) -> None:
    account = account_of(published, "card", "affirm", "bancontact")
    made = account.make("payment_intents", amount=4999, currency="usd")
    assert made["payment_method_types"] == ["card"]
    path = f"payment_intents/{made['id']}"
    assert account.make(path, amount=5000)["payment_method_types"] == ["card", "affirm"]
    assert account.make(path, currency="eur")["payment_method_types"] == ["card", "bancontact"]
    named = account.make(path, allowed_payment_method_types=["card"])
    assert named["automatic_payment_methods"] is named["payment_method_configuration_details"]
    assert named["payment_method_types"] == ["card"]


def test_sessions_and_links_offer_what_suits_them(published: Published) -> None:
    account = account_of(published, *SHOP, adaptive_pricing=True)
    once = [{"price": price_of(account), "quantity": 1}]
    monthly = [{"price": price_of(account, recurring={"interval": "month"}), "quantity": 1}]
    paid = session(account, mode="payment", line_items=once)
    assert paid["payment_method_types"] == [
        *("card", "afterpay_clearpay", "alipay", "klarna", "link", "us_bank_account"),
        "wechat_pay",
    ]
    assert paid["adaptive_pricing"] == {"enabled": True}
    renewed = session(account, mode="subscription", line_items=monthly)
    saved = session(account, mode="setup", currency="usd")
    for made in (renewed, saved):
        assert made["payment_method_types"] == ["card", "klarna", "link", "us_bank_account"]
    assert list(renewed["payment_method_options"]) == ["card"]
    assert list(saved["payment_method_options"]) == ["card", "us_bank_account"]
    intent = account.get(f"setup_intents/{saved['setup_intent']}")
    assert intent["payment_method_types"] == saved["payment_method_types"]
    for params, offered in (
        (
            {"excluded_payment_method_types": ["alipay", "wechat_pay"]},
            "card afterpay_clearpay klarna link us_bank_account",
        ),
        (
            {"payment_intent_data": {"capture_method": "manual"}},
            "card afterpay_clearpay klarna link",
        ),
        (
            {"payment_intent_data": {"setup_future_usage": "off_session"}},
            "card klarna link us_bank_account",
        ),
    ):
        made = session(account, mode="payment", line_items=once, **params)
        assert made["payment_method_types"] == offered.split()
    abroad = session(account, mode="payment", line_items=once, adaptive_pricing={"enabled": False})
    assert abroad["adaptive_pricing"] == {"enabled": False}
    named = session(
        account, mode="payment", line_items=once, allowed_payment_method_types=["klarna"]
    )
    assert (named["payment_method_types"], named["payment_method_options"]) == (["klarna"], {})
    assert named["payment_method_configuration_details"] is None


@pytest.mark.parametrize(
    ("country", "currency", "offered"),
    [
        ("US", "usd", "card klarna link cashapp amazon_pay"),
        ("US", "eur", "card bancontact eps link"),
        ("GR", "eur", "card bancontact eps klarna link"),
        ("NL", "eur", "card bancontact eps klarna link amazon_pay"),
        ("JP", "jpy", "card link"),
    ],
)
def test_a_new_account_offers_what_its_country_has(
    published: Published, country: str, currency: str, offered: str
) -> None:
    account = account_of(published, country=country)
    made = account.make("payment_intents", amount=2500, currency=currency)
    assert made["payment_method_types"] == offered.split()
    assert account.get("account")["country"] == country


def test_an_invoice_offers_what_its_template_has(published: Published) -> None:
    account = account_of(published)
    customer = account.make("customers", payment_method="pm_card_visa")["id"]
    price = price_of(account, recurring={"interval": "month"})
    made = account.make(
        "subscriptions",
        customer=customer,
        items=[{"price": price}],
        payment_behavior="default_incomplete",
        expand=["latest_invoice.payments"],
    )
    (row,) = made["latest_invoice"]["payments"]["data"]
    intent = account.get(f"payment_intents/{row['payment']['payment_intent']}")
    assert intent["payment_method_types"] == ["amazon_pay", "card", "cashapp", "klarna", "link"]
    assert intent["automatic_payment_methods"] is None


def test_an_invoice_offers_what_is_on_file(published: Published) -> None:
    account = account_of(published, invoice_payment_methods=["card"])
    customer = account.make("customers")["id"]
    debit = account.make("payment_methods", type="sepa_debit", sepa_debit={"iban": IBAN})["id"]
    account.make(f"payment_methods/{debit}/attach", customer=customer)
    made = account.make(
        "subscriptions",
        customer=customer,
        items=[{"price": price_of(account, currency="eur", recurring={"interval": "month"})}],
        default_payment_method=debit,
        expand=["latest_invoice.payments"],
    )
    (row,) = made["latest_invoice"]["payments"]["data"]
    intent = account.get(f"payment_intents/{row['payment']['payment_intent']}")
    assert intent["payment_method_types"] == ["card", "sepa_debit"]


def test_the_events_of_new_intents_show_what_they_offer(published: Published) -> None:
    account = account_of(published, "card", "link")
    account.shop.silent = False
    for path in ("payment_intents", "setup_intents"):
        made = account.make(path, **({"amount": 900, "currency": "usd"} if path[0] == "p" else {}))
        (event,) = account.get("events", type=f"{made['object']}.created")["data"]
        assert event["data"]["object"]["payment_method_types"] == ["card", "link"]


def test_the_account_is_set_up_by_control_calls(published: Published) -> None:
    account = account_of(published)
    with pytest.raises(ValueError, match="country must be one of"):
        account.shop.set_up({"country": "XX"})
    assert account.get("account")["country"] == "US"
    found = configurations.default(account.shop)
    assert configurations.on(configurations.choose(found, ["card"])) == {"card"}


def test_a_call_may_name_another_configuration(published: Published) -> None:
    account = account_of(published, "card", "link")
    other = account.make(
        "payment_method_configurations",
        **{
            f"{name}[display_preference][preference]": "off"
            for name in ("affirm", "amazon_pay", "bancontact", "cashapp", "link")
        },
    )["id"]
    once = [{"price": price_of(account), "quantity": 1}]
    for made in (
        account.make(
            "payment_intents", amount=900, currency="usd", payment_method_configuration=other
        ),
        account.make("setup_intents", payment_method_configuration=other),
        session(account, mode="payment", line_items=once, payment_method_configuration=other),
    ):
        assert made["payment_method_types"] == ["card", "klarna"]
        assert made["payment_method_configuration_details"]["id"] == other
    account.make(f"payment_method_configurations/{other}", active=False)
    status, body = account.ask("POST", "setup_intents", payment_method_configuration=other)
    assert (status, body["error"]["param"]) == (400, "payment_method_configuration")


def test_a_link_hands_its_kinds_to_its_sessions(published: Published) -> None:
    account = account_of(published)
    once = [{"price": price_of(account), "quantity": 1}]
    link = account.make(
        "payment_links", line_items=once, payment_method_types=["card", "us_bank_account"]
    )
    assert link["payment_method_types"] == ["card", "us_bank_account"]
    opened = checkout.open_link(account.shop, account.shop.find("payment_link", link["id"]))
    assert opened["payment_method_types"] == ["card", "us_bank_account"]


def test_a_subscription_says_what_pays_its_invoices_and_keeps_it(published: Published) -> None:
    account = account_of(published)
    customer = account.make("customers", email="keeps@box.example")["id"]
    made = account.make(
        "subscriptions",
        customer=customer,
        items=[{"price": price_of(account, recurring={"interval": "month"})}],
        payment_behavior="default_incomplete",
        payment_settings={
            "payment_method_types": ["card", "link"],
            "save_default_payment_method": "on_subscription",
        },
        expand=["latest_invoice.payments"],
    )
    bill = made["latest_invoice"]
    assert bill["payment_settings"]["payment_method_types"] == ["card", "link"]
    (row,) = bill["payments"]["data"]
    path = f"payment_intents/{row['payment']['payment_intent']}"
    assert account.get(path)["payment_method_types"] == ["card", "link"]
    method = account.make(f"{path}/confirm", payment_method="pm_card_visa")["payment_method"]
    assert account.get(f"payment_methods/{method}")["customer"] == customer
    kept = account.get(f"subscriptions/{made['id']}")
    assert (kept["status"], kept["default_payment_method"]) == ("active", method)


def test_what_pays_is_attached_where_it_will_be_used_again(published: Published) -> None:
    account = account_of(published)
    customer = account.make("customers", email="again@box.example")["id"]
    paid = {"amount": 900, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    for asked, owner in (
        ({}, None),
        ({"setup_future_usage": "off_session"}, customer),
        ({"setup_future_usage": "off_session", "capture_method": "manual"}, customer),
        ({"payment_method_options[card][setup_future_usage]": "on_session"}, customer),
    ):
        made = account.make(
            "payment_intents", **paid, **asked, customer=customer, return_url="https://a.example"
        )
        assert account.get(f"payment_methods/{made['payment_method']}")["customer"] == owner, asked


@pytest.mark.parametrize(
    ("card", "wanted", "status"),
    [
        ("pm_card_threeDSecureOptional", "automatic", "succeeded"),
        ("pm_card_threeDSecureOptional", "any", "requires_action"),
        ("pm_card_threeDSecureOptional", "challenge", "requires_action"),
        ("pm_card_visa", "any", "succeeded"),
    ],
)
def test_an_intent_may_ask_for_3d_secure(
    published: Published, card: str, wanted: str, status: str
) -> None:
    made = account_of(published).make(
        "payment_intents",
        amount=900,
        currency="usd",
        payment_method=card,
        confirm=True,
        return_url="https://a.example",
        payment_method_options={"card": {"request_three_d_secure": wanted}},
    )
    assert made["status"] == status
    assert made["payment_method_options"]["card"]["request_three_d_secure"] == wanted


@pytest.mark.parametrize("path", ["payment_intents", "setup_intents", "checkout/sessions"])
def test_every_kind_that_may_be_named_is_shown_as_published(
    published: Published, path: str
) -> None:
    account = account_of(published)
    lines = [{"price": price_of(account), "quantity": 1}]
    forms: dict[str, Json] = {
        "payment_intents": {"amount": 9000, "currency": "usd"},
        "setup_intents": {},
        "checkout/sessions": {**PAGE, "line_items": lines},
    }
    (route,) = (
        route
        for route in published.routes()
        if (route.method, route.template) == ("POST", f"/v1/{path}")
    )
    properties = published.resolve(published.request_schema(route))["properties"]
    kinds = published.alternatives(properties["allowed_payment_method_types"])[0]["items"]["enum"]
    assert {"card", "customer_balance", "pix", "swish"} <= set(kinds)
    for kind in kinds:
        made = account.make(path, **forms[path], allowed_payment_method_types=[kind])
        assert made["payment_method_types"] == [kind]
