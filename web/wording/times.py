"""Times for people: in UTC here, and in the reader's own time zone once latchkey.js has run."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup

from latchkey import languages
from latchkey.languages import A_, _, long_day

LATE = timedelta(minutes=1)


def when(moment: datetime | None) -> Markup:
    """Day and time, with the exact time on hover."""
    return _time(moment, lambda utc: f"{_minute(utc)} UTC")


def day(moment: datetime | None) -> Markup:
    """The day, with the exact time on hover."""
    return _time(moment, long_day, show="day")


def month(moment: datetime) -> str:
    """The month and year, in UTC."""
    return str(format_datetime(moment.astimezone(UTC), A_("MMMM y"), locale="en"))


def ago(moment: datetime | None) -> Markup:
    """How long ago (or how far ahead), with the exact time on hover."""
    if moment is None:
        return Markup("")
    gone = datetime.now(UTC) - moment
    if abs(gone) < timedelta(seconds=10):
        return _time(moment, lambda _utc: _("just now"), show="ago")
    text = format_timedelta(
        -gone, add_direction=True, threshold=1.2, locale=languages.current().locale
    )
    return _time(moment, lambda _utc: text, show="ago")


def late(done: datetime | None, due: datetime | None) -> bool:
    """Whether something was done so long after it was due that both moments are worth saying."""
    return done is not None and due is not None and done - due >= LATE


def chosen(value: str, zone: str) -> datetime | None:
    """The moment that a `datetime-local` field means in the zone that came along with it.

    None for an empty field. Raises `ValueError` for anything that isn't a date and time.
    """
    if not value:
        return None
    try:
        known = ZoneInfo(zone or "UTC")
    except (ValueError, OSError, LookupError):
        known = ZoneInfo("UTC")
    try:
        return datetime.fromisoformat(value).replace(tzinfo=known).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            A_("That isn't a date and time. Use a format like 2027-01-31 12:00.")
        ) from None


def lasting(seconds: float) -> str:
    """How long something took: `0.42 s`, `42 s`, `5 minutes`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return str(format_timedelta(timedelta(seconds=seconds), threshold=1.2, locale="en"))


def day_begins(value: str) -> datetime:
    """The first moment, in UTC, of a day such as 2027-01-31. Raises `ValueError`."""
    try:
        named = date.fromisoformat(value)
    except ValueError:
        raise ValueError(A_("That isn't a date. Use a format like 2027-01-31.")) from None
    if named == date.max:
        raise ValueError(A_("Choose a date before %(max)s.", max=date.max))
    return datetime.combine(named, time(), UTC)


def days_between(first: str, last: str) -> tuple[datetime | None, datetime | None]:
    """The moments, in UTC, from which and before which the days from `first` to `last` lie; None
    for an empty one. Raises `ValueError`."""
    since = day_begins(first) if first else None
    until = day_begins(last) + timedelta(days=1) if last else None
    return since, until


def _minute(moment: datetime) -> str:
    """A day and time, briefly."""
    if languages.current() is languages.ENGLISH:
        return str(format_datetime(moment, "d MMM y, HH:mm", locale="en"))
    return str(format_datetime(moment, "medium", locale=languages.current().locale))


def _time(moment: datetime | None, said: Callable[[datetime], str], *, show: str = "") -> Markup:
    if moment is None:
        return Markup("")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" data-show="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(), show, utc.strftime("%Y-%m-%d %H:%M:%S"), said(utc)
    )
