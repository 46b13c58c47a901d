"""Who cancelled a subscription, as far as Stripe says. Pure.

Stripe doesn't name anybody, but an event carries the API request that caused it. What is done in
Stripe's Dashboard is one of Stripe's own requests; what a customer does in the billing portal, and
what Stripe does by itself, has none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from latchkey.rules.reading import Subscription
from latchkey.rules.vocabulary import Cause

AT_ONCE = timedelta(seconds=5)
"""How far apart Stripe's times of one cancellation may be: they are whole seconds."""

PORTAL_LASTS = timedelta(hours=1, minutes=5)
"""A portal session lasts for an hour after it was last used, and for five minutes unused."""

_REQUESTED = "cancellation_requested"
_MARKS = frozenset({"cancel_at", "cancel_at_period_end", "canceled_at"})


class Place(StrEnum):
    """Where somebody cancelled, as far as it is known."""

    PORTAL = "portal"
    STRIPE = "stripe"


@dataclass(frozen=True)
class Canceller:
    """Who cancelled: the customer, or Stripe, which also stands for whoever works there."""

    cause: Cause
    place: Place | None = None


@dataclass(frozen=True)
class Telling:
    """What an event about a subscription tells about a cancellation.

    `requested` is whether an API request caused it, `cancels` whether it reports a cancellation or
    its withdrawal; None where the event doesn't say. `served` are those that a reading serves.
    """

    created: datetime
    requested: bool | None
    cancels: bool | None
    served: bool = False


def was_requested(event: Mapping[str, Any]) -> bool | None:
    """Whether an API request caused an event, in any of the forms that Stripe has had; None for an
    event that says nothing about it."""
    name = "reason" if event.get("object") == "v2.core.event" else "request"
    if name not in event:
        return None
    found = event[name]
    if name == "reason" and isinstance(found, Mapping):
        found = found.get("request")
    return bool(found.get("id") if isinstance(found, Mapping) else found)


def reports_cancelling(event: Mapping[str, Any]) -> bool | None:
    """Whether an event reports that a subscription was cancelled, or that this was withdrawn. A
    thin event only says that something changed."""
    kind = str(event.get("type", ""))
    if kind.endswith("subscription.deleted"):
        return True
    if event.get("object") == "v2.core.event":
        return None
    data = event.get("data")
    before = data.get("previous_attributes") if isinstance(data, Mapping) else None
    return isinstance(before, Mapping) and bool(_MARKS & before.keys())


def requested_by(tellings: Iterable[Telling], at: datetime | None) -> bool | None:
    """Whether the cancellation of the time `at`, or its withdrawal, was an API request: what the
    last event about it says, None if none does or they disagree."""
    about = [telling for telling in tellings if _is_about(telling, at)]
    newest = max((telling.created for telling in about), default=None)
    said = {telling.requested for telling in about if telling.created == newest}
    return said.pop() if len(said) == 1 else None


def _is_about(telling: Telling, at: datetime | None) -> bool:
    if telling.requested is None or telling.cancels is False:
        return False
    then = at is not None and abs(telling.created - at) <= AT_ONCE
    return then or bool(telling.cancels and telling.served)


def canceller(
    reading: Subscription, *, requested: bool | None, portal_opened: datetime | None
) -> Canceller:
    """Who cancelled the subscription that is read here as cancelled.

    `portal_opened` is when this site last opened the billing portal for its customer. That counts
    where no event says how it was cancelled.
    """
    if reading.cancel_reason not in (None, _REQUESTED):
        return Canceller(Cause.STRIPE)
    if requested is True:
        answered = reading.cancelled_by_customer
        return Canceller(Cause.CUSTOMER) if answered else Canceller(Cause.STRIPE, Place.STRIPE)
    by_hand = reading.cancelled_by_customer or not _ended_by_itself(reading)
    if requested is None:
        known = by_hand and _just_opened(portal_opened, reading.canceled_at)
    else:
        known = by_hand and reading.cancel_reason == _REQUESTED
    if known:
        return Canceller(Cause.CUSTOMER, Place.PORTAL)
    if reading.cancelled_by_customer:
        return Canceller(Cause.CUSTOMER)
    return Canceller(Cause.STRIPE, Place.STRIPE if by_hand else None)


def withdrawer(*, requested: bool | None) -> Canceller:
    """Who withdrew a cancellation. Stripe never does that by itself."""
    if requested is False:
        return Canceller(Cause.CUSTOMER, Place.PORTAL)
    return Canceller(Cause.STRIPE, Place.STRIPE)


def _just_opened(opened: datetime | None, at: datetime | None) -> bool:
    return opened is not None and at is not None and -AT_ONCE <= at - opened <= PORTAL_LASTS


def _ended_by_itself(reading: Subscription) -> bool:
    """Whether it ended when a trial, a period or a schedule did, with nobody asking for it then."""
    ended, asked = reading.ended_at, reading.canceled_at
    if ended is None or (asked is not None and ended - asked > AT_ONCE):
        return False
    by_time = [reading.trial_end, reading.cancel_at, *(item.period_end for item in reading.items)]
    return any(end is not None and abs(ended - end) <= AT_ONCE for end in by_time)
