"""What a text may hold: what Postgres can store, and what fits on one line."""

import re
import unicodedata

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BREAKING = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""The Unicode categories of control characters, line and paragraph separators, and surrogates."""


def storable(text: str) -> bool:
    """Whether Postgres can hold the text: it can hold neither NUL nor half a character."""
    return _UNSTORABLE.search(text) is None


def made_storable(text: str) -> str:
    """The text with U+FFFD in place of what Postgres can't hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def on_one_line(text: str) -> bool:
    """Whether the text is free of line breaks and control characters."""
    return not any(unicodedata.category(character) in _BREAKING for character in text)
