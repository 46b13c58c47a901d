"""Figures over time: what they are made of, how periods are divided, and how rates are worked out.

Recurring revenue is counted as Stripe's Dashboard does ("Billing metric definitions" in Stripe's
documentation): what `active` and `past_due` subscriptions bring in each month, without trials, free
plans, metered prices and taxes. Someone is lost when none of it is left, by cancelling or by not
paying.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

PER_YEAR: Mapping[str, int] = {"day": 365, "week": 52, "month": 12, "year": 1}
"""How often each interval of a price comes in a year."""

MOST_DAYS, MOST_WEEKS = 62, 26
"""Periods of up to as many days are divided into days, of up to as many weeks into weeks, and
longer ones into months."""


class Movement(StrEnum):
    """How a figure changed on a day. Those who are lost, and less revenue, count negative."""

    JOINED = "joined"
    LEFT = "left"
    NEW = "new"
    REACTIVATED = "reactivated"
    EXPANDED = "expanded"
    CONTRACTED = "contracted"
    CHURNED = "churned"
    TRIAL_STARTED = "trial_started"
    TRIAL_CONVERTED = "trial_converted"
    TRIAL_LOST = "trial_lost"
    SOLD = "sold"


MEMBERS = (Movement.JOINED, Movement.LEFT)
REVENUE = (
    Movement.NEW,
    Movement.REACTIVATED,
    Movement.EXPANDED,
    Movement.CONTRACTED,
    Movement.CHURNED,
)
"""The movements whose sum up to a moment is the recurring revenue, and the number of subscribers,
at that moment."""


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Period:
    """The days from `start` up to but excluding `end`, in UTC."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def before(self) -> "Period":
        """The period just as long that ends where this one starts."""
        return Period(self.start - timedelta(days=self.days), self.start)

    @property
    def interval(self) -> Interval:
        """What it is divided into unless somebody chooses."""
        if self.days <= MOST_DAYS:
            return Interval.DAY
        return Interval.WEEK if self.days <= MOST_WEEKS * 7 else Interval.MONTH


def first_day(day: date, interval: Interval) -> date:
    """The day on which the week (a Monday) or the month of a day begins."""
    match interval:
        case Interval.DAY:
            return day
        case Interval.WEEK:
            return day - timedelta(days=day.weekday())
        case Interval.MONTH:
            return day.replace(day=1)


def next_first_day(day: date, interval: Interval) -> date:
    """The day on which the next day, week or month begins."""
    match interval:
        case Interval.DAY:
            return day + timedelta(days=1)
        case Interval.WEEK:
            return first_day(day, interval) + timedelta(days=7)
        case Interval.MONTH:
            return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def divided(period: Period, interval: Interval) -> list[Period]:
    """The parts of a period, in order. The first and the last may be cut off."""
    parts, start = [], period.start
    while start < period.end:
        end = min(next_first_day(start, interval), period.end)
        parts.append(Period(start, end))
        start = end
    return parts


def share(part: float, whole: float) -> float | None:
    """A part in percent; None if there is nothing that it could be a part of."""
    return 100 * part / whole if whole > 0 else None
