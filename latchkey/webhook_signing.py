"""Secrets and signatures of outgoing webhooks, by Standard Webhooks."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"


def new_secret() -> str:
    """A new signing secret, as receivers enter it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(body: str, *, message_id: str, at: datetime, signing: Iterable[str]) -> dict[str, str]:
    """The headers that say which message this is, when it was sent (`at`, aware), and the signature
    by each of the secrets."""
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in signing]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
