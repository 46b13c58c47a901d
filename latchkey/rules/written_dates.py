"""Ends of memberships as other systems write them in their exports."""

import re
from datetime import UTC, datetime, time
from enum import StrEnum

FIRST_YEAR, LAST_YEAR = 1970, 9998
NO_END = frozenset(
    (
        "",
        "-",
        "--",
        "0",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "∞",
        "forever",
        "lifetime",
        "n/a",
        "na",
        "never",
        "no expiration",
        "none",
        "null",
        "unlimited",
    )
)
"""What stands, in lower case, where there isn't an end."""

_SLASHED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ T,]+(.+))?")
_YEAR_FIRST = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[ T,]+(.+))?")
_UNIX = re.compile(r"\d{9,10}")
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$", re.IGNORECASE)
_OFFSET = re.compile(r"\s+([+-]\d{2}):?(\d{2})$")
_IN_WORDS = ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%B %d %Y", "%b %d %Y", "%d-%b-%Y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")


class DateOrder(StrEnum):
    """How dates such as 03/04/2027 are meant, where they don't show it themselves."""

    UNKNOWN = "unknown"
    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class UnreadableDateError(ValueError):
    """A text isn't a date that can be read. The message says why."""


def end_of(text: str, order: DateOrder) -> datetime | None:
    """The moment that a text names, in UTC; None for one of `NO_END`.

    A day lasts to its last second, and a time without a zone is in UTC. Raises
    `UnreadableDateError`.
    """
    plain = " ".join(text.split())
    if plain.lower() in NO_END:
        return None
    moment = _read(plain, order)
    if moment is None:
        raise UnreadableDateError(f"“{plain[:40]}” isn't a date. Use a format like 2027-01-31.")
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        moment = datetime.min.replace(tzinfo=UTC)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise UnreadableDateError(f"“{plain[:40]}” has a year that can't be right.")
    return moment


def order_of(texts: list[str]) -> DateOrder:
    """The order of day and month that the dates of a column show; unknown if none of them shows
    it, or if they differ."""
    days = months = 0
    for text in texts:
        found = _SLASHED.fullmatch(" ".join(text.split()))
        if found and found[2] == "/":
            days += int(found[1]) > 12
            months += int(found[3]) > 12
    if bool(days) == bool(months):
        return DateOrder.UNKNOWN
    return DateOrder.DAY_FIRST if days else DateOrder.MONTH_FIRST


def _read(plain: str, order: DateOrder) -> datetime | None:
    if _UNIX.fullmatch(plain) and plain.isascii():
        return datetime.fromtimestamp(int(plain), UTC)
    if found := _SLASHED.fullmatch(plain):
        day, month = _day_and_month(plain, found, order)
        return _joined(int(found[4]), month, day, found[5])
    if found := _YEAR_FIRST.fullmatch(plain):
        return _joined(int(found[1]), int(found[2]), int(found[3]), found[4])
    zoned = _OFFSET.sub(r"\1:\2", _ZONE.sub("+00:00", plain))
    try:
        moment = datetime.fromisoformat(zoned)
    except ValueError:
        return _in_words(plain)
    return _last_second(moment) if len(zoned) <= 10 else moment


def _day_and_month(plain: str, found: re.Match[str], order: DateOrder) -> tuple[int, int]:
    first, second = int(found[1]), int(found[3])
    if found[2] == ".":
        return first, second
    if order is DateOrder.UNKNOWN and first != second and max(first, second) <= 12:
        raise UnreadableDateError(
            f"“{plain[:40]}” can mean two days. Choose how dates are written, on the page with the"
            " columns."
        )
    month_first = order is DateOrder.MONTH_FIRST or (order is DateOrder.UNKNOWN and second > 12)
    return (second, first) if month_first else (first, second)


def _joined(year: int, month: int, day: int, clock: str | None) -> datetime | None:
    try:
        moment = datetime(year, month, day)
    except ValueError:
        return None
    if clock is None:
        return _last_second(moment)
    for pattern in _CLOCKS:
        try:
            read = datetime.strptime(_ZONE.sub("", clock), pattern)
        except ValueError:
            continue
        return datetime.combine(moment.date(), read.time())
    return None


def _in_words(plain: str) -> datetime | None:
    for pattern in _IN_WORDS:
        for clock in ("", *(f" {each}" for each in _CLOCKS)):
            try:
                moment = datetime.strptime(_ZONE.sub("", plain), f"{pattern}{clock}")
            except ValueError:
                continue
            return moment if clock else _last_second(moment)
    return None


def _last_second(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(23, 59, 59))
