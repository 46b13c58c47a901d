"""What a difference between Stripe and Latchkey means, and who may repair it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from latchkey.rules.vocabulary import Reason

UNDER_WAY = timedelta(minutes=5)
"""How late a timed end may be before it counts as a difference."""


class Kind(StrEnum):
    """What differs, or which invariant is violated."""

    ACCESS_MISSING = "access_missing"
    ACCESS_LEFT = "access_left"
    UNTIL_DIFFERS = "until_differs"
    MIRROR_DIFFERS = "mirror_differs"
    NOBODY = "nobody_to_grant"
    GONE = "gone_from_stripe"
    OTHER_ACCOUNT = "other_account"
    ACCESS_AFTER_END = "access_after_end"
    PAID_WITHOUT_ACCESS = "paid_without_access"
    WORKFLOW_MISSING = "workflow_missing"
    WORKFLOW_STUCK = "workflow_stuck"
    TIMER_MISSING = "timer_missing"


class Severity(StrEnum):
    """`safe` can be repaired without asking, `person` needs a decision, `foreign` isn't ours."""

    SAFE = "safe"
    MANUAL = "person"
    FOREIGN = "foreign"


REPAIRABLE = frozenset(Kind) - {Kind.NOBODY, Kind.GONE, Kind.OTHER_ACCOUNT, Kind.WORKFLOW_STUCK}
"""Kinds that a repair can fix, once a person or the class allows it."""


@dataclass(frozen=True)
class Standing:
    """The state of one source's access to one product."""

    live: bool
    until: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True)
class Judged:
    kind: Kind
    severity: Severity
    reason: str


def compare(before: Standing | None, after: Standing | None, *, as_of: datetime) -> Judged | None:
    """Compare the grants as they are with what they would be after reading Stripe; None if they
    agree."""
    was, should = before is not None and before.live, after is not None and after.live
    if not was and should:
        return _missing(before)
    if was and not should:
        return _left(before, after, as_of=as_of)
    if was and should and before and after and before.until != after.until:
        return Judged(
            Kind.UNTIL_DIFFERS,
            Severity.SAFE,
            f"Access is recorded as lasting {_until(before.until)}, but according to Stripe it"
            " lasts"
            f" {_until(after.until)}",
        )
    return None


def _missing(before: Standing | None) -> Judged:
    if before is not None and before.end_reason == Reason.BY_HAND:
        return Judged(
            Kind.ACCESS_MISSING,
            Severity.MANUAL,
            "An admin ended this access by hand, but according to Stripe it is still paid for",
        )
    return Judged(
        Kind.ACCESS_MISSING,
        Severity.SAFE,
        "According to Stripe it is paid for, but there is no access",
    )


def _left(before: Standing | None, after: Standing | None, *, as_of: datetime) -> Judged | None:
    until = before.until if before else None
    if until is not None and as_of - UNDER_WAY < until <= as_of:
        return None
    why = (after.end_reason or "") if after else ""
    return Judged(
        Kind.ACCESS_LEFT,
        Severity.SAFE,
        f"There is access, but according to Stripe there shouldn't be: {why.replace('_', ' ')}",
    )


def _until(moment: datetime | None) -> str:
    return f"until {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "without an end"
