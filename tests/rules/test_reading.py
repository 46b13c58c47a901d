"""Reading Stripe's objects."""

from typing import Any

import pytest

from latchkey.rules import reading
from latchkey.rules.reading import Dispute, UnreadableError


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
