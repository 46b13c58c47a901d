"""Who cancelled: in every combination of what Stripe and this site know about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from latchkey.rules.cancelling import (
    Canceller,
    Place,
    Telling,
    canceller,
    reports_cancelling,
    requested_by,
    was_requested,
    withdrawer,
)
from latchkey.rules.reading import Subscription
from latchkey.rules.vocabulary import ActivityType, Cause
from tests.rules.test_access import BASE
from web.wording import labels

AT = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

_REASONS = (None, "cancellation_requested", "payment_failed", "payment_disputed", "a_new_one")
_OPENED = (None, AT - 2 * HOUR, AT - 5 * SECOND, AT + HOUR)
_ENDS = ("later", "at once", "when the trial ends", "long after it was asked for")


def test_the_portal_is_named_only_where_it_is_known() -> None:
    for requested, answered, reason, opened, ends in product(
        (True, False, None), (True, False), _REASONS, _OPENED, _ENDS
    ):
        found = canceller(
            _cancelled(answered, reason, ends), requested=requested, portal_opened=opened
        )
        told = f"{requested=} {answered=} {reason=} {opened=} {ends=}: {found}"
        somebody = answered or ends != "when the trial ends"
        unrequested = requested is False and reason is not None
        just_opened = requested is None and opened == AT - 5 * SECOND
        if reason not in (None, "cancellation_requested"):
            assert found == Canceller(Cause.STRIPE), told
        elif somebody and (unrequested or just_opened):
            assert found == Canceller(Cause.CUSTOMER, Place.PORTAL), told
        else:
            assert found.place != Place.PORTAL, told
            assert found.cause == (Cause.CUSTOMER if answered else Cause.STRIPE), told
        line: Any = SimpleNamespace(
            type=ActivityType.SUBSCRIPTION_CANCELLED,
            cause=found.cause,
            data={"place": found.place} if found.place else {},
        )
        assert ("portal" in labels.line_cause(line)) is (found.place == Place.PORTAL), told


def _cancelled(answered: bool, reason: str | None, ends: str) -> Subscription:
    ended = {"later": None, "long after it was asked for": AT + DAY}
    return replace(
        BASE,
        canceled_at=AT,
        cancel_reason=reason,
        cancelled_by_customer=answered,
        cancel_at=AT + 30 * DAY if ends == "later" else None,
        ended_at=ended.get(ends, AT),
        trial_end=AT if ends == "when the trial ends" else None,
    )


@pytest.mark.parametrize("requested", [True, False, None])
def test_only_a_customer_withdraws_without_a_request(requested: bool | None) -> None:
    assert (withdrawer(requested=requested).cause == Cause.CUSTOMER) is (requested is False)


_THIN = {"object": "v2.core.event", "type": "v1.customer.subscription.updated"}
_PLAIN = {"object": "event", "type": "customer.subscription.updated"}


@pytest.mark.parametrize(
    ("event", "requested"),
    [
        ({**_PLAIN, "request": None}, False),
        ({**_PLAIN, "request": {"id": None, "idempotency_key": None}}, False),
        ({**_PLAIN, "request": {"id": "req_1", "idempotency_key": None}}, True),
        ({**_PLAIN, "request": "req_1"}, True),
        (_PLAIN, None),
        ({**_THIN, "reason": None}, False),
        ({**_THIN, "reason": {"type": "request", "request": {"id": "req_1"}}}, True),
        (_THIN, None),
    ],
)
def test_an_event_says_whether_it_was_requested(
    event: dict[str, Any], requested: bool | None
) -> None:
    assert was_requested(event) is requested


@pytest.mark.parametrize(
    ("event", "cancels"),
    [
        ({**_PLAIN, "data": {"previous_attributes": {"cancel_at": None}}}, True),
        ({**_PLAIN, "data": {"previous_attributes": {"cancel_at_period_end": False}}}, True),
        ({**_PLAIN, "data": {"previous_attributes": {"items": {}}}}, False),
        ({**_PLAIN, "data": {"previous_attributes": {"cancellation_details": {}}}}, False),
        ({**_PLAIN, "data": {}}, False),
        ({**_PLAIN, "data": None}, False),
        ({**_PLAIN, "type": "customer.subscription.deleted"}, True),
        ({**_THIN, "type": "v1.customer.subscription.deleted"}, True),
        (_THIN, None),
    ],
)
def test_an_event_says_whether_it_reports_a_cancellation(
    event: dict[str, Any], cancels: bool | None
) -> None:
    assert reports_cancelling(event) is cancels


def test_the_last_event_about_a_cancellation_decides() -> None:
    asked = Telling(AT, requested=True, cancels=True)
    clicked = Telling(AT, requested=False, cancels=True)
    renewed = Telling(AT, requested=False, cancels=False, served=True)
    assert requested_by([asked, renewed], AT) is True
    assert requested_by([clicked], AT + 3 * SECOND) is False
    assert requested_by([clicked], AT + HOUR) is None, "of an earlier cancellation"
    assert requested_by([replace(clicked, served=True)], AT + HOUR) is False
    assert requested_by([asked, clicked], AT) is None, "they disagree"
    assert requested_by([asked, replace(clicked, created=AT + SECOND)], AT) is False
    assert requested_by([replace(asked, cancels=None)], AT) is True, "a thin event, by its time"
    assert requested_by([replace(asked, requested=None)], AT) is None
    assert requested_by([], None) is None
