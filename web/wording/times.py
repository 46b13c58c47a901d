"""Moments for people: in UTC as written here, in the reader's own zone once latchkey.js ran."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup


def when(moment: datetime | None) -> Markup:
    """Day and time, with the exact time on hover."""
    return _time(moment, "d MMM y, HH:mm", suffix=" UTC")


def day(moment: datetime | None) -> Markup:
    """The day, with the exact time on hover."""
    return _time(moment, "d MMMM y", show="day")


def ago(moment: datetime | None) -> Markup:
    """How long ago (or how far ahead), with the exact time on hover."""
    if moment is None:
        return Markup("")
    gone = datetime.now(UTC) - moment
    if abs(gone) < timedelta(seconds=10):
        return _time(moment, "", show="ago", text="just now")
    text = format_timedelta(-gone, add_direction=True, threshold=1.2, locale="en")
    return _time(moment, "", show="ago", text=text)


def chosen(given: str, zone: str) -> datetime | None:
    """The moment that a `datetime-local` field means in the zone that came along with it.

    None for an empty field. Raises `ValueError` for what is no moment.
    """
    if not given:
        return None
    try:
        known = ZoneInfo(zone or "UTC")
    except (ValueError, OSError, LookupError):
        known = ZoneInfo("UTC")
    try:
        return datetime.fromisoformat(given).replace(tzinfo=known).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Write it as a date and a time, such as 2027-01-31 12:00.") from None


def day_begins(given: str) -> datetime:
    """The first moment, in UTC, of a day that an address names. Raises `ValueError`."""
    try:
        named = date.fromisoformat(given)
    except ValueError:
        raise ValueError("Write the day like 2027-01-31.") from None
    if named == date.max:
        raise ValueError(f"Name a day before {date.max}: it is the last there is.")
    return datetime.combine(named, time(), UTC)


def _time(
    moment: datetime | None, pattern: str, *, show: str = "", suffix: str = "", text: str = ""
) -> Markup:
    if moment is None:
        return Markup("")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" data-show="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(),
        show,
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        text or format_datetime(utc, pattern, locale="en") + suffix,
    )
