"""Events reach the purchase whose money they are about, whatever they are called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.routing import (
    ABANDONED,
    ECHOES,
    HANDLED_EVENTS,
    NOWHERE,
    SETTLES,
    Target,
    TargetKind,
    route_listed,
    route_snapshot,
    route_thin,
)

PAYMENT = Target(TargetKind.PAYMENT, "pi_1")
BILL = Target(TargetKind.PURCHASE, "in_1")
SESSION = Target(TargetKind.PURCHASE, "cs_1")

MONEY: list[tuple[str, dict[str, Any], Target]] = [
    *(
        (f"charge.{verb}", {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, PAYMENT)
        for verb in ("captured", "expired", "failed", "refunded", "succeeded", "updated")
    ),
    *(
        (f"payment_intent.{verb}", {"id": "pi_1", "object": "payment_intent"}, PAYMENT)
        for verb in ("succeeded", "canceled", "payment_failed")
    ),
    *(
        (f"refund.{verb}", {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}, PAYMENT)
        for verb in ("created", "updated", "failed")
    ),
    *(
        (
            f"charge.dispute.{verb}",
            {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"},
            PAYMENT,
        )
        for verb in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
    ),
    *(
        (f"invoice.{verb}", {"id": "in_1", "object": "invoice"}, BILL)
        for verb in (
            "paid",
            "payment_succeeded",
            "payment_failed",
            "voided",
            "marked_uncollectible",
        )
    ),
    *(
        (f"credit_note.{verb}", {"id": "cn_1", "object": "credit_note", "invoice": "in_1"}, BILL)
        for verb in ("created", "updated", "voided")
    ),
    (
        "invoice_payment.paid",
        {"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1"},
        BILL,
    ),
    *(
        (f"checkout.session.{verb}", {"id": "cs_1", "object": "checkout.session"}, SESSION)
        for verb in ("completed", "async_payment_succeeded", "async_payment_failed")
    ),
]


@pytest.mark.parametrize(("type_", "source", "target"), MONEY, ids=[type_ for type_, *_ in MONEY])
def test_each_event_about_money_reaches_its_purchase(
    type_: str, source: dict[str, Any], target: Target
) -> None:
    """Thin and listed events name only the object, which is read to find the purchase."""
    assert route_snapshot(type_, source) == target
    if type_.startswith("invoice."):
        line = {"pricing": {"price_details": {"product": "prod_1"}}, "id": "il_1"}
        sold = {**source, "lines": {"data": [line]}}
        assert route_snapshot(type_, sold) == target
    expected = {
        "checkout.session": SESSION,
        "payment_intent": PAYMENT,
    }.get(source["object"], Target(TargetKind.OBJECT, f"{source['object']}/{source['id']}"))
    related = {"id": source["id"], "type": source["object"]}
    assert route_thin(f"v1.{type_}", related) == expected
    assert route_listed(type_, source) == expected


def test_an_expired_checkout_is_not_a_purchase() -> None:
    source = {"id": "cs_1", "object": "checkout.session", "subscription": "sub_1"}
    left = Target(TargetKind.OBJECT, "checkout.session/cs_1")
    assert route_snapshot(ABANDONED, source) == left
    assert route_listed(ABANDONED, source) == left
    assert route_thin(f"v1.{ABANDONED}", {"id": "cs_1", "type": "checkout.session"}) == left


@given(
    st.sampled_from([type_ for type_, *_ in MONEY]),
    st.dictionaries(
        st.sampled_from(["id", "object", "payment_intent", "invoice", "subscription", "lines"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=300), st.just({"id": "x_1"})),
    ),
)
def test_an_odd_object_goes_somewhere_or_nowhere(type_: str, source: dict[str, Any]) -> None:
    try:
        found = route_snapshot(type_, source)
    except (AttributeError, TypeError):
        return
    assert found == NOWHERE or 0 < len(found.id) <= 255


def test_what_every_payment_sends_is_looked_for_once_an_hour() -> None:
    assert SETTLES in ECHOES
    assert ECHOES & set(HANDLED_EVENTS) == {"payment_intent.canceled", "payment_intent.succeeded"}
