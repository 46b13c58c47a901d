"""What a new password must be: long, not among the most common, and not made of known names."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from latchkey.languages import _

SHORTEST, SHORTEST_OF_STAFF, LONGEST = 10, 12, 200
SHORTEST_NAME = 4
"""Shorter names may be part of a password: they are part of many words."""


def weakness(password: str, *, staff: bool, names: Iterable[str]) -> str | None:
    """What is wrong with a new password, and what would do; None if it is strong enough.

    `names` are what others know: the account's address, the site's name.
    """
    shortest = SHORTEST_OF_STAFF if staff else SHORTEST
    if not shortest <= len(password) <= LONGEST:
        return _(
            "Use %(shortest)s to %(longest)s characters. Several words in a row will do.",
            shortest=shortest,
            longest=LONGEST,
        )
    plain = password.casefold()
    if plain in _common():
        return _("This is one of the most common passwords. Use several words in a row instead.")
    for name in names:
        known = name.partition("@")[0].strip().casefold()
        if len(known) >= SHORTEST_NAME and known in plain:
            return _(
                "A password can't contain “%(known)s”, because others know it. Use several"
                " words in a row instead.",
                known=known,
            )
    return None


@cache
def _common() -> frozenset[str]:
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
