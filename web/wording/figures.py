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

from latchkey.languages import A_, ENGLISH, Language, _, current, written
from latchkey.rules.figures import Interval, Movement, Period
from latchkey.rules.money import decimals, in_major_units
from latchkey.store.figures.behind import FigureQuestion, Kind, Level, Several
from web.wording.amounts import money

KINDS: Mapping[Kind, str] = {
    Level.MEMBERS: A_("Members"),
    Level.SUBSCRIBERS: A_("Subscribers"),
    Level.TRIALS: A_("On trial"),
    Level.STAYED: A_("Still paying"),
    Several.FIRST_PAID: A_("Paid for the first time"),
    Several.REVENUE_LOST: A_("Lost recurring revenue"),
    Movement.JOINED: A_("Members who joined"),
    Movement.LEFT: A_("Members who left"),
    Movement.NEW: A_("New subscribers"),
    Movement.REACTIVATED: A_("Subscribers who came back"),
    Movement.EXPANDED: A_("Subscribers who pay more"),
    Movement.CONTRACTED: A_("Subscribers who pay less"),
    Movement.CHURNED: A_("Lost subscribers"),
    Movement.TRIAL_STARTED: A_("Trials that began"),
    Movement.TRIAL_CONVERTED: A_("Trials that were paid for"),
    Movement.TRIAL_LOST: A_("Trials that ended unpaid"),
    Movement.SOLD: A_("One-time purchases"),
}


def people(question: FigureQuestion) -> str:
    """The heading of the people behind a figure."""
    if question.kind is Level.STAYED:
        return _(
            "First paid in %(month_name)s, still paying",
            month_name=month_name(question.period.start),
        )
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
    return _moved(now - before, _("points"), more_is_good)


def _moved(by: float, unit: str, more_is_good: bool) -> Change:
    moved = round(by, 1)
    if moved == 0:
        return Change(_("no change"), None)
    text = f"{format_decimal(moved, format='+#,##0.#;-#,##0.#', locale=current().locale)} {unit}"
    return Change(text, (moved > 0) == more_is_good)


def rate(value: float | None) -> str:
    """A rate in percent, or a dash where nothing could be counted."""
    return "–" if value is None else f"{_tenths(value)} %"


def _tenths(value: float) -> str:
    if current() is ENGLISH:
        return f"{value:,.1f}".removesuffix(".0")
    return format_decimal(value, "#,##0.#", locale=current().locale)


def writer(currency: str) -> Callable[[float], str]:
    """Writes amounts in the minor unit as `money` does, for thousands of them on a page. Without a
    currency, whole numbers."""
    if not currency:
        return lambda value: written(round(value))
    if current() is not ENGLISH:
        return lambda amount: money(int(amount), currency)
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
    pattern = "¤#,##0" if current() is ENGLISH else "#,##0\xa0¤"
    return str(
        format_currency(round(exact), code, pattern, locale=current().locale, currency_digits=False)
    )


def short(value: float) -> str:
    """A number for an axis: `12K`."""
    return str(format_compact_decimal(value, locale=current().locale, fraction_digits=1))


def short_money(amount: float, currency: str) -> str:
    """An amount in the minor unit for an axis: `€12K`."""
    code = currency.upper()
    value = in_major_units(int(amount), code)
    return str(format_compact_currency(value, code, locale=current().locale, fraction_digits=1))


def part_name(period: Period, interval: Interval) -> str:
    """A day, a week by its first day, or a month."""
    if interval is Interval.MONTH:
        return month_name(period.start)
    return _written(period.start, _("d MMM y"), current())


def month_name(day: date) -> str:
    """The month of a day: `Mar 2026`."""
    return _written(day, _("MMM y"), current())


@lru_cache(maxsize=1000)
def _written(day: date, pattern: str, language: Language) -> str:
    return str(format_date(day, pattern, locale=language.locale))


def last_day(period: Period) -> str:
    """The last day of a period: `31 Mar 2026`."""
    return _written(period.end - timedelta(days=1), _("d MMM y"), current())


def period_name(period: Period) -> str:
    """The days of a period: `1 Mar 2026 to 31 Mar 2026`."""
    last = period.end - timedelta(days=1)
    first, until = (_written(day, _("d MMM y"), current()) for day in (period.start, last))
    return first if period.start == last else _("%(first)s to %(last)s", first=first, last=until)
