"""Sizes of files as people read them."""

from typing import Literal

from babel.units import format_unit

from latchkey.languages import current


def file_size(size: int) -> str:
    """A number of bytes in a unit that suits it: `1.2 MB`."""
    for unit, factor in (("megabyte", 10**6), ("kilobyte", 10**3)):
        if size >= factor:
            tenths = round(size / factor, 1 if size < 100 * factor else 0)
            return _written(tenths, unit)
    return _written(size, "byte", length="long")


def _written(number: float, unit: str, *, length: Literal["short", "long"] = "short") -> str:
    return str(format_unit(number, f"digital-{unit}", length, locale=current().locale))
