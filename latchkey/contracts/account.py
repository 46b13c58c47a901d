"""Inputs and results of `Catalog`, `Connection`, `CatchUp` and single calls to Stripe."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CatalogList(StrEnum):
    PRODUCTS = "products"
    PRICES = "prices"
    SUBSCRIPTIONS = "subscriptions"


@dataclass(frozen=True)
class CatalogPageInput:
    """One page of the catalog. `counts` are the active subscriptions counted so far by product."""

    list: CatalogList
    cursor: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    pages: int = 0


@dataclass(frozen=True)
class CatalogPageResult:
    cursor: str | None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KeyCheck:
    """What the check of the Stripe key came to, for the Temporal UI."""

    connected: bool
    state: str


@dataclass(frozen=True)
class StripeCallInput:
    """One call to Stripe that a person waits for: the Temporal activity, and what it is about.

    `object_id` is Stripe's; `flow` names a page of the customer portal, `target` what it is about.
    """

    activity: str
    object_id: str
    flow: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class StripeCallResult:
    """`state` in a word. An address that opens something for its holder comes sealed: histories
    can be read by every operator."""

    state: str
    object_id: str | None = None
    sealed: str | None = None


@dataclass(frozen=True)
class CatchUpPlan:
    """What a look for missed events has to do now: the `parts` of Stripe's event list that are
    due, and whether the endpoint and the chores of an hour are."""

    parts: list[str] = field(default_factory=list)
    hourly: bool = False
    connected: bool = True


@dataclass(frozen=True)
class CatchUpPageInput:
    """One page of one part, from `cursor` on. `pages` counts those before it; `as_of` is when the
    first of them was asked for."""

    part: str
    as_of: datetime
    cursor: str | None = None
    pages: int = 0


@dataclass(frozen=True)
class CatchUpPageResult:
    """`found` are events that no webhook brought; `gap` asks for a sweep of Stripe's objects."""

    cursor: str | None
    found: int = 0
    gap: bool = False
