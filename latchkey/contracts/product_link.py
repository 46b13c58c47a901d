"""Inputs and results of `ProductLink`, its import, and `LinkPreview`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LinkState(StrEnum):
    IMPORTING = "importing"
    LISTENING = "listening"
    FAILED = "failed"
    REMOVED = "removed"


class ImportStep(StrEnum):
    """The steps of an import, in order."""

    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    INVOICES = "invoices"
    DONE = "done"


@dataclass(frozen=True)
class ImportPlan:
    """Which lists to read: subscriptions by each of `prices`, or all of them with `scan`; with
    `invoices`, also paid invoices, created since the Unix time `invoices_since` if given."""

    stripe_product: str
    prices: list[str]
    scan: bool = False
    invoices: bool = False
    invoices_since: int | None = None


@dataclass(frozen=True)
class Progress:
    """The counts of an import, shown on its page, in the API and in the Temporal UI."""

    pages: int = 0
    subscriptions: int = 0
    orders: int = 0
    granted: int = 0
    already_had_access: int = 0
    lifecycles: int = 0


@dataclass
class ProductLinkState:
    """The progress of a `ProductLink` run, carried through continue-as-new."""

    link_id: int
    product_id: str
    plan: ImportPlan | None = None
    step: ImportStep = ImportStep.SUBSCRIPTIONS
    price_index: int = 0
    cursor: str | None = None
    progress: Progress = field(default_factory=Progress)
    next_link: int | None = None
    stopped: bool = False


@dataclass(frozen=True)
class ImportPageInput:
    """One page of one list. `price` filters subscriptions (None reads all of them); invoices are
    read from the Unix time `since`."""

    link_id: int
    stripe_product: str
    step: ImportStep
    as_of: datetime
    price: str | None = None
    cursor: str | None = None
    progress: Progress = field(default_factory=Progress)
    since: int | None = None


@dataclass(frozen=True)
class ImportPageResult:
    """`cursor` is where the next page starts, None after the last one."""

    cursor: str | None
    progress: Progress


@dataclass(frozen=True)
class LifecyclesInput:
    """Start runs for a link's subscriptions that have none yet, at most `limit` of them."""

    link_id: int
    limit: int = 500


@dataclass(frozen=True)
class LinkStateInput:
    link_id: int
    state: LinkState
    progress: Progress = field(default_factory=Progress)
    error: str | None = None


@dataclass(frozen=True)
class LinkPreviewInput:
    preview_id: str
    product_id: str
    stripe_product: str


@dataclass(frozen=True)
class PreviewPageInput:
    preview_id: str
    product_id: str
    stripe_product: str
    step: ImportStep
    as_of: datetime
    price: str | None = None
    cursor: str | None = None
    since: int | None = None


@dataclass(frozen=True)
class PreviewPageResult:
    cursor: str | None


@dataclass(frozen=True)
class FinishPreviewInput:
    preview_id: str
    error: str | None = None
