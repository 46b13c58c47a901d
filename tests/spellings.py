"""One address in the many ways in which people, shops and programs write it."""

import random
import unicodedata

import idna

FULL_STOPS = ".\uff0e\u3002\uff61"
"""Characters that end a label of a host name, wherever one may type it."""


def spelled(email: str, chance: random.Random) -> str:
    """The same mailbox, written in another way: case, Unicode form, full-width letters, punycode,
    a final dot, blanks around it."""
    local, _, domain = unicodedata.normalize("NFKC", email).strip().rpartition("@")
    domain = domain.removesuffix(".")
    if chance.random() < 0.3:
        domain = idna.encode(domain, uts46=True).decode()
    local, domain = _cased(local, chance), _cased(domain, chance)
    if chance.random() < 0.2:
        local, domain = _wide(local), _wide(domain)
    if chance.random() < 0.2:
        domain = domain.replace(".", chance.choice(FULL_STOPS))
    if chance.random() < 0.2:
        domain += "."
    at = chance.choice("@@@\uff20")
    written = f"{local}{at}{domain}"
    if chance.random() < 0.3:
        written = unicodedata.normalize("NFD", written)
    blanks = chance.choice(("", "", "", " "))
    return f"{blanks}{written}{blanks}"


def typed(email: str, chance: random.Random) -> str:
    """The same mailbox as a checkout page takes it: it wants a plain `@` and plain dots."""
    local, _, domain = email.rpartition("@")
    if chance.random() < 0.3:
        domain = idna.encode(domain, uts46=True).decode()
    written = f"{_cased(local, chance)}@{_cased(domain, chance)}"
    return unicodedata.normalize("NFD", written) if chance.random() < 0.3 else written


def _cased(text: str, chance: random.Random) -> str:
    """In capital letters, or some of them, where they are letters of the same word."""
    way = chance.choice((str, str, str.upper, str.title, str.swapcase))
    changed = way(text)
    return changed if changed.casefold() == text.casefold() else text


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
