"""Opaque cursors for paging through lists."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from latchkey.texts import storable
from web import numbers
from web.api.problems import ApiError
from web.api.registry import Paging

Row = TypeVar("Row")


def cursor(value: int | str) -> str:
    """The `next` cursor for the last row's key."""
    return base64.urlsafe_b64encode(str(value).encode()).decode().rstrip("=")


def text(given: str | None) -> str | None:
    """The text key in a cursor. Raises a 400 `ApiError`."""
    if given is None:
        return None
    try:
        padded = given + "=" * (-len(given) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = ""
    if not key or not storable(key):
        raise bad_cursor()
    return key


def number(given: str | None) -> int | None:
    """The numeric key in a cursor. Raises a 400 `ApiError`."""
    key = text(given)
    if key is None:
        return None
    found = numbers.number(key)
    if found is None:
        raise bad_cursor()
    return found


def bad_cursor() -> ApiError:
    return ApiError(400, "bad_cursor", "`after` must be the `next` of an earlier page")


def sliced(
    rows: Sequence[Row], key: Callable[[Row], int | str], paging: Paging
) -> tuple[list[Row], str | None]:
    """A page of a short list that has been read as a whole, and its `next`. Raises a 400
    `ApiError`."""
    place = text(paging.after)
    start = 0
    if place is not None:
        start = next((nth for nth, row in enumerate(rows, 1) if str(key(row)) == place), len(rows))
    page = list(rows[start : start + paging.limit])
    more = len(rows) > start + paging.limit
    return page, cursor(key(page[-1])) if more else None
