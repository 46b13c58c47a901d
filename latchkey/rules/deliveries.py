"""When an outgoing webhook is tried again, and when no more. Pure.

Each delivery is tried for three days, with growing pauses, as Stripe does it. An endpoint that
fails again and again rests: one event at a time finds out whether it is back. One that has failed
for three days is switched off.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

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


def after_failure(standing: DeliveryStanding, *, status: int | None, now: datetime) -> Next:
    """What follows from an attempt that failed with this status, None if there was no answer.

    What waits stays, for when somebody switches the endpoint on again.
    """
    if status == GONE or now - standing.failing_since >= PATIENCE:
        return Next(due_at=now, switch_off=True)
    pause = PAUSES[min(standing.attempts, len(PAUSES)) - 1]
    due = None if now - standing.first_tried_at >= PATIENCE else now + pause
    rest = None
    if rests(standing.failures):
        rest = now + RESTS[min(standing.failures - FAILS, len(RESTS) - 1)]
    return Next(due, rest)
