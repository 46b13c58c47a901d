"""Finds English that is left on pages in German."""

import re
from functools import cache

from latchkey.languages import LANGUAGES, MEMBERS, TEAM
from latchkey.rules.key_permissions import PERMISSIONS, PROMOTION_WRITES
from scripts import messages
from tests.test_languages import forms
from tests.web.test_languages import texts

GERMAN = LANGUAGES["de"]
WRITTEN_BY_OTHERS = re.compile(r"/admin/(audit|mails)\b|/sales(-page)?\b")
"""Pages that show what somebody wrote, or what is sent in another language."""

DATA = {
    "English",
    "Next.js",
    "access",
    "Via",
    "Once",
    "plan",
    "bad",
    "Pasted lines",
    "email,until,reason",
} | {one.name for one in (*PERMISSIONS, *PROMOTION_WRITES)}
"""Names, and what the crawl's world holds."""

STORED = re.compile(r"active: Access |no connection \(|email: “bad”")
"""Sentences that are kept as they were written, in English."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_AS_TYPED = re.compile(r"<(code|pre|textarea)\b.*?</\1>", re.DOTALL)
_NO_WORDS = re.compile(r"<[^>]*>|%\(\w+\)s|\{\w*\}|&\w+;|\S*[@/]\S*|\w+[._]\w\S*")
"""Markup, what is filled in, and names such as `invoice.paid`."""


def english(address: str, page: str) -> list[str]:
    """The texts of a page in German that only have words of our English messages, and at least one
    that no German message has."""
    if WRITTEN_BY_OTHERS.search(address):
        return []
    ours, only, same = _vocabulary()
    return [
        text
        for text in texts(_AS_TYPED.sub("", page))
        if (words := _words(text)) <= ours
        and words & only
        and text.split(" · ")[-1] not in same | DATA
        and not STORED.match(text)
    ]


@cache
def _vocabulary() -> tuple[set[str], set[str], set[str]]:
    """The words of English messages, those that aren't in German ones, and all German messages."""
    ours: set[str] = set()
    theirs: set[str] = set()
    same: set[str] = set()
    for domain in (TEAM, MEMBERS):
        for message in messages.translated(GERMAN, domain):
            if message.id:
                ours.update(*map(_words, forms(message.id)))
                theirs.update(*map(_words, forms(message.string)))
                same.update(forms(message.string))
    return ours, ours - theirs, same


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(_NO_WORDS.sub(" ", text))}
