"""What a new password must be: long, not among the most common, and not made of known names."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

SHORTEST, SHORTEST_OF_STAFF, LONGEST = 10, 12, 200
SHORTEST_NAME = 4
"""Shorter names may be part of a password: they are part of many words."""


def weakness(password: str, *, staff: bool, names: Iterable[str]) -> str | None:
    """What is wrong with a new password, and what would do; None if it is strong enough.

    `names` are what others know: the account's address, the site's name.
    """
    shortest = SHORTEST_OF_STAFF if staff else SHORTEST
    if not shortest <= len(password) <= LONGEST:
        return f"Use {shortest} to {LONGEST} characters. Several words in a row will do."
    plain = password.casefold()
    if plain in _common():
        return "This is one of the most common passwords. Use several words in a row instead."
    for name in names:
        known = name.partition("@")[0].strip().casefold()
        if len(known) >= SHORTEST_NAME and known in plain:
            return (
                f"A password can't contain “{known}”, because others know it. Use several words in"
                " a row instead."
            )
    return None


@cache
def _common() -> frozenset[str]:
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
