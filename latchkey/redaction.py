"""Takes addresses and secrets out of texts that leave the site: log lines and error reports.

Nothing of ours puts them there, but the errors of others quote what they were given. A visitor can
make a line long, so the time that this takes grows only with a text's length.
"""

import re

_BEGIN = r"(?:\b|(?<=\\[nrt]))"
"""Where a word begins, even after a line break as JSON writes it."""

_URL = re.compile(r"://[^/\s\"'@]*@")
_WORD = re.compile(
    r"(?:[^\s\"'<>()=,;:/@%]|%(?!40))++((?:@|%40)(?:[^\s\"'<>(),;:/@\\?&%]|%(?!40))+)?"
)
"""What could be the local part of an address, and the rest if it is one. Each word is taken as a
whole, so that none is looked at again from each of its characters on."""

_SECRETS = (
    (re.compile(_BEGIN + r"((?:sk|rk)_(?:live|test)|whsec|lks?)_[A-Za-z0-9_=+/-]{4,}"), r"\1_…"),
    (re.compile(_BEGIN + r"([Bb]earer|[Bb]asic) [A-Za-z0-9._~+/=-]{8,}"), r"\1 …"),
    (
        re.compile(r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{8,}+\.[\w-]++\.[\w-]*", re.ASCII),
        "[token]",
    ),
)


def redacted(text: str) -> str:
    """The text without email addresses, Stripe's keys and signing secrets, our own tokens, JSON web
    tokens, and the users and passwords in URLs."""
    if "@" in text or "%40" in text:
        text = _WORD.sub(_unaddressed, _URL.sub("://", text))
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _unaddressed(word: re.Match[str]) -> str:
    return "[address]" if word[1] else word[0]
