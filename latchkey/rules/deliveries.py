"""When an outgoing webhook is tried again, and when no more. Pure.

Each delivery is tried for three days, with growing pauses, as Stripe does it. An endpoint that
fails again and again rests: one event at a time finds out whether it is back. One that has failed
for three days is switched off. One that says when to come back (`Retry-After`) is left alone until
then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""Between the attempts of one delivery; the last one is repeated."""

RESTS = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
)
"""Between the attempts at an endpoint that fails; the last one is repeated."""

PATIENCE = timedelta(days=3)
FAILS = 5
"""After so many failed attempts in a row, of whatever deliveries, an endpoint rests."""

GONE = 410
BUSY = (429, 503)
"""The answers whose `Retry-After` is heeded."""

SHORTEST_ASKED = timedelta(seconds=1)
LONGEST_ASKED = timedelta(days=1)


@dataclass(frozen=True)
class DeliveryStanding:
    """Where a delivery and its endpoint stand after a failed attempt: how often the delivery was
    tried and since when, how often the endpoint has failed in a row and since when."""

    attempts: int
    first_tried_at: datetime
    failures: int
    failing_since: datetime


@dataclass(frozen=True)
class Next:
    """What follows. A delivery without `due_at` has failed; an endpoint may have to rest, or be
    switched off."""

    due_at: datetime | None
    rests_until: datetime | None = None
    switch_off: bool = False


def rests(failures: int) -> bool:
    return failures >= FAILS


def asked_pause(status: int, retry_after: str | None, now: datetime) -> timedelta | None:
    """How long a server asks to be left alone: seconds or a date (RFC 9110), within bounds. None if
    it doesn't, or not in a way that can be read."""
    if status not in BUSY or not retry_after:
        return None
    try:
        pause = timedelta(seconds=float(retry_after))
    except (ValueError, OverflowError):
        try:
            at = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return None
        pause = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(pause, SHORTEST_ASKED), LONGEST_ASKED)


def after_failure(
    standing: DeliveryStanding,
    *,
    status: int | None,
    now: datetime,
    asked: timedelta | None = None,
    hopeless: bool = False,
) -> Next:
    """What follows from an attempt that failed with this status, None if there was no answer.
    `asked` is how long the endpoint asks to be left alone; `hopeless` says that nothing will work
    before somebody does something.

    What waits stays, for when somebody switches the endpoint on again.
    """
    if hopeless or status == GONE or now - standing.failing_since >= PATIENCE:
        return Next(due_at=now, switch_off=True)
    pause = asked or PAUSES[min(standing.attempts, len(PAUSES)) - 1]
    due = None if now - standing.first_tried_at >= PATIENCE else now + pause
    rest = now + asked if asked else None
    if rest is None and rests(standing.failures):
        rest = now + RESTS[min(standing.failures - FAILS, len(RESTS) - 1)]
    return Next(due, rest)
