"""Activity lines about a subscription itself. `settle` writes those about access."""

from datetime import UTC, datetime
from typing import Any

from latchkey.rules import access
from latchkey.rules.cancelling import Canceller
from latchkey.rules.reading import Subscription
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store.feed.facts import Fact
from latchkey.store.purchases.settling import Entitlement, bought_before_link
from latchkey.store.purchases.subscription_mirror import RecordedSubscription
from latchkey.store.stripe.context import ApplyContext

_Line = tuple[str, ActivityType, datetime | None, Cause, dict[str, Any]]
"""Sequence number within its kind, type, when it happened in Stripe, cause, data."""


def past_due_since(
    reading: Subscription, old: RecordedSubscription, context: ApplyContext
) -> datetime | None:
    """The start of the current overdue period, None outside one. The period ends with `active`, not
    with `unpaid`, which follows past due. The start found first is kept."""
    if reading.status not in access.PAST_DUE_STATUSES:
        return None
    if old.past_due_since:
        return old.past_due_since
    return min(stripe_past_due_since(reading) or context.as_of, context.as_of)


def stripe_past_due_since(reading: Subscription) -> datetime | None:
    """The start of an overdue period that is new to us: from the oldest open invoice or, if there
    is none left, the start of the unpaid billing period. The result doesn't depend on who looks or
    when."""
    started = [item.period_start for item in reading.items if item.period_start]
    return reading.unpaid_since or min(started, default=None)


def newly_cancelled(reading: Subscription, old: RecordedSubscription) -> int:
    """1 if this reading shows a cancellation that the previous one didn't, otherwise 0."""
    if not old.ticket and reading.status not in access.TERMINAL:
        return 1 if reading.scheduled_end else 0
    was = old.scheduled_end is not None or old.status in access.TERMINAL
    now = reading.scheduled_end is not None or reading.status == "canceled"
    return 1 if now and not was else 0


def asks_who(reading: Subscription, old: RecordedSubscription) -> bool:
    """Whether this reading shows a cancellation or its withdrawal that the previous one didn't."""
    return bool(newly_cancelled(reading, old)) or _withdrawn(reading, old)


def _withdrawn(reading: Subscription, old: RecordedSubscription) -> bool:
    ends = reading.scheduled_end or reading.ended_at
    return bool(old.scheduled_end and not ends and reading.status not in access.TERMINAL)


def facts_of(
    reading: Subscription,
    old: RecordedSubscription,
    entitlements: list[Entitlement],
    *,
    since: datetime | None,
    count: int,
    by: Canceller,
    context: ApplyContext,
) -> list[Fact]:
    """Facts that are new in this reading compared to `old`, once per product concerned.

    `count` is how often the subscription has been cancelled so far, `by` who did that or withdrew
    it, `since` the start of its overdue period.
    """
    found = [
        *_cancellation(reading, old, entitlements, count, by, context),
        *_payments(reading, old, since, context),
        *_unknown_status(reading, entitlements, context),
    ]
    return [
        Fact(
            key=_key(type_, reading, entitlement, nth),
            type=type_,
            at=context.as_of,
            due_at=min(due, context.as_of) if due else None,
            cause=why,
            user_id=entitlement.user_id,
            product_id=entitlement.product.product_id,
            source_id=reading.id,
            event_id=context.event_of(reading.id),
            workflow_id=entitlement.workflow_id,
            data=data,
        )
        for entitlement in entitlements
        for nth, type_, due, why, data in found
    ]


def late_answers(
    reading: Subscription, old: RecordedSubscription, entitlements: list[Entitlement], *, count: int
) -> list[str]:
    """The keys of a cancellation's facts if this reading is the first to show that the customer
    cancelled: Stripe's portal asks for the reason after cancelling."""
    if not reading.cancelled_by_customer or old.cancelled_by_customer:
        return []
    return [
        _key(ActivityType.SUBSCRIPTION_CANCELLED, reading, entitlement, f"{count}")
        for entitlement in entitlements
    ]


def _key(type_: ActivityType, reading: Subscription, entitlement: Entitlement, nth: str) -> str:
    return f"{type_}:{reading.id}:{entitlement.product.product_id}:{nth}"


def _cancellation(
    reading: Subscription,
    old: RecordedSubscription,
    entitlements: list[Entitlement],
    count: int,
    by: Canceller,
    context: ApplyContext,
) -> list[_Line]:
    place = {"place": by.place} if by.place else {}
    ends = reading.scheduled_end or reading.ended_at
    brought_in = not old.ticket and any(bought_before_link(c, context) for c in entitlements)
    if count > old.cancellations and not brought_in:
        data = {"ends": ends, "stripe_reason": reading.cancel_reason, **place}
        return [
            (f"{count}", ActivityType.SUBSCRIPTION_CANCELLED, reading.canceled_at, by.cause, data)
        ]
    if _withdrawn(reading, old):
        return [(f"{count}", ActivityType.CANCELLATION_WITHDRAWN, None, by.cause, place)]
    return []


def _payments(
    reading: Subscription, old: RecordedSubscription, since: datetime | None, context: ApplyContext
) -> list[_Line]:
    if since and old.ticket and not old.past_due_since:
        return [(_spell(since), ActivityType.PAYMENT_FAILED, since, Cause.STRIPE, {})]
    if old.past_due_since and reading.status == "active":
        spell = _spell(old.past_due_since)
        return [(spell, ActivityType.PAYMENT_RECOVERED, None, Cause.STRIPE, {})]
    return []


def _spell(since: datetime) -> str:
    return f"{since.astimezone(UTC):%Y%m%d%H%M%S%f}"


def _unknown_status(
    reading: Subscription, entitlements: list[Entitlement], context: ApplyContext
) -> list[_Line]:
    """Report an unknown status that Stripe added later. It gives no access."""
    if not any(entitlement.verdict.reason is Reason.UNKNOWN_STATUS for entitlement in entitlements):
        return []
    data = {"status": reading.status}
    return [(reading.status, ActivityType.UNKNOWN_STATUS, None, Cause.STRIPE, data)]
