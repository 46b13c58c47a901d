"""Figures as people read them: what each is called, rates, changes, short amounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from babel.dates import format_date
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
)

from latchkey.rules.figures import Interval, Movement, Period
from latchkey.rules.money import decimals, in_major_units
from latchkey.store.figures.behind import FigureQuestion, Kind, Level, Several
from web.wording.amounts import money

KINDS: Mapping[Kind, str] = {
    Level.MEMBERS: "Members",
    Level.SUBSCRIBERS: "Subscribers",
    Level.TRIALS: "On trial",
    Level.STAYED: "Still paying",
    Several.FIRST_PAID: "Paid for the first time",
    Several.REVENUE_LOST: "Lost recurring revenue",
    Movement.JOINED: "Members who joined",
    Movement.LEFT: "Members who left",
    Movement.NEW: "New subscribers",
    Movement.REACTIVATED: "Subscribers who came back",
    Movement.EXPANDED: "Subscribers who pay more",
    Movement.CONTRACTED: "Subscribers who pay less",
    Movement.CHURNED: "Lost subscribers",
    Movement.TRIAL_STARTED: "Trials that began",
    Movement.TRIAL_CONVERTED: "Trials that were paid for",
    Movement.TRIAL_LOST: "Trials that ended unpaid",
    Movement.SOLD: "One-time purchases",
}


def people(question: FigureQuestion) -> str:
    """The heading of the people behind a figure."""
    if question.kind is Level.STAYED:
        return f"First paid in {month_name(question.period.start)}, still paying"
    return KINDS[question.kind]


@dataclass(frozen=True)
class Change:
    """How a figure compares with the period before: `+5.2 %`, `no change`. `good` is None where it
    is the same."""

    text: str
    good: bool | None


def change(now: float | None, before: float | None, *, more_is_good: bool = True) -> Change | None:
    """The change in percent; None where there is nothing to compare with."""
    if now is None or not before or before < 0:
        return None
    return _moved(100 * (now - before) / before, "%", more_is_good)


def points(now: float | None, before: float | None, *, more_is_good: bool) -> Change | None:
    """The change of a rate in percentage points."""
    if now is None or before is None:
        return None
    return _moved(now - before, "points", more_is_good)


def _moved(by: float, unit: str, more_is_good: bool) -> Change:
    moved = round(by, 1)
    if moved == 0:
        return Change("no change", None)
    text = f"{format_decimal(moved, format='+#,##0.#;-#,##0.#', locale='en')} {unit}"
    return Change(text, (moved > 0) == more_is_good)


def rate(value: float | None) -> str:
    """A rate in percent, or a dash where nothing could be counted."""
    return "–" if value is None else f"{f'{value:,.1f}'.removesuffix('.0')} %"


def writer(currency: str) -> Callable[[float], str]:
    """Writes amounts in the minor unit as `money` does, for thousands of them on a page. Without a
    currency, whole numbers."""
    if not currency:
        return "{:,.0f}".format
    places = decimals(currency)
    before = money(0, currency).rstrip("0.,")

    def write(amount: float) -> str:
        exact = in_major_units(int(amount), currency)
        return f"{'-' if exact < 0 else ''}{before}{abs(exact):,.{places}f}"

    return write


def rounded(value: int, currency: str) -> str:
    """An amount in the minor unit, from a thousand on without decimals: `€150,657`. `0` while there
    is no currency."""
    if not currency:
        return "0"
    code = currency.upper()
    if abs(exact := in_major_units(value, code)) < 1000:
        return money(value, code)
    return str(format_currency(round(exact), code, "¤#,##0", locale="en", currency_digits=False))


def short(value: float) -> str:
    """A number for an axis: `12K`."""
    return str(format_compact_decimal(value, locale="en", fraction_digits=1))


def short_money(amount: float, currency: str) -> str:
    """An amount in the minor unit for an axis: `€12K`."""
    code = currency.upper()
    value = in_major_units(int(amount), code)
    return str(format_compact_currency(value, code, locale="en", fraction_digits=1))


@lru_cache(maxsize=1000)
def part_name(period: Period, interval: Interval) -> str:
    """A day, a week by its first day, or a month."""
    if interval is Interval.MONTH:
        return month_name(period.start)
    return str(format_date(period.start, "d MMM y", locale="en"))


@lru_cache(maxsize=1000)
def month_name(day: date) -> str:
    """The month of a day: `Mar 2026`."""
    return str(format_date(day, "MMM y", locale="en"))


def period_name(period: Period) -> str:
    """The days of a period: `1 Mar 2026 to 31 Mar 2026`."""
    last = period.end - timedelta(days=1)
    first, until = (format_date(day, "d MMM y", locale="en") for day in (period.start, last))
    return str(first) if period.start == last else f"{first} to {until}"
