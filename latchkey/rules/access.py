"""Decides from one reading who should have access, and until when: also whether a refund, a dispute
or an unpaid bill ends it. Pure: the clock is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from latchkey.contracts import Wake
from latchkey.rules.policy import Policy
from latchkey.rules.reading import Dispute, Order, Payment, Subscription
from latchkey.rules.vocabulary import Reason

LOOK_AGAIN = timedelta(minutes=5)
"""The first wait after a deadline on which Stripe hasn't acted yet: long enough to avoid busy
polling, short enough to notice soon. Later waits grow with the time since the deadline, up to a
day."""

SELDOM = timedelta(days=1)

INCOMPLETE_EXPIRES = timedelta(hours=24)
"""Stripe expires an unpaid first invoice after 23 hours."""

RENEWAL_SLACK = timedelta(hours=2)
"""A renewal invoice stays a draft for about an hour after the period ends."""

PENDING_CHECK = timedelta(days=1)
"""How often a delayed payment is checked if no event arrives."""

TERMINAL = frozenset({"canceled", "incomplete_expired"})
PAST_DUE_STATUSES = frozenset({"past_due", "unpaid"})
LIVE_STATUSES = frozenset({"incomplete", "trialing", "active", "past_due", "unpaid", "paused"})
"""Those of a subscription that isn't over, whether it gives access or not."""
HELD_STATUSES = LIVE_STATUSES - {"incomplete"}
"""Those of a subscription that lasts unless somebody ends it; an incomplete one expires."""


@dataclass(frozen=True)
class Verdict:
    """`until` limits access that is given; `ended_at` is when access ended.

    `by_clock` marks an end that came by time alone. `wake_at` is later than the `as_of` of the
    judgement.
    """

    access: bool
    reason: Reason
    until: datetime | None = None
    ended_at: datetime | None = None
    by_clock: bool = False
    wake_at: datetime | None = None
    wake: Wake | None = None
    terminal: bool = False


def judge_subscription(
    reading: Subscription,
    policy: Policy,
    *,
    past_due_since: datetime | None,
    as_of: datetime,
    stripe_product: str | None = None,
) -> Verdict:
    """What a subscription with an item of `stripe_product` gives access to.

    `past_due_since` is the start of the current overdue period; None counts from `as_of`.
    """
    if reading.status in TERMINAL:
        ended = min(reading.ended_at or as_of, as_of)
        reason = Reason.CANCELED if reading.status == "canceled" else Reason.EXPIRED
        return Verdict(False, reason, ended_at=ended, terminal=True)
    end = reading.scheduled_end
    if end and end <= as_of:
        return Verdict(
            False,
            Reason.SCHEDULED_END,
            ended_at=end,
            by_clock=True,
            wake_at=_look_again(end, as_of),
            wake=Wake.RENEWAL_DUE,
        )
    verdict = _by_status(reading, policy, past_due_since=past_due_since or as_of, as_of=as_of)
    period_end = reading.period_end_of(stripe_product)
    return _with_wake(verdict, reading, period_end=period_end, as_of=as_of)


def held_back(verdict: Verdict, *, as_of: datetime, reason: Reason = Reason.BY_HAND) -> Verdict:
    """A verdict that an admin has overruled, by a hold or by removing the link."""
    return replace(verdict, access=False, reason=reason, until=None, ended_at=as_of, by_clock=False)


def _look_again(missed: datetime, as_of: datetime) -> datetime:
    return as_of + min(max(LOOK_AGAIN, (as_of - missed) / 4), SELDOM)


def _by_status(
    reading: Subscription, policy: Policy, *, past_due_since: datetime, as_of: datetime
) -> Verdict:
    end = reading.scheduled_end
    excluded = _collection_paused(reading, as_of) and not policy.collection_paused
    match reading.status:
        case status if excluded and status in LIVE_STATUSES:
            return Verdict(False, Reason.BY_POLICY, ended_at=as_of)
        case "active":
            return Verdict(True, Reason.RUNNING, until=end)
        case "trialing" if policy.trialing:
            return Verdict(True, Reason.TRIAL, until=end)
        case "past_due":
            return _in_grace(end, policy, past_due_since=past_due_since, as_of=as_of)
        case "unpaid" if policy.unpaid:
            return Verdict(True, Reason.RUNNING, until=end)
        case "paused" if policy.paused:
            return Verdict(True, Reason.RUNNING, until=end)
        case "incomplete" if policy.incomplete:
            return Verdict(True, Reason.RUNNING, until=end)
        case "trialing" | "unpaid" | "paused" | "incomplete":
            return Verdict(False, Reason.BY_POLICY, ended_at=as_of)
        case _:
            return Verdict(False, Reason.UNKNOWN_STATUS, ended_at=as_of)


def _collection_paused(reading: Subscription, as_of: datetime) -> bool:
    over = reading.resumes_at is not None and reading.resumes_at <= as_of
    return reading.collection_paused and not over


def _in_grace(
    end: datetime | None, policy: Policy, *, past_due_since: datetime, as_of: datetime
) -> Verdict:
    if policy.past_due_days is None:
        return Verdict(True, Reason.GRACE, until=end)
    over = past_due_since + timedelta(days=policy.past_due_days)
    if over <= as_of:
        return Verdict(False, Reason.GRACE_OVER, ended_at=over, by_clock=over > past_due_since)
    if end and end <= over:
        return Verdict(True, Reason.GRACE, until=end)
    return Verdict(True, Reason.GRACE, until=over, wake=Wake.GRACE_ENDS)


def _with_wake(
    verdict: Verdict, reading: Subscription, *, period_end: datetime | None, as_of: datetime
) -> Verdict:
    """The earliest time at which this verdict can change without an event."""
    moments: list[tuple[datetime, Wake]] = []
    if verdict.until:
        moments.append((verdict.until, verdict.wake or Wake.ACCESS_ENDS))
    elif reading.scheduled_end:
        moments.append((reading.scheduled_end, Wake.ACCESS_ENDS))
    if reading.status == "trialing" and reading.trial_end:
        moments.append((reading.trial_end, Wake.TRIAL_ENDS))
    elif reading.status == "incomplete":
        moments.append((reading.created + INCOMPLETE_EXPIRES, Wake.RENEWAL_DUE))
    elif period_end and reading.status in ("active", "past_due"):
        moments.append((period_end + RENEWAL_SLACK, Wake.RENEWAL_DUE))
    if reading.collection_paused and reading.resumes_at:
        moments.append((reading.resumes_at, Wake.RESUMES))
    if not moments:
        return verdict
    wake_at, wake = min(
        (at, wake) if at > as_of else (_look_again(at, as_of), Wake.RENEWAL_DUE)
        for at, wake in moments
    )
    return replace(verdict, wake_at=wake_at, wake=wake)


def judge_order(reading: Order, policy: Policy, *, as_of: datetime) -> Verdict:
    """What a one-off purchase gives: access without an end, or none."""
    state = order_state(reading)
    match state:
        case "paid":
            return _by_money(reading, policy, as_of=as_of)
        case "pending":
            return Verdict(
                False,
                Reason.PAYMENT_PENDING,
                ended_at=as_of,
                wake_at=as_of + PENDING_CHECK,
                wake=Wake.PAYMENT_PENDING,
            )
        case "failed":
            return Verdict(False, Reason.PAYMENT_FAILED, ended_at=as_of, terminal=True)
        case _ if reading.written_off:
            return Verdict(False, Reason.WRITTEN_OFF, ended_at=as_of, terminal=True)
        case _ if _never_paid(reading):
            return Verdict(False, Reason.CREDITED, ended_at=as_of, terminal=True)
        case _:
            return Verdict(False, Reason.NOT_COMPLETED, ended_at=as_of, terminal=True)


def order_state(reading: Order) -> str:
    """`paid`, `pending` (a delayed payment, or a capture, is awaited), `failed` or `open` (not paid
    yet, abandoned, or settled without any money).

    Access needs money, or an order that Stripe itself calls free. An authorization isn't money yet,
    nor is a credit note that leaves nothing to pay.
    """
    if reading.status not in ("complete", "paid") or _never_paid(reading):
        return "open"
    state = reading.payment.state if reading.payment else ""
    if reading.payment_status == "no_payment_required":
        return "paid"
    if reading.payment_status == "paid":
        return {"requires_capture": "pending", "canceled": "failed"}.get(state, "paid")
    if reading.written_off or state in ("requires_payment_method", "canceled"):
        return "failed"
    return "pending"


def _never_paid(reading: Order) -> bool:
    """Whether credit notes left nothing to pay."""
    return 0 < reading.amount <= reading.credited_before


def _all_given_back(reading: Order) -> bool:
    """Whether refunds and credit notes together return all of what was billed."""
    payment = reading.payment
    refunded = payment.amount_refunded if payment else 0
    if payment and (payment.refunded or 0 < payment.amount <= refunded):
        return True
    credited = reading.credited_before + reading.credited_after
    return credited > 0 and 0 < reading.amount <= credited + refunded


def _by_money(reading: Order, policy: Policy, *, as_of: datetime) -> Verdict:
    payment = reading.payment or _NO_PAYMENT
    lost = payment.dispute_status == "lost"
    if lost and not policy.dispute_lost:
        return Verdict(False, Reason.DISPUTE_LOST, ended_at=as_of, terminal=True)
    opened = payment.disputed and payment.dispute_status in DISPUTE_OPEN
    if opened and not policy.dispute_opened:
        return Verdict(False, Reason.DISPUTED, ended_at=as_of, terminal=True)
    fully = _all_given_back(reading)
    partly = not fully and (payment.amount_refunded > 0 or reading.credited_after > 0)
    if (fully and not policy.full_refund) or (partly and not policy.partial_refund):
        reason = Reason.CREDITED if reading.credited_after else Reason.REFUNDED
        return Verdict(False, reason, ended_at=as_of, terminal=True)
    return Verdict(True, Reason.PAID, terminal=True)


_NO_PAYMENT = Payment("", state="")
"""What paid a free order, or one that was paid outside Stripe."""


def dispute_phase(status: str) -> str:
    """`inquiry`, `open`, `won`, `lost`, `closed` (without a dispute, or before one), or an unknown
    status as it is: only a known loss counts as lost."""
    if status in DISPUTE_OPEN:
        return "inquiry" if status.startswith("warning_") else "open"
    return {"warning_closed": "closed", "prevented": "closed"}.get(status, status)


def gravest_dispute(disputes: Iterable[Dispute]) -> Dispute | None:
    """The deciding one of several disputes about a payment: lost first, then open, then others."""
    rank = {"lost": 0, "open": 1, "inquiry": 2}
    return min(disputes, key=lambda one: rank.get(dispute_phase(one.status), 3), default=None)


DISPUTE_OPEN = frozenset(
    {
        "needs_response",
        "under_review",
        "warning_needs_response",
        "warning_under_review",
        "appeal_needs_response",
        "appeal_under_review",
    }
)
