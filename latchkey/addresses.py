"""Email addresses: what one is, how it is written, and which of them are the same mailbox."""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass

import idna

LONGEST = 254
_LONGEST_LOCAL = 64
_CHARACTERS = r"[\w!#$%&'*+/=?^`{|}~\-\u0080-\U0010ffff]+"
_ATOM = re.compile(rf"{_CHARACTERS}(\.{_CHARACTERS})*")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_ASCII_LABEL = r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)"
_ORDINARY = re.compile(
    rf"({_CHARACTERS}(?:\.{_CHARACTERS})*)@({_ASCII_LABEL}(?:\.{_ASCII_LABEL})*)"
)
"""An address in ASCII, as nearly all are, if it is as long as one may be and not in punycode."""
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})


class AddressError(ValueError):
    """A text isn't the address of one mailbox. The message tells the person who typed it why."""


@dataclass(frozen=True)
class Mailbox:
    """The address of one mailbox. `local` is in NFKC, `domain` in Unicode and lower case."""

    local: str
    domain: str

    @property
    def shown(self) -> str:
        """The address as people read it, and as it is stored."""
        return f"{self.local}@{self.domain}"

    @property
    def ascii_domain(self) -> str:
        """The domain as mail servers know it, in punycode."""
        return host_name(self.domain) or self.domain


def mailbox(text: str) -> Mailbox:
    """The mailbox that an address names: a dot-atom, `@` and a host name, in any script.

    Raises `AddressError`.
    """
    if (ordinary := _ordinary(text)) is not None:
        return ordinary
    plain = _plain(text)
    if len(plain) > LONGEST:
        raise AddressError(f"must be a valid email address of at most {LONGEST} characters")
    if any(c.isspace() for c in plain):
        raise AddressError(
            "must be a valid email address, without blanks (in a query string, write + as %2B)"
        )
    if any(unicodedata.category(c)[0] in "CZ" for c in plain):
        raise AddressError("must be a valid email address, without control characters")
    local, at, domain = plain.rpartition("@")
    host = host_name(domain)
    short = len(local.encode()) <= _LONGEST_LOCAL and len(host or "") <= LONGEST - 2
    if not (at and host and short and _ATOM.fullmatch(local)):
        raise AddressError("must be a valid email address")
    return Mailbox(local, _unicode(host))


def shown(email: str) -> str:
    """An address as it is stored; a text that isn't the address of one mailbox stays as it is."""
    try:
        return mailbox(email).shown
    except AddressError:
        return email.strip()


def masked(email: str) -> str:
    """An address that its owner recognises, and nobody else learns: `a•••@example.com`."""
    local, at, domain = shown(email).rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}•••{at}{domain}"


def written_forms(email: str) -> list[str]:
    """What `lower()` of a text may hold of an address: itself and its key, the domain also in
    punycode, composed and decomposed, as it is and escaped as JSON does."""
    key = email_key(email)
    local, at, domain = key.rpartition("@")
    forms = (email.strip().lower(), key, f"{local}{at}{host_name(domain) or domain}")
    composed = [unicodedata.normalize(form, text) for text in forms for form in ("NFC", "NFD")]
    escaped = [json.dumps(text)[1:-1].lower() for text in composed]
    return list(dict.fromkeys([*forms, *composed, *escaped]))


def email_key(email: str) -> str:
    """The key of an address; addresses with the same key are one mailbox, so one person.

    Any text has a key, since Stripe passes on what buyers typed.
    """
    if _ordinary(email):
        return email.lower()
    local, at, domain = _plain(email).rpartition("@")
    host = host_name(domain) if at else None
    return f"{_folded(local)}{at}{_unicode(host) if host else _folded(domain)}"


def digest(email: str) -> bytes:
    """A digest of the mailbox's key, for lists of addresses that are compared, never written to."""
    return hashlib.sha256(f"latchkey address {email_key(email)}".encode()).digest()


def _ordinary(text: str) -> Mailbox | None:
    """The mailbox of an address that is read as it stands; None for any other text, whose reading
    takes longer."""
    if not text.isascii() or len(text) > LONGEST:
        return None
    found = _ORDINARY.fullmatch(text)
    if found is None:
        return None
    local, domain = found[1], found[2].lower()
    if len(local) > _LONGEST_LOCAL or "xn--" in domain:
        return None
    return Mailbox(local, domain)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _folded(text: str) -> str:
    """Without differences of case in any script. Twice, because folding can undo the form."""
    for _ in range(2):
        text = _plain(text.casefold())
    return text


def host_name(domain: str) -> str | None:
    """A host name in punycode and lower case, None if it isn't one."""
    host = domain.translate(_DOTS).removesuffix(".")
    if not host or len(host) > LONGEST:
        return None
    plain = host.lower()
    if not host.isascii() or any(label.startswith("xn--") for label in plain.split(".")):
        try:
            plain = idna.encode(host, uts46=True, std3_rules=True).decode()
        except UnicodeError:
            return None
    return plain if _HOST.fullmatch(plain) else None


def _unicode(host: str) -> str:
    try:
        return idna.decode(host) if "xn--" in host else host
    except UnicodeError:
        return host
