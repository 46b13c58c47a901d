"""Which workflow an event belongs to. Only ids are taken from the payload, never state."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from latchkey.rules.reading import Json, invoice_subscription, object_id

HANDLED_EVENTS = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.voided",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "refund.failed",
    "refund.updated",
)
"""The snapshot types we subscribe to. `invoice.created` is left out on purpose: until it is
acknowledged Stripe may hold back an invoice for up to 72 hours."""

_HANDLED = frozenset(HANDLED_EVENTS)
_MIRRORED = frozenset({"customer", "product", "price"})
_PAID_BY = frozenset({"charge", "refund", "dispute"})


class TargetKind(StrEnum):
    """`payment` names a payment intent whose order must be found first, `object` something that is
    only mirrored or placed, as `<kind>/<id>`; `none` is not for us."""

    SUBSCRIPTION = "subscription"
    PURCHASE = "purchase"
    PAYMENT = "payment"
    OBJECT = "object"
    NONE = "none"


@dataclass(frozen=True)
class Target:
    kind: TargetKind
    id: str = ""
    checkout_session: str | None = None


NOWHERE = Target(TargetKind.NONE)


def route_snapshot(event_type: str, source: Json) -> Target:
    """Where a snapshot event belongs; `source` is its `data.object`."""
    found = object_id(source)
    if event_type not in _HANDLED or found is None:
        return NOWHERE
    match source.get("object"):
        case "subscription":
            return Target(TargetKind.SUBSCRIPTION, found)
        case "checkout.session":
            subscription = object_id(source.get("subscription"))
            if subscription:
                return Target(TargetKind.SUBSCRIPTION, subscription, checkout_session=found)
            return Target(TargetKind.PURCHASE, found)
        case "invoice":
            subscription = invoice_subscription(source)
            if subscription:
                return Target(TargetKind.SUBSCRIPTION, subscription)
            return Target(TargetKind.PURCHASE, found)
        case kind if kind in _PAID_BY:
            intent = object_id(source.get("payment_intent"))
            return Target(TargetKind.PAYMENT, intent) if intent else NOWHERE
        case kind if kind in _MIRRORED:
            return Target(TargetKind.OBJECT, f"{kind}/{found}")
        case _:
            return NOWHERE


def route_thin(event_type: str, related: dict[str, Any]) -> Target:
    """Where a thin event (`v1.` type) belongs; `related` is its `related_object`."""
    found = object_id(related)
    if found is None or not event_type.startswith("v1."):
        return NOWHERE
    match related.get("type"):
        case "subscription":
            return Target(TargetKind.SUBSCRIPTION, found)
        case "checkout.session":
            return Target(TargetKind.PURCHASE, found)
        case "invoice" | "charge" | "refund" | "dispute" | "customer" | "product" | "price" as kind:
            return Target(TargetKind.OBJECT, f"{kind}/{found}")
        case _:
            return NOWHERE
