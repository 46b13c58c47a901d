"""Takes addresses and secrets out of texts that leave the site: log lines and error reports.

Nothing of ours puts them there, but the errors of others quote what they were given.
"""

import re

_PATTERNS = (
    (re.compile(r"://[^/\s\"'@]*@"), "://"),
    (re.compile(r"[^\s\"'<>()=,;:/@]+@[^\s\"'<>(),;:/@\\]+"), "[address]"),
    (re.compile(r"\b((?:sk|rk)_(?:live|test)|whsec|lks?)_[A-Za-z0-9_=+/-]{4,}"), r"\1_…"),
    (re.compile(r"\b([Bb]earer|[Bb]asic) [A-Za-z0-9._~+/=-]{8,}"), r"\1 …"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[token]"),
)


def redacted(text: str) -> str:
    """The text without email addresses, Stripe's keys and signing secrets, our own tokens, JSON web
    tokens, and the users and passwords in URLs."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
