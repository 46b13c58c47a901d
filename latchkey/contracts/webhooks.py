"""Inputs and results of `WebhookEndpoint`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class WebhookEndpointState:
    """What a run of `WebhookEndpoint` carries: which endpoint, and whether there may be something
    new to send."""

    endpoint_id: str
    nudged: bool = True


@dataclass(frozen=True)
class SendWebhooksResult:
    """How many events were delivered and how many attempts failed. `more` can be sent at once, or
    something at `next_at`; neither where nothing waits, or nothing may be sent."""

    delivered: int = 0
    failed: int = 0
    more: bool = False
    next_at: datetime | None = None
