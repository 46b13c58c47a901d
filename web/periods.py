"""Which days somebody asks for: a preset such as the last 12 months, or dates."""

from datetime import date, timedelta

from latchkey.languages import A_, _
from latchkey.rules.figures import Interval, Period, first_day

PRESETS = {
    "30d": A_("30 days"),
    "90d": A_("90 days"),
    "12m": A_("12 months"),
    "year": A_("This year"),
    "all": A_("All time"),
}
USUAL = "12m"
MOST_YEARS = 20
FIRST_YEAR, LAST_YEAR = 2000, 2199


def preset(name: str, *, today: date, first: date | None) -> Period:
    """The days of a preset, until the end of `today`; `first` is the first day with a figure."""
    end = today + timedelta(days=1)
    match name:
        case "30d" | "90d":
            return Period(end - timedelta(days=int(name[:2])), end)
        case "year":
            return Period(today.replace(month=1, day=1), end)
        case "all" if first is not None and first < today:
            oldest = today.replace(year=today.year - MOST_YEARS, day=1)
            return Period(max(first_day(first, Interval.MONTH), oldest), end)
        case _:
            year_before = first_day(today, Interval.MONTH) - timedelta(days=334)
            return Period(first_day(year_before, Interval.MONTH), end)


def between(first: date | None, last: date | None, *, today: date) -> Period:
    """The days from `first` to `last`: by default today, and a year before the last. Raises
    `ValueError`."""
    until = last or today
    if not all(FIRST_YEAR <= day.year <= LAST_YEAR for day in (first or until, until)):
        raise ValueError(
            _(
                "Choose days between the years %(first_year)s and %(last_year)s.",
                first_year=FIRST_YEAR,
                last_year=LAST_YEAR,
            )
        )
    since = first or until - timedelta(days=364)
    if since > until:
        raise ValueError(_("The first day is after the last. Swap them."))
    if (until - since).days > MOST_YEARS * 366:
        raise ValueError(
            _("Choose a period of at most %(most_years)s years.", most_years=MOST_YEARS)
        )
    return Period(since, until + timedelta(days=1))


def typed(first: str, last: str, *, today: date) -> Period:
    """As `between`, for days as they come from a form, such as 2027-01-31. Raises `ValueError`."""
    return between(_day(first), _day(last), today=today)


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise ValueError(_("That isn't a date. Use a format like 2027-01-31.")) from None
