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
    """The outcome of checking the Stripe key, for the Temporal UI."""

    connected: bool
    state: str


@dataclass(frozen=True)
class StripeCallInput:
    """One call to Stripe while a person waits: the Temporal activity and its subject.

    `object_id` is Stripe's, or a reference to the encrypted id in `sealed`, if a shop chose that;
    `flow` names a page of the customer portal, `target` its subject, `locale` its language.
    """

    activity: str
    object_id: str
    flow: str | None = None
    target: str | None = None
    sealed: str | None = None
    locale: str | None = None


@dataclass(frozen=True)
class StripeCallResult:
    """`state` is one word. A URL that opens something for anyone who has it is encrypted, because
    every operator can read histories."""

    state: str
    object_id: str | None = None
    sealed: str | None = None


@dataclass(frozen=True)
class CatchUpPlan:
    """What catch-up has to do now: the `parts` of Stripe's event list that are due, and whether the
    endpoint check and the hourly cleaning up are."""

    parts: list[str] = field(default_factory=list)
    hourly: bool = False
    connected: bool = True


@dataclass(frozen=True)
class CatchUpPageInput:
    """One page of one part, from `cursor` on. `pages` counts the pages before it; `as_of` is when
    the first one was requested."""

    part: str
    as_of: datetime
    cursor: str | None = None
    pages: int = 0


@dataclass(frozen=True)
class CatchUpPageResult:
    """`found` counts events that no webhook delivered; `gap` asks for a sweep of Stripe's
    objects."""

    cursor: str | None
    found: int = 0
    gap: bool = False
