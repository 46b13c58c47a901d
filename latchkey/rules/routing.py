"""Decides which workflow an event belongs to. Only ids are taken from the payload, never state."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from latchkey.rules.reading import Json, invoice_subscription, may_sell_once, object_id
from latchkey.stripe_ids import reference

HANDLED_EVENTS = (
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
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
    "payment_intent.canceled",
    "payment_intent.succeeded",
    "payment_link.updated",
    "payment_method.automatically_updated",
    "payment_method.updated",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "refund.failed",
    "refund.updated",
)
"""The snapshot types we subscribe to. `invoice.created` is left out on purpose: Stripe can hold an
invoice back for up to 72 hours until that event is acknowledged."""

_ALSO = frozenset(
    {
        "charge.dispute.funds_reinstated",
        "charge.dispute.updated",
        "charge.expired",
        "charge.failed",
        "charge.succeeded",
        "charge.updated",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "payment_intent.payment_failed",
        "refund.created",
    }
)
"""Types that we don't subscribe to, because others say the same, but that count if they are
sent."""

_HANDLED = _ALSO | frozenset(HANDLED_EVENTS)
_MIRRORED = frozenset({"customer", "product", "price", "payment_link", "payment_method"})
_PAID_BY = frozenset({"charge", "refund", "dispute"})
_BILLED_BY = frozenset({"credit_note", "invoice_payment"})
_PLACED = frozenset({"invoice"}) | _PAID_BY | _BILLED_BY

ECHOES = frozenset(
    {
        "charge.failed",
        "charge.succeeded",
        "charge.updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    }
)
"""Types that every payment sends, renewals too. They matter only to a known purchase whose money
hasn't come yet, such as one that is authorized now and captured later."""

SETTLES = "payment_intent.succeeded"
"""The type after which a payment can't be pending any more."""

ABANDONED = "checkout.session.expired"
"""The type that says that a checkout can't be paid any more."""

_SELDOM = frozenset(
    {
        "charge.dispute.funds_withdrawn",
        "checkout.session.expired",
        "credit_note.updated",
        "credit_note.voided",
        "customer.subscription.pending_update_expired",
        "customer.subscription.trial_will_end",
        "invoice.marked_uncollectible",
        "invoice.payment_action_required",
        "invoice.voided",
        "payment_intent.canceled",
        "payment_intent.succeeded",
        "payment_link.updated",
        "payment_method.automatically_updated",
        "payment_method.updated",
        "price.created",
        "price.deleted",
        "price.updated",
        "product.created",
        "product.deleted",
        "product.updated",
    }
)
"""Types that don't change access, do so seldom, or repeat what others say; catch-up looks for
missed ones once an hour."""

MOST_LISTED_TYPES = 20
"""The maximum number of types in a filter of Stripe's event list."""


class TargetKind(StrEnum):
    """`payment` is a payment intent whose order must be found first. `object` is something that is
    only mirrored or assigned, or a checkout that was left, as `<kind>/<id>`, with a reference in
    place of an id that a shop chose. `none` is an event that we ignore."""

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
    """The target of a snapshot event; `source` is its `data.object`."""
    found = object_id(source)
    if event_type not in _HANDLED or found is None:
        return NOWHERE
    match source.get("object"):
        case "subscription":
            return Target(TargetKind.SUBSCRIPTION, found)
        case "checkout.session":
            return _checkout(event_type, source, found)
        case "invoice":
            return _bill(source, found)
        case "payment_intent":
            return Target(TargetKind.PAYMENT, found)
        case kind if kind in _PAID_BY:
            return _owner(TargetKind.PAYMENT, source.get("payment_intent"))
        case kind if kind in _BILLED_BY:
            return _owner(TargetKind.PURCHASE, source.get("invoice"))
        case kind if kind in _MIRRORED:
            return Target(TargetKind.OBJECT, f"{kind}/{reference(found)}")
        case _:
            return NOWHERE


def _checkout(event_type: str, source: Json, found: str) -> Target:
    if event_type == ABANDONED:
        return _abandoned(found)
    subscription = object_id(source.get("subscription"))
    if subscription:
        return Target(TargetKind.SUBSCRIPTION, subscription, checkout_session=found)
    return Target(TargetKind.PURCHASE, found)


def _abandoned(session: str) -> Target:
    """An expired session isn't a purchase: whoever left it may get an email, that is all."""
    return Target(TargetKind.OBJECT, f"checkout.session/{session}")


def _bill(source: Json, found: str) -> Target:
    subscription = invoice_subscription(source)
    if subscription and not may_sell_once(source):
        return Target(TargetKind.SUBSCRIPTION, subscription)
    return Target(TargetKind.PURCHASE, found)


def _owner(kind: TargetKind, value: object) -> Target:
    found = object_id(value)
    return Target(kind, found) if found else NOWHERE


def route_thin(event_type: str, related: dict[str, Any]) -> Target:
    """The target of a thin event (`v1.` type); `related` is its `related_object`."""
    found = object_id(related)
    if found is None or not event_type.startswith("v1."):
        return NOWHERE
    if event_type == f"v1.{ABANDONED}":
        return _abandoned(found)
    match related.get("type"):
        case "subscription":
            return Target(TargetKind.SUBSCRIPTION, found)
        case "checkout.session":
            return Target(TargetKind.PURCHASE, found)
        case "payment_intent":
            return Target(TargetKind.PAYMENT, found)
        case kind if kind in _PLACED | _MIRRORED:
            return Target(TargetKind.OBJECT, f"{kind}/{reference(found)}")
        case _:
            return NOWHERE


def listed_parts() -> dict[str, tuple[str, ...]]:
    """The event types to list when looking for missed events, one list per call. Parts named
    `hourly…` are listed only once an hour."""
    often = [name for name in HANDLED_EVENTS if name not in _SELDOM]
    seldom = [name for name in HANDLED_EVENTS if name in _SELDOM]
    return _chunked("often", often) | _chunked("hourly", seldom)


def _chunked(name: str, types: list[str]) -> dict[str, tuple[str, ...]]:
    starts = range(0, len(types), MOST_LISTED_TYPES)
    return {
        f"{name}-{number}": tuple(types[start : start + MOST_LISTED_TYPES])
        for number, start in enumerate(starts, start=1)
    }


def route_listed(event_type: str, source: Json) -> Target:
    """The target of an event from Stripe's event list, by kind and id only: listed payloads always
    use the account's API version."""
    kind = source.get("object")
    if event_type not in _HANDLED or not isinstance(kind, str):
        return NOWHERE
    return route_thin(f"v1.{event_type}", {"id": source.get("id"), "type": kind})
