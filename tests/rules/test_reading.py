"""Reading Stripe's objects."""

from datetime import UTC, datetime
from typing import Any

import pytest

from latchkey.rules import reading
from latchkey.rules.reading import Dispute, Owed, PaymentCard, UnreadableError


@pytest.mark.parametrize(
    ("details", "by_customer"),
    [
        ({"reason": "cancellation_requested"}, False),
        ({"feedback": "unused"}, True),
        ({"feedback_option": "bfo_1"}, True),
        ({"comment": "Until next summer"}, True),
    ],
)
def test_a_cancellation_reason_shows_that_the_customer_cancelled(
    details: dict[str, str], by_customer: bool
) -> None:
    source = {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "created": 1,
        "cancellation_details": {"comment": None, "feedback": None, **details},
    }
    found = reading.subscription(source)
    assert found.cancelled_by_customer is by_customer


@pytest.mark.parametrize(
    ("given", "year"),
    [(-62_135_596_800, 1900), (-(10**20), 1900), (253_402_300_800, 2200), (10**20, 2200)],
)
def test_a_time_that_is_out_of_range_is_the_first_or_last_possible(given: int, year: int) -> None:
    found = reading.moment(given)
    assert found is not None
    assert found.year == year


@pytest.mark.parametrize("given", [None, True, "1", float("nan"), [], {}])
def test_what_is_no_time_is_none(given: object) -> None:
    assert reading.moment(given) is None


def test_odd_numbers_and_texts_are_taken_as_what_fits() -> None:
    source = {
        "id": "cs_1",
        "created": 10**20,
        "amount_total": 10**30,
        "customer": {"id": "cus_1", "email": f"{'a' * 600}@x.example", "name": "n" * 5000},
        "line_items": {"data": [{"id": "li_1", "quantity": 2**40, "amount_total": "many"}]},
    }
    found = reading.checkout_session(source)
    assert found.amount == 2**63 - 1
    assert found.customer is not None
    assert (found.customer.email, len(found.customer.name or "")) == (None, 1000)
    assert [(line.quantity, line.amount) for line in found.lines] == [(2**31 - 1, 0)]


def test_an_answer_of_any_length_or_kind_is_read() -> None:
    source = {"id": "sub_1", "customer": "cus_1", "status": "active", "created": 1}
    long = {"feedback": "f" * 10_000, "comment": "c" * 10_000}
    found = reading.subscription({**source, "cancellation_details": long})
    assert (len(found.cancel_feedback or ""), len(found.cancel_comment or "")) == (100, 5000)
    odd = {"feedback": ["unused"], "comment": {"text": 1}}
    found = reading.subscription({**source, "cancellation_details": odd})
    assert (found.cancel_feedback, found.cancel_comment) == (None, None)


def test_an_odd_dispute_is_read_as_far_as_it_goes() -> None:
    odd = {"amount": "many", "currency": 7, "evidence_details": {"due_by": "soon"}}
    assert reading.dispute(odd) == Dispute("unknown", 0, None, None)
    with pytest.raises(UnreadableError):
        reading.dispute({"status": "lost", "evidence_details": ["due_by"]})


@pytest.mark.parametrize(
    ("restrictions", "spent"),
    [
        (None, False),
        ({}, False),
        ({"completed_sessions": None}, False),
        ({"completed_sessions": {"limit": 2, "count": 1}}, False),
        ({"completed_sessions": {"limit": 2, "count": 2}}, True),
        ({"completed_sessions": {"limit": 2, "count": 3}}, True),
        ({"completed_sessions": {"limit": 2}}, False),
        ({"completed_sessions": {"limit": "2", "count": 2}}, False),
    ],
)
def test_a_payment_link_with_all_its_sales_made_sells_nothing(
    restrictions: dict[str, Any] | None, spent: bool
) -> None:
    for active in (True, False):
        source = {"id": "plink_1", "active": active, "restrictions": restrictions}
        assert reading.payment_link_spent(source) is spent
        assert reading.payment_link_active(source) is (active and not spent)


VISA = {
    "id": "pm_1",
    "object": "payment_method",
    "type": "card",
    "card": {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2026},
}
AFTER_VISA = datetime(2027, 1, 1, tzinfo=UTC)
DEBIT = {"id": "pm_2", "type": "sepa_debit", "sepa_debit": {"last4": "3000"}}
OLD = {"id": "card_1", "object": "card", "brand": "Visa", "last4": "1", "exp_month": 1}


@pytest.mark.parametrize(
    ("given", "card"),
    [
        ({}, None),
        ({"default_payment_method": "pm_1"}, PaymentCard("pm_1", own=True)),
        (
            {"default_payment_method": VISA, "default_source": "card_1"},
            PaymentCard("pm_1", True, True, "visa", "4242", AFTER_VISA),
        ),
        (
            {"default_source": OLD | {"exp_year": 2027}},
            PaymentCard("card_1", True, True, "Visa", "1", datetime(2027, 2, 1, tzinfo=UTC)),
        ),
        (
            {"customer": {"id": "cus_1", "invoice_settings": {"default_payment_method": DEBIT}}},
            PaymentCard("pm_2", False, True, "sepa_debit", "3000"),
        ),
        ({"customer": {"id": "cus_1", "default_source": "card_1"}}, PaymentCard("card_1")),
        ({"customer": {"id": "cus_1", "deleted": True}}, None),
    ],
)
def test_what_pays_a_subscription(given: dict[str, Any], card: PaymentCard | None) -> None:
    source = {"id": "sub_1", "customer": "cus_1", "status": "active", "created": 1}
    assert reading.subscription({**source, **given}).card == card


@pytest.mark.parametrize(
    ("year", "month"), [(2026, 13), (2026, 0), (10**9, 1), ("2026", 1), (None, None), (1, 1)]
)
def test_an_odd_date_of_a_card_is_none(year: object, month: object) -> None:
    details = {**VISA["card"], "exp_year": year, "exp_month": month}  # type: ignore[dict-item]
    found = reading.card({**VISA, "card": details})
    assert found is not None
    assert (found.last4, found.expires) == ("4242", None)


def test_what_is_open_is_the_rest_of_all_open_invoices() -> None:
    bills: list[dict[str, Any]] = [
        {"currency": "eur", "amount_remaining": 1500},
        {"currency": "eur"},
    ]
    assert reading.owed([*bills, {"currency": "usd", "amount_remaining": 7}]) == Owed(1500, "eur")
    assert reading.owed([]) is None
