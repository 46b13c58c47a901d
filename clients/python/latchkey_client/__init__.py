"""A client of Latchkey's JSON API: who may open what, and webhooks that say when that changes."""

from latchkey_client import types
from latchkey_client._client import AsyncLatchkey, Latchkey
from latchkey_client._errors import ApiError, LatchkeyError, UnavailableError
from latchkey_client._webhooks import WebhookError, verify_webhook

__all__ = [
    "ApiError",
    "AsyncLatchkey",
    "Latchkey",
    "LatchkeyError",
    "UnavailableError",
    "WebhookError",
    "types",
    "verify_webhook",
]
