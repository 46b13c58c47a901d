"""Words that the database holds and the API answers with: the one list of each kind.

A value never changes. A new one needs a label in `web/wording/labels.py`, which a test demands.
"""

from enum import StrEnum


class ActivityType(StrEnum):
    """What a line of the activity feed is about."""

    PRODUCT_PURCHASED = "product_purchased"
    SUBSCRIPTION_STARTED = "subscription_started"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    CANCELLATION_WITHDRAWN = "cancellation_withdrawn"
    ACCESS_GRANTED = "access_granted"
    ACCESS_ENDED = "access_ended"
    IMPORTED = "imported"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_RECOVERED = "payment_recovered"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    UNKNOWN_STATUS = "unknown_status"
    LINK_CREATED = "link_created"
    LINK_REMOVED = "link_removed"
    POLICY_CHANGED = "policy_changed"
    MANUAL_GRANT = "manual_grant"
    HOLD_LIFTED = "hold_lifted"
    REPAIRED = "repaired"
    MAIL_SENT = "mail_sent"
    USER_CREATED = "user_created"
    SIGNED_IN = "signed_in"
    SIGNED_OUT_BY_TEAM = "signed_out_by_team"
    SIGNED_IN_AS = "signed_in_as"
    SIGNED_OUT_AS = "signed_out_as"
    EMAIL_CHANGED = "email_changed"
    ROLE_CHANGED = "role_changed"
    FACTOR_CHANGED = "factor_changed"
    OWNER_RECOVERED = "owner_recovered"
    PURCHASE_CLAIMED = "purchase_claimed"
    USERS_MERGED = "users_merged"
    MERGE_UNDONE = "merge_undone"
    USER_EXPORTED = "user_exported"
    USER_ERASED = "user_erased"


class Cause(StrEnum):
    """Who or what brought a change about."""

    CUSTOMER = "customer"
    ADMIN = "admin"
    STRIPE = "stripe"
    IMPORT = "import"
    TIMER = "timer"
    POLICY = "policy"
    RECONCILIATION = "reconciliation"


class ComparisonCause(StrEnum):
    """Who or what asked for a comparison with Stripe."""

    ADMIN = "admin"
    API = "api"
    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"


class GrantSource(StrEnum):
    """What gives access: something bought, or somebody's decision."""

    SUBSCRIPTION = "subscription"
    ORDER = "order"
    MANUAL = "manual"
    COLLECTION = "collection"


class Reason(StrEnum):
    """Why a grant is given or has ended; stored with the grant and shown to people."""

    RUNNING = "running"
    PAID = "paid"
    TRIAL = "trial"
    GRACE = "past_due_in_grace"
    COMPLIMENTARY = "complimentary"
    CANCELED = "canceled"
    SCHEDULED_END = "scheduled_end"
    GRACE_OVER = "past_due_grace_over"
    BY_POLICY = "excluded_by_policy"
    EXPIRED = "never_paid"
    UNKNOWN_STATUS = "unknown_status"
    ITEM_REMOVED = "item_removed"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_FAILED = "payment_failed"
    NOT_COMPLETED = "not_completed"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"
    LINK_REMOVED = "link_removed"
    UNTIL_REACHED = "until_reached"
    BY_HAND = "ended_by_hand"
    MERGED = "merged"
    COLLECTION_CHANGED = "collection_changed"
    ERASED = "user_erased"
