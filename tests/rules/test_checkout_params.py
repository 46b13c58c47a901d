"""What Stripe is asked for when a checkout session is made."""

from dataclasses import replace
from typing import Any

import pytest

from latchkey.rules.checkout_params import (
    CheckoutOrder,
    Wish,
    fingerprint,
    for_customer,
    session_params,
    with_discount,
    without_refused,
)

ONCE = Wish(
    product_id="prd_1",
    price_id="price_1",
    recurring=False,
    promotion_codes=False,
    success_url="https://x.example/done",
    cancel_url="https://x.example/buy",
)
MONTHLY = replace(ONCE, recurring=True, email="a@b.example", promotion_codes=True)


def test_a_guest_who_pays_once_becomes_a_customer() -> None:
    params = session_params(ONCE)
    assert (params["mode"], params["customer_creation"]) == ("payment", "always")
    assert not {"customer_email", "client_reference_id", "allow_promotion_codes"} & set(params)


def test_an_existing_customer_takes_the_place_of_the_address() -> None:
    for wish in (ONCE, MONTHLY):
        params = for_customer(session_params(wish), "cus_1")
        assert params["customer"] == "cus_1"
        assert not {"customer_email", "customer_creation", "customer_update"} & set(params)


def test_a_subscription_is_free_at_first_and_a_purchase_never() -> None:
    params = session_params(replace(MONTHLY, trial_days=7))
    assert params["subscription_data"] == {"trial_period_days": 7}
    assert "subscription_data" not in session_params(replace(ONCE, trial_days=7))


def test_what_the_checkout_asks_for_is_kept_with_the_customer() -> None:
    params = session_params(replace(MONTHLY, billing_address=True, tax_ids=True, most=5))
    assert params["billing_address_collection"] == "required"
    assert params["tax_id_collection"] == {"enabled": True}
    quantity = {"enabled": True, "minimum": 1, "maximum": 5}
    assert params["line_items"] == [
        {"price": "price_1", "quantity": 1, "adjustable_quantity": quantity}
    ]
    updated = {"address": "auto", "name": "auto"}
    assert for_customer(params, "cus_1")["customer_update"] == updated


def test_tax_is_worked_out_by_the_address_that_the_checkout_asks_for() -> None:
    params = session_params(replace(MONTHLY, automatic_tax=True))
    assert params["automatic_tax"] == {"enabled": True}
    assert "customer_update" not in params
    assert for_customer(params, "cus_1")["customer_update"] == {"address": "auto"}
    assert without_refused(params, "automatic_tax[enabled]") is None, "nobody sells untaxed"


def test_a_currency_that_the_price_lacks_is_left_to_stripe() -> None:
    params = session_params(replace(MONTHLY, currency="eur"))
    for refused in ("currency", "line_items[0][price]", None):
        assert without_refused(params, refused) == session_params(MONTHLY)


@pytest.mark.parametrize(
    ("refused", "left_out"),
    [("discounts[0][promotion_code]", "discounts"), (None, "discounts")],
)
def test_a_code_that_stripe_refuses_is_left_out(refused: str | None, left_out: str) -> None:
    instead = without_refused(with_discount(session_params(MONTHLY), "promo_1"), refused)
    assert instead == session_params(MONTHLY)
    assert left_out not in instead


RECOVERED = replace(MONTHLY, recoverable=True, consent=True)


def test_a_session_that_expires_can_be_opened_again_if_the_site_asks_for_it() -> None:
    params = session_params(RECOVERED)
    assert params["after_expiration"]["recovery"] == {
        "enabled": True,
        "allow_promotion_codes": True,
    }
    assert params["consent_collection"] == {"promotions": "auto"}
    for wish in (MONTHLY, replace(MONTHLY, consent=True)):
        assert not {"after_expiration", "consent_collection"} & set(session_params(wish))
    coded = with_discount(params, "promo_1")
    assert coded["after_expiration"]["recovery"] == {"enabled": True}
    assert without_refused(coded, "discounts") == params


@pytest.mark.parametrize(
    ("refused", "left_out"),
    [
        ("consent_collection[promotions]", "consent_collection"),
        ("after_expiration[recovery][enabled]", "after_expiration"),
    ],
)
def test_recovery_never_holds_up_a_sale(refused: str, left_out: str) -> None:
    params = session_params(RECOVERED)
    instead = without_refused(params, refused)
    assert instead == {name: value for name, value in params.items() if name != left_out}


def test_only_what_spares_typing_is_left_out() -> None:
    params: dict[str, Any] = session_params(MONTHLY)
    instead = without_refused(params, "customer_email")
    assert instead == {name: value for name, value in params.items() if name != "customer_email"}
    for refused in ("line_items[0][price]", "success_url", "mode", None):
        assert without_refused(session_params(ONCE), refused) is None


def test_other_parameters_have_another_fingerprint() -> None:
    params = session_params(MONTHLY)
    assert fingerprint(params) == fingerprint(dict(reversed(params.items())))
    assert fingerprint(params) != fingerprint(for_customer(params, "cus_1"))
    assert fingerprint(params) != fingerprint(session_params(replace(MONTHLY, email="A@b.example")))


def test_an_order_reads_as_it_was_written() -> None:
    order = CheckoutOrder(
        params=session_params(MONTHLY),
        customers=["cus_1"],
        promotion_code="SUN",
        attempt=1,
        key="k",
        session=None,
        product="prd_1",
        price="price_1",
        stripe_product="prod_1",
    )
    assert CheckoutOrder.read(order.text()) == order
