"""Numbers in URLs and form fields."""

import re
from decimal import Decimal

from babel.numbers import get_decimal_symbol

from latchkey.languages import current

_DECIMAL = re.compile(
    r"""(?P<sign>[-+]?)
        (?P<whole>\d+|\d{1,3}(?P<group>[.,'\u2019 \u00a0\u202f])\d{3}(?:(?P=group)\d{3})*)
        (?:(?P<mark>[.,])(?P<part>\d+))?""",
    re.VERBOSE,
)


class AmbiguousNumberError(ValueError):
    """What may be a decimal mark may as well separate thousands."""


def number(given: str | None, *, digits: int = 18) -> int | None:
    """A whole number of at most `digits` digits, so that it fits a database column; otherwise
    None."""
    return int(given) if given and given.isdecimal() and len(given) <= digits else None


def decimal(typed: str) -> Decimal:
    """A number as people type it, with a point or a comma: `15.00`, `15,00`, `1.500,00`, `1 500`.

    Nobody is taken for a thousand times what they meant: the mark that the language in use doesn't
    write before decimals is one before three digits only if it can't separate thousands there.
    Raises `AmbiguousNumberError`, and `ValueError` for what isn't a number.
    """
    found = _DECIMAL.fullmatch(typed)
    if found is None or (found["group"] and found["group"] == found["mark"]):
        raise ValueError("it isn't a number")
    whole, mark, part = found["whole"], found["mark"], found["part"] or ""
    foreign = mark and not found["group"] and mark != get_decimal_symbol(current().locale)
    if foreign and len(part) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        raise AmbiguousNumberError
    digits = re.sub(r"\D", "", whole)
    return Decimal(f"{found['sign']}{digits}.{part}" if part else f"{found['sign']}{digits}")
