"""Who a buyer is: signed references, and comparing names."""

import hashlib
import hmac
import re

_REFERENCE = re.compile(r"^lk1_(\d{1,19})_([0-9a-f]{40})$")


def sign_reference(user_id: int, *, secrets: tuple[str, ...]) -> str:
    """A `client_reference_id` that binds a purchase to a signed-in user.

    Stripe accepts at most 200 characters out of A-Z, a-z, 0-9, dash and underscore, and silently
    drops anything else. Buyers can edit it, hence the signature, by the first of `secrets`.
    """
    return f"lk1_{user_id}_{_signature(user_id, secrets[0])}"


def read_reference(reference: str | None, *, secrets: tuple[str, ...]) -> int | None:
    """The user id in a reference signed with any of `secrets`, otherwise None."""
    found = _REFERENCE.match(reference or "")
    if not found:
        return None
    user_id = int(found[1])
    signed = any(hmac.compare_digest(found[2], _signature(user_id, one)) for one in secrets)
    return user_id if signed else None


def other_person(one: str | None, other: str | None) -> bool:
    """Whether two names certainly belong to two people: both are known, and they differ in more
    than spelling."""
    if not one or not other:
        return False
    return _plain(one) != _plain(other)


def _plain(name: str) -> frozenset[str]:
    return frozenset(name.casefold().replace(",", " ").replace(".", " ").split())


def _signature(user_id: int, secret: str) -> str:
    message = f"latchkey buyer {user_id}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:40]
