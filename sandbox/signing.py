"""Signs webhook bodies as Stripe does."""

import hashlib
import hmac


def sign(body: bytes, secrets: list[str], *, at: int, wrongly: bool = False) -> str:
    """The `Stripe-Signature` of a body, with one signature for each secret in use."""
    parts = [f"t={at}"]
    for secret in secrets:
        digest = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
        parts.append(f"v1={'0' * 64 if wrongly else digest}")
    return ",".join(parts)
