"""Which invoices of the past a link counts: by when they were made, and when they were paid."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.past_invoices import YEAR, counts
from latchkey.rules.reading import Order

LINKED = datetime(2027, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ITS_SECOND = LINKED.replace(microsecond=0)
BILL = Order(
    id="in_1",
    livemode=False,
    customer=None,
    email=None,
    name=None,
    reference=None,
    status="paid",
    payment_status="paid",
    subscription=None,
    invoice="in_1",
    payment=None,
    amount=1000,
    currency="usd",
    created=LINKED,
    lines=(),
    lines_complete=True,
)


@pytest.mark.parametrize(
    ("looks_back", "made", "paid", "counted"),
    [
        ("none", ITS_SECOND - DAY, ITS_SECOND - SECOND, False),
        ("none", ITS_SECOND - DAY, ITS_SECOND, True),
        ("none", ITS_SECOND, None, True),
        ("none", ITS_SECOND - DAY, None, False),
        ("year", ITS_SECOND - YEAR, ITS_SECOND - DAY, True),
        ("year", ITS_SECOND - YEAR - SECOND, ITS_SECOND - DAY, False),
        ("year", ITS_SECOND - YEAR - SECOND, ITS_SECOND + DAY, True),
        ("all", ITS_SECOND - 9 * YEAR, ITS_SECOND - 9 * YEAR, True),
    ],
)
def test_an_invoice_counts_by_when_it_was_made_or_paid(
    looks_back: str, made: datetime, paid: datetime | None, counted: bool
) -> None:
    bill = replace(BILL, created=made, paid=paid)
    assert counts(bill, looks_back=looks_back, linked_at=LINKED) is counted


def test_checkout_sessions_always_count() -> None:
    session = replace(BILL, id="cs_1", created=ITS_SECOND - 9 * YEAR, paid=ITS_SECOND - 9 * YEAR)
    assert counts(session, looks_back="none", linked_at=LINKED)
