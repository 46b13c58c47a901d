"""Moving in from another system: what its statuses mean, and what each of its members gets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StatusMeaning(StrEnum):
    """What the other system says of a membership: it goes on, or it is over once its end has
    come. A status that isn't known says neither."""

    GOES_ON = "goes_on"
    OVER = "over"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What a line brings about."""

    GIVEN = "given"
    HAS_IT = "has_it"
    BOUGHT = "bought"
    LEFT_TO_LINK = "left_to_link"
    OVER = "over"
    PERSON_ONLY = "person_only"
    REFUSED = "refused"


class StripeMatch(StrEnum):
    """Why a line belongs to a customer whom Stripe knows. `OTHER_PERSON` is a customer, named by
    the line's ids, who is somebody else here."""

    SUBSCRIPTION = "subscription"
    CUSTOMER = "customer"
    ADDRESS = "address"
    OTHER_PERSON = "other_person"


_GOES_ON = frozenset(
    (
        "1",
        "active",
        "active member",
        "active patron",
        "comped",
        "complete",
        "complimentary",
        "confirmed",
        "current",
        "enabled",
        "gift",
        "gifted",
        "in trial",
        "lifetime",
        "paid",
        "paying",
        "trial",
        "trialing",
        "true",
        "valid",
        "yes",
    )
)
_OVER = frozenset(
    (
        "0",
        "admin cancelled",
        "canceled",
        "cancelled",
        "changed",
        "declined",
        "declined patron",
        "deleted",
        "disabled",
        "ended",
        "expired",
        "failed",
        "false",
        "former",
        "former member",
        "former patron",
        "fraud",
        "inactive",
        "incomplete",
        "incomplete expired",
        "no",
        "not renewing",
        "past due",
        "paused",
        "pending",
        "refunded",
        "stopped",
        "suspended",
        "unpaid",
    )
)


@dataclass(frozen=True)
class ImportedMember:
    """What a line says of a person. `until` is aware; None is without an end. `over` says that
    the membership ends then, or has ended. The ids are Stripe's; the labels are as the file has
    them."""

    email: str
    email_key: str
    name: str | None
    locale: str | None
    product_id: str | None
    until: datetime | None
    over: bool
    customer_id: str | None
    subscription_id: str | None
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a line can't be used: the column, if it is in one, and what to do, as a sentence."""

    column: str | None
    problem: str


@dataclass(frozen=True)
class Known:
    """What the site knows of a member and the product of their plan.

    `linked`: the product is linked to Stripe. `bought`: they hold it by a purchase, or have a
    subscription for it that hasn't ended, whatever becomes of it. `complimentary` says that they
    have complimentary access, until `complimentary_until`.
    """

    linked: bool = False
    bought: bool = False
    complimentary: bool = False
    complimentary_until: datetime | None = None


def meaning(status: str, chosen: Mapping[str, StatusMeaning] | None = None) -> StatusMeaning:
    """What a status says, in the words of several systems. Without one, a membership goes on."""
    known = plain_status(status)
    if not known or known in _GOES_ON:
        return StatusMeaning.GOES_ON
    if known in _OVER:
        return StatusMeaning.OVER
    return (chosen or {}).get(known, StatusMeaning.UNKNOWN)


def plain_status(status: str) -> str:
    """A status for comparisons: `Active_Patron` is `active patron`."""
    return " ".join(re.sub(r"[\s_\-]+", " ", status).split()).casefold()


def outcome(member: ImportedMember, known: Known, *, now: datetime) -> Outcome:
    """What a person gets. Whoever pays for a product by Stripe, or is said to, holds it by that:
    complimentary access would outlast their payments."""
    if member.product_id is None:
        return Outcome.PERSON_ONLY
    if member.over if member.until is None else member.until <= now:
        return Outcome.OVER
    if known.bought:
        return Outcome.BOUGHT
    if known.linked and (member.customer_id or member.subscription_id):
        return Outcome.LEFT_TO_LINK
    if known.complimentary and not _longer(member.until, known.complimentary_until):
        return Outcome.HAS_IT
    return Outcome.GIVEN


def _longer(one: datetime | None, other: datetime | None) -> bool:
    """Whether an end is later than another; None is never."""
    return other is not None and (one is None or one > other)
