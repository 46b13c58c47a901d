"""When a subscription that had ended before Latchkey knew of it was on trial, and paid for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.rules.reading import Subscription

PAST = timedelta(days=3 * 366)
"""How long ago a subscription may have ended to be counted."""


@dataclass(frozen=True)
class PastStretch:
    """From when until when (UTC) a subscription was on trial, or paid for."""

    trial: bool
    since: datetime
    until: datetime


def stretches(reading: Subscription, *, as_of: datetime) -> list[PastStretch]:
    """The stretches of a subscription that was cancelled: its trial, then until its end. None if
    nobody ever paid (`incomplete_expired`), or if it ended too long ago to count.

    `record_recurring_spans` in the database does the same where a subscription is known.
    """
    if reading.status != "canceled" or reading.ended_at is None:
        return []
    ended = min(reading.ended_at, as_of)
    if ended < as_of - PAST:
        return []
    paid_from = max(reading.trial_end or reading.created, reading.created)
    found = [
        PastStretch(True, reading.created, min(paid_from, ended)),
        PastStretch(False, paid_from, ended),
    ]
    return [stretch for stretch in found if stretch.since < stretch.until]
