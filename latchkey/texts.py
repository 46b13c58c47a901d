"""What a text may hold: what Postgres can store, what fits on one line, what is a web address."""

import re
import unicodedata
from urllib.parse import urlsplit

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


def visible(text: str, *, longest: int) -> str:
    """A name as one line of at most `longest` characters, without those that nobody sees, such as
    the ones that turn the direction of writing."""
    seen = (c if not unicodedata.category(c).startswith("C") else " " for c in text)
    flat = " ".join("".join(seen).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def is_web_address(text: str) -> bool:
    """Whether browsers can follow it: an address that names a host, in one piece."""
    return text.isprintable() and " " not in text and bool(host_of(text))


def host_of(address: str) -> str:
    """The host of a web address with its port, if it names one; empty if it isn't an address."""
    try:
        parts = urlsplit(address)
        named = parts.hostname and parts.port != 0
    except ValueError:
        return ""
    return parts.netloc if named else ""
