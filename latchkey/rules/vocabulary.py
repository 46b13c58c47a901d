"""Words that the database holds and the API answers with, such as activity types, causes and end
reasons: the one list of each kind."""

from enum import StrEnum


class ActivityType(StrEnum):
    """What a line of the activity feed is about."""

    PRODUCT_PURCHASED = "product_purchased"
    SUBSCRIPTION_STARTED = "subscription_started"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    CANCELLATION_WITHDRAWN = "cancellation_withdrawn"
    SECOND_SUBSCRIPTION = "second_subscription"
    ACCESS_GRANTED = "access_granted"
    ACCESS_ENDED = "access_ended"
    IMPORTED = "imported"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_RECOVERED = "payment_recovered"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    CREDITED = "credited"
    CREDIT_WITHDRAWN = "credit_withdrawn"
    DISPUTED = "disputed"
    UNKNOWN_STATUS = "unknown_status"
    LINK_CREATED = "link_created"
    LINK_REMOVED = "link_removed"
    POLICY_CHANGED = "policy_changed"
    MANUAL_GRANT = "manual_grant"
    BULK_CHANGE = "bulk_change"
    HOLD_LIFTED = "hold_lifted"
    REPAIRED = "repaired"
    MAIL_SENT = "mail_sent"
    USER_CREATED = "user_created"
    USERS_IMPORTED = "users_imported"
    IMPORT_UNDONE = "import_undone"
    SIGNED_IN = "signed_in"
    SIGNED_OUT_BY_TEAM = "signed_out_by_team"
    SIGNED_IN_AS = "signed_in_as"
    SIGNED_OUT_AS = "signed_out_as"
    EMAIL_CHANGED = "email_changed"
    ROLE_CHANGED = "role_changed"
    FACTOR_CHANGED = "factor_changed"
    OWNER_RECOVERED = "owner_recovered"
    TOKEN_REPLAYED = "token_replayed"
    COMMUNITY_JOINED = "community_joined"
    COMMUNITY_LEFT = "community_left"
    PURCHASE_CLAIMED = "purchase_claimed"
    USERS_MERGED = "users_merged"
    MERGE_UNDONE = "merge_undone"
    USER_EXPORTED = "user_exported"
    USER_ERASED = "user_erased"


class MailSecurity(StrEnum):
    """How the connection to a mail server is encrypted: from the start, by STARTTLS or not at all,
    or by STARTTLS where the server offers it."""

    TLS = "tls"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"


class Cause(StrEnum):
    """Who or what brought a change about."""

    CUSTOMER = "customer"
    ADMIN = "admin"
    BULK = "bulk"
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
    """What gives access: something bought, somebody's decision, or another product that opens the
    collection which the product is in."""

    SUBSCRIPTION = "subscription"
    ORDER = "order"
    MANUAL = "manual"
    COLLECTION = "collection"
    PRODUCT = "product"


class SubscriptionPhase(StrEnum):
    """Where a subscription stands, by what matters most: the database derives it from the status,
    the scheduled end and the pause (column `subscriptions.phase`). `OTHER` is a status that
    Latchkey doesn't know."""

    ACTIVE = "active"
    TRIALING = "trialing"
    ENDING = "ending"
    PAYMENT_PROBLEM = "payment_problem"
    PAUSED = "paused"
    INCOMPLETE = "incomplete"
    ENDED = "ended"
    OTHER = "other"


class CancelReason(StrEnum):
    """Why a subscription was cancelled (view `cancellations`): Stripe's words for what customers
    answer and, where it ended a subscription by itself, for what. Stripe may add others."""

    TOO_EXPENSIVE = "too_expensive"
    MISSING_FEATURES = "missing_features"
    SWITCHED_SERVICE = "switched_service"
    UNUSED = "unused"
    CUSTOMER_SERVICE = "customer_service"
    TOO_COMPLEX = "too_complex"
    LOW_QUALITY = "low_quality"
    OTHER = "other"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_DISPUTED = "payment_disputed"
    NO_ANSWER = "no_answer"


class Risk(StrEnum):
    """Why money may be lost (view `payments_at_risk`): a payment failed and access goes on for now,
    or is over; the card expires before the next bill; a subscription is set to end; a payment is
    disputed."""

    GRACE = "grace"
    PAST_DUE = "past_due"
    CARD = "card"
    ENDING = "ending"
    DISPUTED = "disputed"


class CustomerState(StrEnum):
    """Whose a Stripe customer is: a user's, nobody's, or gone from Stripe."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    DELETED = "deleted"


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
    SAME_PURCHASE = "same_purchase"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_FAILED = "payment_failed"
    NOT_COMPLETED = "not_completed"
    WRITTEN_OFF = "written_off"
    CREDITED = "credited"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"
    LINK_REMOVED = "link_removed"
    UNTIL_REACHED = "until_reached"
    BY_HAND = "ended_by_hand"
    IMPORT_UNDONE = "import_undone"
    MERGED = "merged"
    COLLECTION_CHANGED = "collection_changed"
    ERASED = "user_erased"


class MoneyState(StrEnum):
    """Where the money of a one-off purchase is. The column `orders.money_state` computes it.

    `CREDITED` is settled by credit notes in full, before the payment or after it; `WRITTEN_OFF` was
    voided or marked uncollectible before anybody paid it.
    """

    OPEN = "open"
    PENDING = "pending"
    FAILED = "failed"
    WRITTEN_OFF = "written_off"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    PARTLY_CREDITED = "partly_credited"
    CREDITED = "credited"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"


class WebhookType(StrEnum):
    """What an outgoing webhook is about. `access.…` is about a user and a product, whatever the
    number of grants; `TEST` is only sent on request."""

    ACCESS_GRANTED = "access.granted"
    ACCESS_ENDING = "access.ending"
    ACCESS_ENDED = "access.ended"
    PURCHASE_COMPLETED = "purchase.completed"
    PURCHASE_REFUNDED = "purchase.refunded"
    SUBSCRIPTION_STARTED = "subscription.started"
    SUBSCRIPTION_CANCELLED = "subscription.cancelled"
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_RECOVERED = "subscription.recovered"
    USER_CREATED = "user.created"
    USER_MERGED = "user.merged"
    USER_ERASED = "user.erased"
    TEST = "test"


class WebhookFormat(StrEnum):
    """How an endpoint is told. `DISCORD_ROLES` and `SLACK_CHANNELS` are told by roles and channels
    for their members."""

    JSON = "json"
    SLACK = "slack"
    DISCORD = "discord"
    DIGEST = "digest"
    DISCORD_ROLES = "discord_roles"
    SLACK_CHANNELS = "slack_channels"


COMMUNITIES = frozenset({WebhookFormat.DISCORD_ROLES, WebhookFormat.SLACK_CHANNELS})
"""The formats whose endpoints are communities."""

COMMUNITY_SYNC = "community.sync"
"""The type of an event for one community alone: a user's accounts there have to be looked at."""


class DeliveryState(StrEnum):
    """What became of an event for one endpoint. `DROPPED` was written while the site was a copy."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class TokenScope(StrEnum):
    """What an API token may do; each includes those before it."""

    ACCESS = "access"
    READ = "read"
    WRITE = "write"
    EVERYTHING = "everything"

    def covers(self, needed: "TokenScope") -> bool:
        return _WIDTH[self] >= _WIDTH[needed]


_WIDTH = {scope: width for width, scope in enumerate(TokenScope)}


class AuditOutcome(StrEnum):
    """What came of something in the audit log."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditActor(StrEnum):
    """Who did something in the audit log: a user, an API token, the token or the first owner of the
    settings, the command line, or somebody who isn't signed in."""

    USER = "user"
    TOKEN = "token"
    SETTINGS = "settings"
    COMMAND = "command"
    VISITOR = "visitor"


class AuditAction(StrEnum):
    """What a line of the audit log is about."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SECOND_FACTOR_ASKED = "second_factor_asked"
    SIGNED_OUT = "signed_out"
    SESSIONS_ENDED = "sessions_ended"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    PURCHASE_CLAIMED = "purchase_claimed"
    PORTAL_OPENED = "portal_opened"
    CHECKOUT_OPENED = "checkout_opened"
    PAGE_DENIED = "page_denied"
    FORGED_FORM = "forged_form"
    TOKEN_DENIED = "token_denied"
    SCOPE_DENIED = "scope_denied"
    TOKEN_CREATED = "token_created"
    TOKEN_REVOKED = "token_revoked"
    CLIENT_CREATED = "client_created"
    CLIENT_CHANGED = "client_changed"
    CLIENT_DELETED = "client_deleted"
    CLIENT_SECRET_CREATED = "client_secret_created"
    CLIENT_SECRET_REVOKED = "client_secret_revoked"
    PROTECTED_SITE_ADDED = "protected_site_added"
    PROTECTED_SITE_CHANGED = "protected_site_changed"
    PROTECTED_SITE_REMOVED = "protected_site_removed"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    EXPORTED = "exported"
    IMPERSONATION_STARTED = "impersonation_started"
    IMPERSONATION_ENDED = "impersonation_ended"
    SETTINGS_CHANGED = "settings_changed"
    MAIL_SETTINGS_CHANGED = "mail_settings_changed"
    ROLE_CHANGED = "role_changed"
    OWNER_RECOVERED = "owner_recovered"
    CONNECTION_CHANGED = "connection_changed"
    CONNECTION_REMOVED = "connection_removed"
    CONNECTION_REPAIRED = "connection_repaired"
    POLICY_CHANGED = "policy_changed"
    PRODUCT_CREATED = "product_created"
    PRODUCT_CHANGED = "product_changed"
    PRODUCT_DELETED = "product_deleted"
    CATEGORIES_CHANGED = "categories_changed"
    COLLECTION_CREATED = "collection_created"
    COLLECTION_CHANGED = "collection_changed"
    COLLECTION_DELETED = "collection_deleted"
    LESSONS_CHANGED = "lessons_changed"
    LESSON_DELETED = "lesson_deleted"
    SALES_PAGE_CHANGED = "sales_page_changed"
    SALES_PAGE_DELETED = "sales_page_deleted"
    CHECKOUT_CHANGED = "checkout_changed"
    LINK_CHANGED = "link_changed"
    LINK_REMOVED = "link_removed"
    ACCESS_GIVEN = "access_given"
    ACCESS_ENDED = "access_ended"
    HOLD_LIFTED = "hold_lifted"
    USERS_IMPORTED = "users_imported"
    USERS_WELCOMED = "users_welcomed"
    IMPORT_UNDONE = "import_undone"
    USERS_MERGED = "users_merged"
    MERGE_ASKED = "merge_asked"
    MERGE_AGREED = "merge_agreed"
    MERGE_DECLINED = "merge_declined"
    MERGE_UNDONE = "merge_undone"
    PURCHASE_ASSIGNED = "purchase_assigned"
    MATCH_DISMISSED = "match_dismissed"
    SECOND_SUBSCRIPTION_ALLOWED = "second_subscription_allowed"
    USER_ERASED = "user_erased"
    LABELS_CHANGED = "labels_changed"
    PICTURE_REPLACED = "picture_replaced"
    PICTURE_DELETED = "picture_deleted"
    NOTE_ADDED = "note_added"
    NOTE_DELETED = "note_deleted"
    LINK_MAILED = "link_mailed"
    MAIL_RESENT = "mail_resent"
    REMINDER_SENT = "reminder_sent"
    INVITED_BACK = "invited_back"
    PROMOTION_MADE = "promotion_made"
    EVENT_RESENT = "event_resent"
    EVENT_IGNORED = "event_ignored"
    COMPARISON_STARTED = "comparison_started"
    REPAIR_STARTED = "repair_started"
    SECRETS_ROTATED = "secrets_rotated"
    SITE_ADOPTED = "site_adopted"
    SITE_RESTORED = "site_restored"
    SITE_SCRUBBED = "site_scrubbed"
    COMMUNITY_ADDED = "community_added"
    COMMUNITY_CHANGED = "community_changed"
    COMMUNITY_REMOVED = "community_removed"
    COMMUNITY_JOINED = "community_joined"
    COMMUNITY_LEFT = "community_left"
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_SECRET_RENEWED = "webhook_secret_renewed"
    WEBHOOK_DELETED = "webhook_deleted"
    WEBHOOKS_RESENT = "webhooks_resent"
