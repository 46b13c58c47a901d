"""Verifies what an outgoing webhook of Latchkey says, by Standard Webhooks."""

import json
from collections.abc import Mapping
from typing import cast

from standardwebhooks import Webhook, WebhookVerificationError

from latchkey_client.types import WebhookEvent


class WebhookError(Exception):
    """The request wasn't signed with this secret, or is older than five minutes."""


def verify_webhook(secret: str, body: bytes | str, headers: Mapping[str, str]) -> WebhookEvent:
    """The event of a request, once its signature is verified.

    `secret` is the endpoint's, `whsec_…`; `body` is what arrived, byte for byte. Raises
    `WebhookError`: answer with 400 then.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        text = body.decode() if isinstance(body, bytes) else body
        Webhook(secret).verify(text, lower)
        return cast(WebhookEvent, json.loads(text))
    except (WebhookVerificationError, ValueError) as error:
        raise WebhookError(str(error)) from None
