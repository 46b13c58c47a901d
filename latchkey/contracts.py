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
CHECKOUT = "Checkout"
ERRAND = "Errand"
CATCH_UP = "CatchUp"
RECONCILIATION = "Reconciliation"
POLICY_CHANGE = "PolicyChange"
GRANT_ENDINGS = "GrantEndings"

NUDGE = "nudge"
STOP = "stop"

SYNC_SUBSCRIPTION = "sync_subscription"
SYNC_PURCHASE = "sync_purchase"
SYNC_OBJECT = "sync_object"
END_DUE_ACCESS = "end_due_access"
PLAN_IMPORT = "plan_import"
IMPORT_PAGE = "import_page"
START_LIFECYCLES = "start_lifecycles"
SET_LINK_STATE = "set_link_state"
PLAN_PREVIEW = "plan_preview"
PREVIEW_PAGE = "preview_page"
FINISH_PREVIEW = "finish_preview"
CATALOG_PAGE = "catalog_page"
CHECK_KEY = "check_key"
REGISTER_ENDPOINT = "register_endpoint"
SETTLE_CHECKOUT = "settle_checkout"
LOOK_AT_SESSION = "look_at_session"
OPEN_PORTAL = "open_portal"
FIND_RECEIPT = "find_receipt"
APPLY_POLICY_PAGE = "apply_policy_page"
END_DUE_GRANTS = "end_due_grants"
CHECK_ENDPOINT = "check_endpoint"
PLAN_CATCH_UP = "plan_catch_up"
CATCH_UP_PAGE = "catch_up_page"
BEGIN_SWEEP = "begin_sweep"
DO_CHORES = "do_chores"
BEGIN_RECONCILIATION = "begin_reconciliation"
COMPARE_PAGE = "compare_page"
COMPARE_UNSEEN = "compare_unseen"
CHECK_INVARIANTS = "check_invariants"
REPAIR_DIFFERENCES = "repair_differences"
FINISH_RECONCILIATION = "finish_reconciliation"

CONNECTION_WORKFLOW_ID = "connection"
CATALOG_WORKFLOW_ID = "catalog"
CATCH_UP_SCHEDULE_ID = "catch-up"
RECONCILIATION_SCHEDULE_ID = "reconciliation"
GRANT_ENDINGS_WORKFLOW_ID = "grant-endings"

SCHEDULED = "scheduled"
"""Stands for the id in the schedule's own comparisons; Temporal adds the time."""


def product_link_workflow_id(product_id: str) -> str:
    return f"product-link/{product_id}"


def subscription_workflow_id(subscription_id: str) -> str:
    return f"subscription/{subscription_id}"


def purchase_workflow_id(order_id: str) -> str:
    """`order_id` is the Stripe id of a checkout session or of an invoice."""
    return f"purchase/{order_id}"


def stripe_object_workflow_id(object_id: str) -> str:
    """`object_id` is `<kind>/<Stripe id>`, such as `customer/cus_1`: Stripe's ids are opaque."""
    return f"stripe-object/{object_id}"


def link_preview_workflow_id(preview_id: str) -> str:
    return f"link-preview/{preview_id}"


def checkout_workflow_id(product_id: str) -> str:
    return f"checkout/{product_id}"


def errand_workflow_id(activity: str, nonce: str) -> str:
    """`nonce` keeps two clicks apart; the same one joins the errand that is under way."""
    return f"errand/{activity}/{nonce}"


def reconciliation_workflow_id(reconciliation_id: str) -> str:
    return f"reconciliation/{reconciliation_id}"


def policy_change_workflow_id(change_id: int) -> str:
    return f"policy-change/{change_id}"


class Wake(StrEnum):
    """Why an entity wants to be woken; also names its timer in the Temporal UI."""

    ACCESS_ENDS = "access ends"
    GRACE_ENDS = "grace for the failed payment ends"
    TRIAL_ENDS = "trial ends"
    RENEWAL_DUE = "renewal is due: look again"
    PAYMENT_PENDING = "payment is pending: look again"
    RESUMES = "paused collection resumes"
    TRY_AGAIN = "it could not be read: try again"

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
    """What a `Subscription`, `Purchase` or `StripeObject` run remembers across continue-as-new.

    Not `nudged`, it begins by sleeping until `wake_at`: an import knows already what is true.
    """

    object_id: str
    nudged: bool = True
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    wake_at: datetime | None = None
    wake: Wake | None = None
    label: str = ""
    product: str | None = None
    customer: str | None = None
    asked: bool = False
    """Somebody wants it read, whatever the events are about."""


@dataclass(frozen=True)
class SyncInput:
    """Fetch `object_id` from Stripe and apply it. `as_of` is the workflow's clock, in UTC.

    `only_events`: the run has read before, and nothing but `event_ids` asks for another reading.
    """

    object_id: str
    as_of: datetime
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    by_timer: bool = False
    only_events: bool = False


@dataclass(frozen=True)
class SyncResult:
    """What the read showed: `label` in a word or two, `state` as a sentence for the operator.

    `finished` ends the run; a later event starts a new one. `wake_at` lies after `as_of`. `unread`
    means that the object could not be read or applied, `unchanged` that it was not read, since
    earlier readings served all the events: what the last one showed still holds.
    """

    label: str
    state: str
    finished: bool
    wake_at: datetime | None = None
    wake: Wake | None = None
    product: str | None = None
    customer: str | None = None
    unread: bool = False
    unchanged: bool = False


@dataclass(frozen=True)
class EndDueInput:
    """End the grants of `source_id` whose time has come by `as_of`, without asking Stripe."""

    source_id: str
    as_of: datetime


class PolicyStep(StrEnum):
    """What a change of policy is applied to, in this order."""

    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    DONE = "done"


@dataclass
class PolicyChangeState:
    """How far a change of policy is; carried through continue-as-new."""

    change_id: int
    step: PolicyStep = PolicyStep.SUBSCRIPTIONS
    cursor: str | None = None
    checked: int = 0
    granted: int = 0
    ended: int = 0


@dataclass(frozen=True)
class PolicyPageInput:
    """Apply the policy to the page after `cursor`. The counts are those before this page, so that
    applying it again counts nothing twice."""

    change_id: int
    step: PolicyStep
    as_of: datetime
    cursor: str | None = None
    checked: int = 0
    granted: int = 0
    ended: int = 0


@dataclass(frozen=True)
class PolicyPageResult:
    """Where the next page begins, and the counts with this one."""

    step: PolicyStep
    cursor: str | None
    checked: int
    granted: int
    ended: int


@dataclass
class GrantEndingsState:
    """`nudged`: an end was set since the last look."""

    nudged: bool = True


@dataclass(frozen=True)
class DueGrantsInput:
    """End the access given by hand whose time has come by `as_of`."""

    as_of: datetime


@dataclass(frozen=True)
class DueGrantsResult:
    """How many ended, and when the next one is due; None where no end is set."""

    ended: int
    next_at: datetime | None


class LinkState(StrEnum):
    IMPORTING = "importing"
    LISTENING = "listening"
    FAILED = "failed"
    REMOVED = "removed"


class ImportStep(StrEnum):
    """The parts of an import, in the order they are walked."""

    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    INVOICES = "invoices"
    DONE = "done"


@dataclass(frozen=True)
class ImportPlan:
    """Which lists to walk: subscriptions by each of `prices`, or all where `scan` is set; paid
    invoices where `invoices` is set, made since the Unix time `invoices_since` if there is one."""

    stripe_product: str
    prices: list[str]
    scan: bool = False
    invoices: bool = False
    invoices_since: int | None = None


@dataclass(frozen=True)
class Progress:
    """Counts of an import, as the page, the API and the Temporal UI show them."""

    pages: int = 0
    subscriptions: int = 0
    orders: int = 0
    granted: int = 0
    already_had_access: int = 0
    lifecycles: int = 0


@dataclass
class ProductLinkState:
    """Where a `ProductLink` run stands; carried through continue-as-new."""

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
    """One page of one list. `price` filters subscriptions, None scans them all; `since` is the Unix
    time from which invoices are read."""

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
    """Start the runs of a link's subscriptions that have none yet, at most `limit` of them."""

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
class ErrandInput:
    """One call to Stripe that a person waits for: the Temporal activity, and what it is about.

    `object_id` is Stripe's; `flow` names a page of the customer portal, `target` what it is about.
    """

    activity: str
    object_id: str
    flow: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class ErrandResult:
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


class ReconcileStep(StrEnum):
    """The parts of a comparison, in the order they are done."""

    PRICES = "prices"
    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    INVOICES = "invoices"
    UNSEEN = "what was not met on the walk"
    INVARIANTS = "invariants"
    REPAIR = "repair"


@dataclass(frozen=True)
class Compared:
    """Counts of a comparison, as page, API and Temporal UI show them. `reads` are calls to Stripe
    beyond the walk's pages."""

    pages: int = 0
    reads: int = 0
    subscriptions: int = 0
    orders: int = 0
    differences: int = 0
    repaired: int = 0


@dataclass
class ReconciliationState:
    """Where a `Reconciliation` run stands; carried through continue-as-new.

    Without an id, as the schedule starts it, the run makes its own comparison. `repair` holds for
    that one only: any other's row says it. `invoices`: one of the products was ever priced once.
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
    """`compared`: the walk was done before, only chosen repairs are left. `invoices_since` is the
    Unix time from which paid invoices are walked, None leaves them out."""

    reconciliation_id: str
    repair: bool
    products: list[str]
    compared: bool = False
    most_prices: int = 20
    product: str | None = None
    invoices_since: int | None = None


@dataclass(frozen=True)
class ComparePageInput:
    """One page of one list. `price` filters subscriptions; None scans them all. `since` is the Unix
    time from which invoices are read."""

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
    """Compare, or repair, the next few objects."""

    reconciliation_id: str
    repair: bool
    as_of: datetime
    progress: Compared = field(default_factory=Compared)


@dataclass(frozen=True)
class CompareBatchResult:
    """`left` is False after the last batch; `done` is how many objects this one took."""

    left: bool
    done: int
    progress: Compared


@dataclass(frozen=True)
class FinishReconciliation:
    reconciliation_id: str
    error: str | None = None
