"""Opaque cursors for paging through lists."""

import base64
import binascii

from latchkey.texts import storable
from web import numbers
from web.api.problems import ApiError


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
        raise ApiError(400, "bad_cursor", "`after` must be the `next` of an earlier page")
    return key


def number(given: str | None) -> int | None:
    """The numeric key in a cursor. Raises a 400 `ApiError`."""
    key = text(given)
    if key is None:
        return None
    found = numbers.number(key)
    if found is None:
        raise ApiError(400, "bad_cursor", "`after` must be the `next` of an earlier page")
    return found
