"""What outgoing webhooks hold, for the `webhooks` of the OpenAPI description."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from latchkey.rules.vocabulary import GrantSource, WebhookType
from latchkey.webhook_messages import VERSION

Json = dict[str, Any]


class WebhookUser(BaseModel):
    """`email` is null once the user was erased."""

    id: int
    email: str | None


class WebhookProduct(BaseModel):
    """`slug` and `name` are null once the product was deleted."""

    id: str
    slug: str | None
    name: str | None


class WebhookSource(BaseModel):
    """What it comes from. `id` is Stripe's, or a collection's."""

    type: GrantSource
    id: str | None


class AboutUser(BaseModel):
    user: WebhookUser


class AboutMerge(AboutUser):
    """`merged_user` stands for the user from now on."""

    merged_user: int


class AboutPurchase(AboutUser):
    product: WebhookProduct
    source: WebhookSource


class AboutAccess(AboutPurchase):
    """`until` is when access ends, null if no end is known."""

    until: datetime | None


class AboutEnd(AboutPurchase):
    """`reason` is one of the API's end reasons."""

    reason: str


class AboutRefund(AboutPurchase):
    """`amount` is what was refunded of the payment so far, in the currency's minor unit."""

    amount: int
    currency: str
    full: bool
    invoice: str | None = None


class AboutCancellation(AboutPurchase):
    """`until` is when the subscription ends, null if it has ended."""

    until: datetime | None


class AboutNothing(BaseModel):
    pass


@dataclass(frozen=True)
class Described:
    """One type of webhook: when it is sent, and what its `data` holds."""

    summary: str
    data: type[BaseModel]


WEBHOOKS = {
    WebhookType.ACCESS_GRANTED: Described("Somebody got access to a product", AboutAccess),
    WebhookType.ACCESS_ENDING: Described(
        "The end of somebody's access was set, moved or withdrawn (`until` is null)", AboutAccess
    ),
    WebhookType.ACCESS_ENDED: Described("Somebody's access to a product ended", AboutEnd),
    WebhookType.PURCHASE_COMPLETED: Described(
        "A product was bought, once or by a subscription", AboutPurchase
    ),
    WebhookType.PURCHASE_REFUNDED: Described("A payment was refunded in part or full", AboutRefund),
    WebhookType.SUBSCRIPTION_STARTED: Described("A subscription began", AboutPurchase),
    WebhookType.SUBSCRIPTION_CANCELLED: Described(
        "A subscription was cancelled", AboutCancellation
    ),
    WebhookType.SUBSCRIPTION_RESUMED: Described("A cancellation was withdrawn", AboutPurchase),
    WebhookType.SUBSCRIPTION_PAST_DUE: Described("A subscription's payment failed", AboutPurchase),
    WebhookType.SUBSCRIPTION_RECOVERED: Described(
        "What was due for a subscription was paid", AboutPurchase
    ),
    WebhookType.USER_CREATED: Described("A user was created", AboutUser),
    WebhookType.USER_MERGED: Described("Another user was merged into this one", AboutMerge),
    WebhookType.USER_ERASED: Described("A user's personal data was erased", AboutUser),
    WebhookType.TEST: Described("Somebody sent a test event", AboutNothing),
}

_HEADERS = {
    "webhook-id": "The same each time an event is sent: what was seen can be left out",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970",
    "webhook-signature": "By Standard Webhooks; two of them for a day after a secret was renewed",
}


def webhooks() -> Json:
    """The `webhooks` of the OpenAPI description."""
    return {type_.value: {"post": _operation(type_, one)} for type_, one in WEBHOOKS.items()}


def _operation(type_: WebhookType, described: Described) -> Json:
    properties = {
        "type": {"const": type_.value},
        "version": {"const": VERSION},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"$ref": f"#/components/schemas/{described.data.__name__}"},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "operationId": f"webhook_{type_.name.lower()}",
        "summary": described.summary,
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken. Anything else is tried again, for three days"}
        },
    }
