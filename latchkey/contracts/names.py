"""Workflow, activity and signal names, task queues, and the ids of workflows."""

from collections.abc import Sequence
from hashlib import sha256

MAIN_QUEUE = "latchkey"
STRIPE_QUEUE = "latchkey-stripe"
WEBHOOK_QUEUE = "latchkey-webhooks"
WORKER_DEPLOYMENT = "latchkey"

PRODUCT_LINK = "ProductLink"
SUBSCRIPTION = "Subscription"
PURCHASE = "Purchase"
STRIPE_OBJECT = "StripeObject"
LINK_PREVIEW = "LinkPreview"
CATALOG = "Catalog"
CONNECTION = "Connection"
CHECKOUT = "Checkout"
STRIPE_CALL = "Errand"
CATCH_UP = "CatchUp"
RECONCILIATION = "Reconciliation"
POLICY_CHANGE = "PolicyChange"
GRANT_ENDINGS = "GrantEndings"
BURST = "Burst"
LIFECYCLES = "Lifecycles"
WEBHOOK_ENDPOINT = "WebhookEndpoint"
MEMBER_IMPORT = "MemberImport"

STRIPE_AWAY = "StripeAway"
"""The type of the failure that says that Stripe didn't answer, or had an error of its own."""

NUDGE = "nudge"
STOP = "stop"

SYNC_SUBSCRIPTION = "sync_subscription"
SYNC_PURCHASE = "sync_purchase"
SYNC_OBJECT = "sync_object"
END_DUE_ACCESS = "end_due_access"
APPLY_BURST = "apply_burst"
START_WAITING = "start_waiting_lifecycles"
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
OPEN_CHECKOUT = "open_checkout"
OPEN_PORTAL = "open_portal"
FIND_RECEIPT = "find_receipt"
FIND_PROMOTION = "find_promotion"
MAKE_PROMOTION = "make_promotion"
READ_PROMOTION = "read_promotion"
TRY_WEBHOOK = "try_webhook"
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
SEND_WEBHOOKS = "send_webhooks"
WORK_ON_MEMBER_IMPORT = "work_on_member_import"

CONNECTION_WORKFLOW_ID = "connection"
CATALOG_WORKFLOW_ID = "catalog"
CATCH_UP_SCHEDULE_ID = "catch-up"
RECONCILIATION_SCHEDULE_ID = "reconciliation"
GRANT_ENDINGS_WORKFLOW_ID = "grant-endings"
LIFECYCLES_WORKFLOW_ID = "lifecycles"

SCHEDULED = "scheduled"
"""The placeholder id for the schedule's own comparisons; Temporal appends the time."""


def product_link_workflow_id(product_id: str) -> str:
    return f"product-link/{product_id}"


def subscription_workflow_id(subscription_id: str) -> str:
    return f"subscription/{subscription_id}"


def purchase_workflow_id(order_id: str) -> str:
    """`order_id` is the Stripe id of a checkout session or of an invoice."""
    return f"purchase/{order_id}"


def stripe_object_workflow_id(object_id: str) -> str:
    """`object_id` is `<kind>/<Stripe id>`, such as `customer/cus_1`. An id that a shop chose is
    replaced by a reference (`latchkey/stripe_ids.py`), since it may be an email address."""
    return f"stripe-object/{object_id}"


def link_preview_workflow_id(preview_id: str) -> str:
    return f"link-preview/{preview_id}"


def checkout_workflow_id(product_id: str) -> str:
    return f"checkout/{product_id}"


def stripe_call_workflow_id(activity: str, nonce: str) -> str:
    """Different nonces give separate calls; the same nonce joins the call under way."""
    return f"errand/{activity}/{nonce}"


def reconciliation_workflow_id(reconciliation_id: str) -> str:
    return f"reconciliation/{reconciliation_id}"


def burst_workflow_id(event_ids: Sequence[str]) -> str:
    """The same events are handed over once."""
    digest = sha256(" ".join(sorted(event_ids)).encode()).hexdigest()
    return f"burst/{digest[:32]}"


def policy_change_workflow_id(change_id: int) -> str:
    return f"policy-change/{change_id}"


def member_import_workflow_id(import_id: str, run: int) -> str:
    """Each run of an import has a workflow of its own, so none is mistaken for the one before."""
    return f"member-import/{import_id}/{run}"


def webhook_endpoint_workflow_id(endpoint_id: str) -> str:
    return f"webhook-endpoint/{endpoint_id}"
