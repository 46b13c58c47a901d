"""Inputs and results of `Reconciliation`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ReconcileStep(StrEnum):
    """The steps of a comparison, in order."""

    PRICES = "prices"
    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    INVOICES = "invoices"
    UNSEEN = "unseen"
    INVARIANTS = "invariants"
    REPAIR = "repair"

    @classmethod
    def _missing_(cls, value: object) -> "ReconcileStep | None":
        """What release 0.1.0 stored is still read."""
        return cls.UNSEEN if value == "what was not met on the walk" else None


@dataclass(frozen=True)
class Compared:
    """The counts of a comparison, shown on its page, in the API and in the Temporal UI. `reads` are
    calls to Stripe other than for list pages."""

    pages: int = 0
    reads: int = 0
    subscriptions: int = 0
    orders: int = 0
    differences: int = 0
    repaired: int = 0


@dataclass
class ReconciliationState:
    """The progress of a `Reconciliation` run, carried through continue-as-new.

    Without an id, as the schedule starts it, the run creates its own comparison. `repair` applies
    only to that one: others have it in their row. `invoices`: one of the products has had a one-off
    price.
    """

    reconciliation_id: str = ""
    repair: bool = False
    begun: bool = False
    step: ReconcileStep = ReconcileStep.PRICES
    products: list[str] = field(default_factory=list)
    prices: list[str] = field(default_factory=list)
    most_prices: int = 20
    scan: bool = False
    invoices: bool = False
    invoices_since: int | None = None
    index: int = 0
    cursor: str | None = None
    unseen: int = 0
    progress: Compared = field(default_factory=Compared)


@dataclass(frozen=True)
class BeginReconciliation:
    reconciliation_id: str
    repair: bool


@dataclass(frozen=True)
class ReconciliationPlan:
    """`compared`: comparing is done, and only selected repairs are left. `invoices_since` is the
    Unix time from which paid invoices are read; None leaves them out."""

    reconciliation_id: str
    repair: bool
    products: list[str]
    compared: bool = False
    most_prices: int = 20
    product: str | None = None
    invoices_since: int | None = None


@dataclass(frozen=True)
class ComparePageInput:
    """One page of one list. `price` filters subscriptions (None reads all of them); invoices are
    read from the Unix time `since`."""

    reconciliation_id: str
    repair: bool
    step: ReconcileStep
    as_of: datetime
    price: str | None = None
    cursor: str | None = None
    progress: Compared = field(default_factory=Compared)
    since: int | None = None


@dataclass(frozen=True)
class ComparePageResult:
    cursor: str | None
    progress: Compared


@dataclass(frozen=True)
class CompareBatch:
    """Compare or repair the next batch of objects."""

    reconciliation_id: str
    repair: bool
    as_of: datetime
    progress: Compared = field(default_factory=Compared)


@dataclass(frozen=True)
class CompareBatchResult:
    """`left` is False after the last batch; `done` counts the objects of this batch."""

    left: bool
    done: int
    progress: Compared


@dataclass(frozen=True)
class FinishReconciliation:
    reconciliation_id: str
    error: str | None = None
