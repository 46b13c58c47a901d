"""Names, ids, inputs and results that web and workflows agree on.

Everything here enters Temporal histories, so nothing here may carry a name, an e-mail address or
an address: ids, times, counts and enums only. Times are aware datetimes in UTC. A field added
later needs a default, or running workflows can't read their own past.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MAIN_QUEUE = "latchkey"
STRIPE_QUEUE = "latchkey-stripe"

PRODUCT_LINK = "ProductLink"
SUBSCRIPTION = "Subscription"
PURCHASE = "Purchase"
STRIPE_OBJECT = "StripeObject"
LINK_PREVIEW = "LinkPreview"
CATALOG = "Catalog"
CONNECTION = "Connection"

NUDGE = "nudge"
STOP = "stop"

CONNECTION_WORKFLOW_ID = "connection"
CATALOG_WORKFLOW_ID = "catalog"


def product_link_workflow_id(product_id: str) -> str:
    return f"product-link/{product_id}"


def subscription_workflow_id(subscription_id: str) -> str:
    return f"subscription/{subscription_id}"


def purchase_workflow_id(order_id: str) -> str:
    """`order_id` is the Stripe id of a checkout session or of an invoice."""
    return f"purchase/{order_id}"


def stripe_object_workflow_id(object_id: str) -> str:
    return f"stripe-object/{object_id}"


def link_preview_workflow_id(preview_id: str) -> str:
    return f"link-preview/{preview_id}"


class Wake(StrEnum):
    """Why an entity wants to be woken; also names its timer in the Temporal UI."""

    ACCESS_ENDS = "access ends"
    GRACE_ENDS = "grace for the failed payment ends"
    TRIAL_ENDS = "trial ends"
    RENEWAL_DUE = "renewal is due: look again"
    PAYMENT_PENDING = "payment is pending: look again"
    RESUMES = "paused collection resumes"

    @property
    def ends_access(self) -> bool:
        return self in (Wake.ACCESS_ENDS, Wake.GRACE_ENDS)


@dataclass(frozen=True)
class Nudge:
    """Something happened to the object: look at it. Carries ids only, so it can't go stale."""

    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None


@dataclass
class EntityState:
    """What a `Subscription`, `Purchase` or `StripeObject` run remembers across continue-as-new."""

    object_id: str
    pending: list[str] = field(default_factory=list)
    nudged: bool = True
    checkout_session: str | None = None
    label: str = ""


@dataclass(frozen=True)
class SyncInput:
    """Fetch `object_id` from Stripe and apply it. `as_of` is the workflow's clock, in UTC."""

    object_id: str
    as_of: datetime
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    cause: str = "stripe"


@dataclass(frozen=True)
class SyncResult:
    """What the read showed. `state` is a sentence for the operator; `finished` ends the run."""

    state: str
    finished: bool
    wake_at: datetime | None = None
    wake: Wake | None = None
    products: list[str] = field(default_factory=list)
    customer: str | None = None
    stripe_products: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EndDueInput:
    """End the grants of `source_id` whose time has come by `as_of`, without asking Stripe."""

    source_id: str
    as_of: datetime


class LinkState(StrEnum):
    IMPORTING = "importing"
    LISTENING = "listening"
    FAILED = "failed"
    REMOVED = "removed"


class ImportStep(StrEnum):
    """The parts of an import, in the order they are walked."""

    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    DONE = "done"


@dataclass(frozen=True)
class ImportPlan:
    """Which lists to walk. An empty `prices` with `scan` set means: walk all subscriptions once."""

    prices: list[str]
    scan: bool = False
    orders: bool = True


@dataclass
class Progress:
    """Counts of an import, as the page, the API and the Temporal UI show them."""

    subscriptions: int = 0
    orders: int = 0
    granted: int = 0
    already: int = 0
    skipped: int = 0
    pages: int = 0
    lifecycles: int = 0


@dataclass
class ProductLinkState:
    """Where a `ProductLink` run stands; carried through continue-as-new."""

    link_id: int
    product_id: str
    stripe_product: str
    step: ImportStep = ImportStep.SUBSCRIPTIONS
    plan: ImportPlan | None = None
    price_index: int = 0
    cursor: str | None = None
    progress: Progress = field(default_factory=Progress)
    again: bool = False
    stopped: bool = False


@dataclass(frozen=True)
class ImportPageInput:
    """One page of one list. `price` filters subscriptions; None scans them all."""

    link_id: int
    step: ImportStep
    as_of: datetime
    price: str | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class ImportPageResult:
    """`cursor` is where the next page starts, None after the last one."""

    cursor: str | None
    seen: int
    matched: int
    granted: int
    already: int


@dataclass(frozen=True)
class LifecyclesInput:
    """Start the workflows of imported subscriptions that need one, at most `limit` of them."""

    link_id: int
    limit: int = 500


@dataclass(frozen=True)
class LinkPreviewInput:
    preview_id: str
    product_id: str
    stripe_product: str


@dataclass(frozen=True)
class PreviewPageInput:
    preview_id: str
    step: ImportStep
    as_of: datetime
    price: str | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class LinkStateInput:
    link_id: int
    state: LinkState
    progress: Progress = field(default_factory=Progress)
    error: str | None = None
