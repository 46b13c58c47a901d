"""Reading Stripe's objects."""

import pytest

from latchkey.rules import reading


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
