"""Ids of Stripe's objects. Stripe makes most of them, but shops choose those of products and plans,
and could choose those of customers until 2018: some are email addresses, some hold blanks, slashes
or umlauts."""

import hashlib
import re
from urllib.parse import quote

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,255}")
_REFERENCE = "ref-"


def reference(stripe_id: str) -> str:
    """What stands for an id in workflow ids, histories and search attributes, where personal data
    may not be: the id itself if Stripe could have made it, a hash otherwise."""
    if _PLAIN.fullmatch(stripe_id) and not stripe_id.startswith(_REFERENCE):
        return stripe_id
    return _REFERENCE + hashlib.sha256(stripe_id.encode("utf-8", "replace")).hexdigest()[:32]


def is_reference(text: str) -> bool:
    """Whether a text stands for another id."""
    return text.startswith(_REFERENCE)


def is_account(customer_id: str) -> bool:
    """Whether a customer is known by the account behind it (Accounts v2)."""
    return customer_id.startswith("acct_")


def owner(customer_id: str) -> dict[str, str]:
    """The parameter of Stripe's API that names a customer."""
    return {"customer_account" if is_account(customer_id) else "customer": customer_id}


def in_path(stripe_id: str) -> str:
    """An id as a part of a URL's path."""
    if set(stripe_id) <= {"."}:
        return stripe_id.replace(".", "%2E")
    return quote(stripe_id, safe="")
