"""Signed references: the `client_reference_id` that says which member began a purchase."""

import hashlib
import hmac
import re
import time
from datetime import UTC, datetime

from latchkey.rules.identity import Reference
from latchkey.vault import Purpose, Vault

LIFE_SECONDS = 24 * 3600
"""As long as Stripe keeps a checkout open. It counts from the click to the checkout's beginning."""

_OURS = re.compile(r"lk[0-9]+_")
_BOUND = re.compile(r"(lk2_(\d{1,19})_(prd_[0-9a-z_]{1,60})_(\d{1,11}))_([0-9a-f]{40})")
_UNBOUNDED = re.compile(r"lk1_(\d{1,19})_([0-9a-f]{40})")


def sign(user_id: int, product_id: str, *, vault: Vault, issued_at: float | None = None) -> str:
    """A reference for one member and one product, valid for checkouts that begin within
    `LIFE_SECONDS`. `issued_at` is a Unix time, now by default.

    Stripe accepts at most 200 characters out of A-Z, a-z, 0-9, dash and underscore, and silently
    drops anything else. Buyers can edit it, hence the signature.
    """
    expires = int(time.time() if issued_at is None else issued_at) + LIFE_SECONDS
    text = f"lk2_{user_id}_{product_id}_{expires}"
    return f"{text}_{vault.sign(text, Purpose.REFERENCE)[:40]}"


def read(text: str | None, *, vault: Vault, secrets: tuple[str, ...]) -> Reference | None:
    """What a `client_reference_id` says; None if it isn't in our format, since sites may use the
    field for something else. Signatures by any of our secrets are valid."""
    if text is None or not _OURS.match(text):
        return None
    if found := _BOUND.fullmatch(text):
        signed = any(
            hmac.compare_digest(found[5], signature[:40])
            for signature in vault.signatures(found[1], Purpose.REFERENCE)
        )
        expires = datetime.fromtimestamp(int(found[4]), UTC)
        return Reference(int(found[2]), found[3], expires) if signed else Reference(None)
    if found := _UNBOUNDED.fullmatch(text):
        user_id = int(found[1])
        signed = any(
            hmac.compare_digest(found[2], _unbounded(user_id, secret)) for secret in secrets
        )
        return Reference(user_id) if signed else Reference(None)
    return Reference(None)


def _unbounded(user_id: int, secret: str) -> str:
    """The signature of 0.1.0."""
    message = f"latchkey buyer {user_id}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:40]
