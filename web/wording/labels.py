"""What the pages call things: activity types, causes, reasons, states, notices."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from latchkey.languages import N_, _, ngettext
from latchkey.mail.letters import KINDS
from latchkey.rules.cancelling import Place
from latchkey.rules.drift import Kind, Severity
from latchkey.rules.oauth import Scope
from latchkey.rules.plurals import counted
from latchkey.rules.remedies import Remedy
from latchkey.rules.vocabulary import (
    ActivityType,
    AuditAction,
    AuditActor,
    AuditOutcome,
    CancelReason,
    Cause,
    CustomerState,
    DeliveryState,
    GrantSource,
    MoneyState,
    Reason,
    Risk,
    SubscriptionPhase,
    TokenScope,
    WebhookFormat,
    WebhookType,
)
from latchkey.store.products.checkout import Obstacle
from latchkey.store.products.win_backs import NotInvited
from web.wording.times import late, when

ACTIVITY_TYPES: dict[str, str] = {
    ActivityType.PRODUCT_PURCHASED: "Product purchased",
    ActivityType.SUBSCRIPTION_STARTED: "Subscription started",
    ActivityType.SUBSCRIPTION_CANCELLED: "Subscription cancelled",
    ActivityType.CANCELLATION_WITHDRAWN: "Cancellation withdrawn",
    ActivityType.SECOND_SUBSCRIPTION: "Second subscription",
    ActivityType.ACCESS_GRANTED: "Access granted",
    ActivityType.ACCESS_ENDED: "Access ended",
    ActivityType.IMPORTED: "Imported",
    ActivityType.PAYMENT_PENDING: "Payment pending",
    ActivityType.PAYMENT_FAILED: "Payment failed",
    ActivityType.PAYMENT_RECOVERED: "Payment recovered",
    ActivityType.REFUNDED: "Refunded",
    ActivityType.DISPUTED: "Disputed",
    ActivityType.LINK_CREATED: "Link created",
    ActivityType.LINK_REMOVED: "Link removed",
    ActivityType.USER_CREATED: "User created",
    ActivityType.USERS_IMPORTED: "Users imported",
    ActivityType.IMPORT_UNDONE: "Import of users undone",
    ActivityType.EMAIL_CHANGED: "Email address changed",
    ActivityType.MANUAL_GRANT: "Access granted manually",
    ActivityType.BULK_CHANGE: "Access changed in bulk",
    ActivityType.SIGNED_IN: "Signed in",
    ActivityType.SIGNED_OUT_BY_TEAM: "Signed out by the team",
    ActivityType.MAIL_SENT: "Email sent",
    ActivityType.SIGNED_IN_AS: "Impersonation started",
    ActivityType.SIGNED_OUT_AS: "Impersonation ended",
    ActivityType.USER_ERASED: "User erased",
    ActivityType.USER_EXPORTED: "Data exported",
    ActivityType.HOLD_LIFTED: "Hold lifted",
    ActivityType.POLICY_CHANGED: "Access policy changed",
    ActivityType.REFUND_FAILED: "Refund failed",
    ActivityType.CREDITED: "Credited",
    ActivityType.CREDIT_WITHDRAWN: "Credit withdrawn",
    ActivityType.UNKNOWN_STATUS: "Unknown status in Stripe",
    ActivityType.USERS_MERGED: "Users merged",
    ActivityType.MERGE_UNDONE: "Merge undone",
    ActivityType.PURCHASE_CLAIMED: "Purchase claimed",
    ActivityType.ROLE_CHANGED: "Role changed",
    ActivityType.FACTOR_CHANGED: "Second factor changed",
    ActivityType.OWNER_RECOVERED: "Owner recovered on the server",
    ActivityType.TOKEN_REPLAYED: "Used token shown again",
    ActivityType.REPAIRED: "Repaired by reconciliation",
    ActivityType.COMMUNITY_JOINED: "Account connected",
    ActivityType.COMMUNITY_LEFT: "Account disconnected",
}
TOKEN_SCOPES: dict[str, str] = {
    TokenScope.ACCESS: "Ask who has access, nothing else",
    TokenScope.READ: "Read",
    TokenScope.WRITE: "Read and change",
    TokenScope.EVERYTHING: "Everything, also links, policies, merges and the audit log",
}
CLIENT_SCOPES: dict[str, str] = {
    Scope.OPENID: N_("Know that it's you"),
    Scope.PROFILE: N_("See your name"),
    Scope.EMAIL: N_("See your email address"),
    Scope.ACCESS: N_("See what you have access to here, and until when"),
    Scope.OFFLINE_ACCESS: N_("Stay up to date while you aren't there, for up to a year"),
}
"""What a scope lets another site do, as its user reads it."""
WEBHOOK_TYPES: dict[str, str] = {
    WebhookType.ACCESS_GRANTED: "Access granted",
    WebhookType.ACCESS_ENDING: "End of access set or withdrawn",
    WebhookType.ACCESS_ENDED: "Access ended",
    WebhookType.PURCHASE_COMPLETED: "Purchase completed",
    WebhookType.PURCHASE_REFUNDED: "Purchase refunded",
    WebhookType.SUBSCRIPTION_STARTED: "Subscription started",
    WebhookType.SUBSCRIPTION_CANCELLED: "Subscription cancelled",
    WebhookType.SUBSCRIPTION_RESUMED: "Cancellation withdrawn",
    WebhookType.SUBSCRIPTION_PAST_DUE: "Payment failed",
    WebhookType.SUBSCRIPTION_RECOVERED: "Payment recovered",
    WebhookType.USER_CREATED: "User created",
    WebhookType.USER_MERGED: "Users merged",
    WebhookType.USER_ERASED: "User erased",
    WebhookType.TEST: "Test",
}
WEBHOOK_FORMATS: dict[str, str] = {
    WebhookFormat.JSON: "JSON",
    WebhookFormat.SLACK: "Slack",
    WebhookFormat.DISCORD: "Discord",
    WebhookFormat.DIGEST: "Email digest",
    WebhookFormat.DISCORD_ROLES: "Roles on Discord",
    WebhookFormat.SLACK_CHANNELS: "Channels on Slack",
}
DELIVERY_STATES: dict[str, str] = {
    DeliveryState.WAITING: "Waiting",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.FAILED: "Given up",
    DeliveryState.DROPPED: "Dropped",
}
AUDIT_ACTIONS: dict[str, str] = {
    AuditAction.SIGNED_IN: "Signed in",
    AuditAction.SIGN_IN_FAILED: "Sign-in failed",
    AuditAction.SECOND_FACTOR_ASKED: "Second factor asked for",
    AuditAction.SIGNED_OUT: "Signed out",
    AuditAction.SESSIONS_ENDED: "Sessions ended",
    AuditAction.FACTOR_ADDED: "Second factor added",
    AuditAction.FACTOR_REMOVED: "Second factor removed",
    AuditAction.RECOVERY_CODES_RENEWED: "Recovery codes renewed",
    AuditAction.PASSWORD_CHANGED: "Password changed",
    AuditAction.EMAIL_CHANGE_ASKED: "Email change requested",
    AuditAction.EMAIL_CHANGED: "Email address changed",
    AuditAction.PURCHASE_CLAIMED: "Purchase claimed",
    AuditAction.PORTAL_OPENED: "Billing portal opened",
    AuditAction.CHECKOUT_OPENED: "Checkout opened for a buyer",
    AuditAction.PAGE_DENIED: "Page denied",
    AuditAction.FORGED_FORM: "Forged or expired form",
    AuditAction.TOKEN_DENIED: "API token denied",
    AuditAction.SCOPE_DENIED: "API token lacks scope",
    AuditAction.TOKEN_CREATED: "API token created",
    AuditAction.TOKEN_REVOKED: "API token revoked",
    AuditAction.CLIENT_CREATED: "Client created",
    AuditAction.CLIENT_CHANGED: "Client changed",
    AuditAction.CLIENT_DELETED: "Client deleted",
    AuditAction.CLIENT_SECRET_CREATED: "Client secret created",
    AuditAction.CLIENT_SECRET_REVOKED: "Client secret revoked",
    AuditAction.PROTECTED_SITE_ADDED: "Protected site added",
    AuditAction.PROTECTED_SITE_CHANGED: "Protected site changed",
    AuditAction.PROTECTED_SITE_REMOVED: "Protected site removed",
    AuditAction.CONSENT_GIVEN: "Agreed to a sign-in elsewhere",
    AuditAction.CONSENT_WITHDRAWN: "Disconnected a site",
    AuditAction.EXPORTED: "Data exported",
    AuditAction.IMPERSONATION_STARTED: "Impersonation started",
    AuditAction.IMPERSONATION_ENDED: "Impersonation ended",
    AuditAction.SETTINGS_CHANGED: "Settings changed",
    AuditAction.MAIL_SETTINGS_CHANGED: "Email settings changed",
    AuditAction.ROLE_CHANGED: "Role changed",
    AuditAction.OWNER_RECOVERED: "Owner let back in",
    AuditAction.COMMUNITY_ADDED: "Community connected",
    AuditAction.COMMUNITY_CHANGED: "Community changed",
    AuditAction.COMMUNITY_REMOVED: "Community removed",
    AuditAction.COMMUNITY_JOINED: "Account connected to a community",
    AuditAction.COMMUNITY_LEFT: "Account disconnected from a community",
    AuditAction.WEBHOOK_ADDED: "Webhook endpoint added",
    AuditAction.WEBHOOK_CHANGED: "Webhook endpoint changed",
    AuditAction.WEBHOOK_SECRET_RENEWED: "Webhook secret renewed",
    AuditAction.WEBHOOK_DELETED: "Webhook endpoint deleted",
    AuditAction.WEBHOOKS_RESENT: "Webhooks sent by hand",
    AuditAction.SITE_ADOPTED: "Copy of the site adopted",
    AuditAction.SITE_RESTORED: "Site restored from a backup",
    AuditAction.SITE_SCRUBBED: "Personal data of a copy replaced",
    AuditAction.CONNECTION_CHANGED: "Stripe connected",
    AuditAction.CONNECTION_REMOVED: "Stripe disconnected",
    AuditAction.CONNECTION_REPAIRED: "Stripe connection repaired",
    AuditAction.POLICY_CHANGED: "Access policy changed",
    AuditAction.PRODUCT_CREATED: "Product created",
    AuditAction.PRODUCT_CHANGED: "Product changed",
    AuditAction.PRODUCT_DELETED: "Product deleted",
    AuditAction.CATEGORIES_CHANGED: "Categories changed",
    AuditAction.COLLECTION_CREATED: "Collection created",
    AuditAction.COLLECTION_CHANGED: "Collection changed",
    AuditAction.COLLECTION_DELETED: "Collection deleted",
    AuditAction.LESSONS_CHANGED: "Lessons changed",
    AuditAction.LESSON_DELETED: "Lesson deleted",
    AuditAction.SALES_PAGE_CHANGED: "Sales page changed",
    AuditAction.SALES_PAGE_DELETED: "Sales page deleted",
    AuditAction.CHECKOUT_CHANGED: "Checkout changed",
    AuditAction.LINK_CHANGED: "Link to Stripe changed",
    AuditAction.LINK_REMOVED: "Link to Stripe removed",
    AuditAction.ACCESS_GIVEN: "Access given",
    AuditAction.ACCESS_ENDED: "Access ended",
    AuditAction.HOLD_LIFTED: "Hold lifted",
    AuditAction.USERS_IMPORTED: "Users imported",
    AuditAction.USERS_WELCOMED: "Imported users sent the welcome email",
    AuditAction.IMPORT_UNDONE: "Import of users undone",
    AuditAction.USERS_MERGED: "Users merged",
    AuditAction.MERGE_ASKED: "Asked to merge users",
    AuditAction.MERGE_AGREED: "Agreed to a merge",
    AuditAction.MERGE_DECLINED: "Declined a merge",
    AuditAction.MERGE_UNDONE: "Merge undone",
    AuditAction.PURCHASE_ASSIGNED: "Purchase assigned",
    AuditAction.MATCH_DISMISSED: "Identity match dismissed",
    AuditAction.SECOND_SUBSCRIPTION_ALLOWED: "Second subscription allowed",
    AuditAction.USER_ERASED: "User erased",
    AuditAction.LABELS_CHANGED: "Labels of users changed",
    AuditAction.NOTE_ADDED: "Note added",
    AuditAction.NOTE_DELETED: "Note deleted",
    AuditAction.LINK_MAILED: "Sign-in link sent",
    AuditAction.MAIL_RESENT: "Email resent",
    AuditAction.REMINDER_SENT: "Payment reminder sent",
    AuditAction.INVITED_BACK: "Invited back by email",
    AuditAction.PROMOTION_MADE: "Promotion code created",
    AuditAction.EVENT_RESENT: "Event resent",
    AuditAction.EVENT_IGNORED: "Event ignored",
    AuditAction.COMPARISON_STARTED: "Comparison started",
    AuditAction.REPAIR_STARTED: "Repair started",
    AuditAction.SECRETS_ROTATED: "Secrets rotated",
}
AUDIT_OUTCOMES: dict[str, str] = {
    AuditOutcome.DONE: "Done",
    AuditOutcome.REFUSED: "Refused",
    AuditOutcome.FAILED: "Failed",
}
AUDIT_ACTORS: dict[str, str] = {
    AuditActor.USER: "User",
    AuditActor.TOKEN: "API token",
    AuditActor.SETTINGS: "The settings",
    AuditActor.COMMAND: "Command line",
    AuditActor.VISITOR: "Visitor",
}
PRESETS: dict[str, tuple[str, ...]] = {
    "Everything": (),
    "Purchases": (
        ActivityType.PRODUCT_PURCHASED,
        ActivityType.PAYMENT_PENDING,
        ActivityType.REFUNDED,
        ActivityType.REFUND_FAILED,
        ActivityType.CREDITED,
        ActivityType.CREDIT_WITHDRAWN,
        ActivityType.DISPUTED,
    ),
    "Subscriptions": (
        ActivityType.SUBSCRIPTION_STARTED,
        ActivityType.SUBSCRIPTION_CANCELLED,
        ActivityType.CANCELLATION_WITHDRAWN,
        ActivityType.SECOND_SUBSCRIPTION,
        ActivityType.PAYMENT_FAILED,
        ActivityType.PAYMENT_RECOVERED,
    ),
    "Access": (
        ActivityType.ACCESS_GRANTED,
        ActivityType.ACCESS_ENDED,
        ActivityType.MANUAL_GRANT,
        ActivityType.BULK_CHANGE,
        ActivityType.IMPORTED,
    ),
    "People": (
        ActivityType.USER_CREATED,
        ActivityType.USERS_IMPORTED,
        ActivityType.IMPORT_UNDONE,
        ActivityType.SIGNED_IN,
        ActivityType.MAIL_SENT,
    ),
    "Admin": (
        ActivityType.LINK_CREATED,
        ActivityType.LINK_REMOVED,
        ActivityType.MANUAL_GRANT,
        ActivityType.BULK_CHANGE,
        ActivityType.USERS_IMPORTED,
        ActivityType.IMPORT_UNDONE,
        ActivityType.POLICY_CHANGED,
        ActivityType.ROLE_CHANGED,
        ActivityType.FACTOR_CHANGED,
        ActivityType.OWNER_RECOVERED,
        ActivityType.SIGNED_OUT_BY_TEAM,
        ActivityType.SIGNED_IN_AS,
        ActivityType.SIGNED_OUT_AS,
        ActivityType.USER_ERASED,
        ActivityType.USER_EXPORTED,
    ),
}
ICONS: dict[str, tuple[str, str]] = {
    ActivityType.PRODUCT_PURCHASED: ("money", "good"),
    ActivityType.SUBSCRIPTION_STARTED: ("money", "good"),
    ActivityType.SUBSCRIPTION_CANCELLED: ("clock", "warn"),
    ActivityType.CANCELLATION_WITHDRAWN: ("check", "good"),
    ActivityType.SECOND_SUBSCRIPTION: ("alert", "warn"),
    ActivityType.ACCESS_GRANTED: ("key", "good"),
    ActivityType.ACCESS_ENDED: ("cross", ""),
    ActivityType.MANUAL_GRANT: ("grant", "good"),
    ActivityType.BULK_CHANGE: ("users", "info"),
    ActivityType.USERS_IMPORTED: ("users", "info"),
    ActivityType.IMPORT_UNDONE: ("users", "warn"),
    ActivityType.PAYMENT_FAILED: ("alert", "bad"),
    ActivityType.PAYMENT_PENDING: ("clock", "warn"),
    ActivityType.PAYMENT_RECOVERED: ("check", "good"),
    ActivityType.REFUNDED: ("money", "warn"),
    ActivityType.REFUND_FAILED: ("alert", "warn"),
    ActivityType.CREDITED: ("money", "warn"),
    ActivityType.CREDIT_WITHDRAWN: ("check", "good"),
    ActivityType.DISPUTED: ("alert", "bad"),
    ActivityType.IMPORTED: ("users", "info"),
    ActivityType.LINK_CREATED: ("link", "info"),
    ActivityType.LINK_REMOVED: ("link", ""),
    ActivityType.MAIL_SENT: ("mail", "info"),
    ActivityType.REPAIRED: ("check", "info"),
    ActivityType.SIGNED_OUT_BY_TEAM: ("person", "warn"),
    ActivityType.SIGNED_IN_AS: ("person", "warn"),
    ActivityType.OWNER_RECOVERED: ("person", "warn"),
    ActivityType.TOKEN_REPLAYED: ("alert", "warn"),
    ActivityType.SIGNED_OUT_AS: ("person", ""),
    ActivityType.USER_ERASED: ("cross", "warn"),
}
CAUSES: dict[str, str] = {
    Cause.CUSTOMER: "by the customer",
    Cause.ADMIN: "by an admin",
    Cause.BULK: "by an admin, in bulk",
    Cause.STRIPE: "by Stripe",
    Cause.IMPORT: "by an import",
    Cause.TIMER: "on schedule",
    Cause.POLICY: "by the access policy",
    Cause.RECONCILIATION: "by reconciliation",
}
MONEY_STATES: dict[str, tuple[str, str]] = {
    MoneyState.OPEN: (N_("Not completed"), "warn"),
    MoneyState.PENDING: (N_("Payment pending"), "warn"),
    MoneyState.FAILED: (N_("Payment failed"), "bad"),
    MoneyState.WRITTEN_OFF: (N_("Written off"), ""),
    MoneyState.PAID: (N_("Paid"), "good"),
    MoneyState.PARTLY_REFUNDED: (N_("Partly refunded"), "warn"),
    MoneyState.REFUNDED: (N_("Refunded"), ""),
    MoneyState.PARTLY_CREDITED: (N_("Partly credited"), "warn"),
    MoneyState.CREDITED: (N_("Credited"), ""),
    MoneyState.DISPUTED: (N_("Disputed"), "bad"),
    MoneyState.DISPUTE_LOST: (N_("Dispute lost"), "bad"),
}
MONEY_NOTES: dict[str, str] = {
    MoneyState.PENDING: N_("You'll get access as soon as the payment arrives."),
    MoneyState.DISPUTED: N_(
        "This payment was disputed with your bank or card company, so your access may be on hold"
        " until they decide. If that was a mistake, ask them to withdraw the dispute."
    ),
    MoneyState.DISPUTE_LOST: N_(
        "The money went back to you after the dispute. To have this again, buy it again."
    ),
}
"""What a buyer should know about where the money of a purchase is."""
REMEDIES: dict[str, tuple[str, str, str]] = {
    Remedy.CARD: (
        N_("Locked: payment failed"),
        N_("Update your card"),
        N_(
            "A payment failed, so your access is on hold. Once your card is updated and the payment"
            " goes through, you'll get it back automatically."
        ),
    ),
    Remedy.ADD_CARD: (
        N_("Locked: no card yet"),
        N_("Add a card"),
        N_(
            "Your free days are over, and there's no card to charge, so your access is on hold."
            " Once you've added one and the payment goes through, you'll get it back"
            " automatically."
        ),
    ),
    Remedy.FINISH: (
        N_("Locked: not paid yet"),
        N_("Finish the payment"),
        N_("The first payment hasn't gone through yet. You'll get access as soon as it does."),
    ),
    Remedy.RESUME: (
        N_("Paused"),
        N_("Resume subscription"),
        N_(
            "Your subscription is paused, so your access is on hold. You'll get it back when you"
            " resume it."
        ),
    ),
    Remedy.KEEP: (
        N_("Cancelled"),
        N_("Keep subscription"),
        N_("Your subscription is set to end. You can still keep it."),
    ),
}
"""By remedy: the badge, the button, and a sentence."""
CANCELLED_IN: dict[str, str] = {
    Place.PORTAL: "by the customer, in the billing portal",
    Place.STRIPE: "in Stripe",
}
REASONS: dict[str, str] = {
    Reason.RUNNING: "The subscription is active",
    Reason.PAID: "It is paid for",
    Reason.TRIAL: "On trial",
    Reason.GRACE: "A payment failed; still in the grace period",
    Reason.CANCELED: "The subscription was cancelled",
    Reason.SCHEDULED_END: "The cancelled subscription reached its end date",
    Reason.GRACE_OVER: "A payment failed and the grace period is over",
    Reason.BY_POLICY: "The access policy gives no access in this state",
    Reason.EXPIRED: "It was never paid for",
    Reason.ITEM_REMOVED: "The subscription no longer includes the product",
    Reason.SAME_PURCHASE: "It was counted twice: another entry has the same purchase",
    Reason.PAYMENT_PENDING: "The payment is pending",
    Reason.PAYMENT_FAILED: "The payment failed",
    Reason.NOT_COMPLETED: "The checkout wasn't completed",
    Reason.WRITTEN_OFF: "Its invoice was voided or written off",
    Reason.CREDITED: "It was credited",
    Reason.REFUNDED: "It was refunded",
    Reason.DISPUTE_LOST: "A dispute was lost",
    Reason.DISPUTED: "The payment is disputed",
    Reason.LINK_REMOVED: "The product link was removed",
    Reason.ERASED: "The user was erased",
    Reason.UNTIL_REACHED: "The end date was reached",
    Reason.BY_HAND: "An admin ended it",
    Reason.IMPORT_UNDONE: "The import that gave it was undone",
    Reason.COMPLIMENTARY: "Complimentary",
    Reason.UNKNOWN_STATUS: "Stripe reports a status that Latchkey doesn't know",
    Reason.MERGED: "Two users were merged",
    Reason.COLLECTION_CHANGED: "The collection no longer includes the product",
}
OBSTACLES: dict[Obstacle, str] = {
    Obstacle.PRODUCT_DELETED: (
        "The Stripe product was deleted in Stripe. Link this product to another one."
    ),
    Obstacle.PRODUCT_ARCHIVED: (
        "The Stripe product is archived in Stripe. Unarchive it there and save again, or link this"
        " product to another one."
    ),
    Obstacle.PRICE_ARCHIVED: (
        "The price is archived in Stripe. Choose another one, or unarchive it in Stripe, and save."
    ),
    Obstacle.LINK_OFF: (
        "The payment link was deactivated in Stripe. Save again to activate it, or turn off the"
        " checkout."
    ),
    Obstacle.LINK_SPENT: (
        "The payment link has made as many sales as it is limited to in Stripe. Save again to lift"
        " the limit, or turn off the checkout."
    ),
    Obstacle.LINK_REFUSED: "Stripe refused the payment link. Choose another price, or save again.",
}
NOTICES = {
    "created": "Product created.",
    "saved": N_("Saved."),
    "set-up": "Welcome. Your site is set up; the next steps are below.",
    "steps-hidden": "Hidden. You find the first steps by the search, and on the go-live checklist.",
    "event-arrived": "The test event has arrived.",
    "mail-server-saved": "The test email was accepted, and the mail server is saved.",
    "mail-tested": "The test email was accepted. See whether it arrives.",
    "mail-server-removed": "Mail server removed. Emails stay in the outbox.",
    "deleted": "Deleted.",
    "labelled": "Labels saved.",
    "linked": "Link saved. The import has started.",
    "unlinked": "Link removed.",
    "granted": "Access granted.",
    "decided": "Decision saved.",
    "invited-back": "The emails are on their way.",
    "promotion": "The code was created in Stripe. Nobody has been written to yet.",
    "reminded": "The email is on its way.",
    "second-allowed": "Noted. This subscription isn't reported any more.",
    "gifts": "Access granted.",
    "lifted": "Hold lifted.",
    "created-collection": "Collection created. Now choose its products.",
    "merged": "The two users have been merged.",
    "merge-asked": "We've sent an email. The two are merged once the owner agrees.",
    "unmerged": "Merge undone. They can sign in with an emailed link and then choose a password.",
    "claim-sent": N_("We've sent a link to that address. Open it here, where you're signed in."),
    "claimed": N_("Everything bought with that address is now in your account."),
    "policy-saved": "Policy saved. It is now being applied to everyone.",
    "ended": "Access ended. Billing in Stripe hasn't been stopped.",
    "checked": "Connection checked.",
    "disconnected": "Stripe disconnected. Access that was already granted stays.",
    "revoked": "Token revoked.",
    "secret-revoked": "Secret revoked. It isn't accepted any more.",
    "site-disconnected": N_("Disconnected. That site was signed out, and has to ask you again."),
    "community-syncs": N_("Saved. Everybody affected is being checked."),
    "community-paused": "Paused. Nobody gets or loses anything there until you resume it.",
    "community-resumed": "Resumed. Everybody is being looked at.",
    "community-leaves": "Roles are being taken back. Then the community goes.",
    "community-joined": N_("Connected. What you get there follows in a moment."),
    "community-left": N_("Disconnected. What you got there is being taken away."),
    "webhook-added": "Endpoint added. Send a test event to see whether it works.",
    "webhook-paused": "Paused. What happens is kept and sent once you resume it.",
    "webhook-resumed": "Resumed. What waited is sent now.",
    "webhook-sent": "It is being sent. Reload this page to see what came of it.",
    "webhook-replayed": "Everything since then is being sent again.",
    "import-removed": "Import removed. Nothing was changed.",
    "import-undo-stale": "Something has changed since the preview. This is what it comes to now.",
    "import-elsewhere": "The import had already gone on. This is where it stands.",
    "invited": "Invitation sent.",
    "link-mailed": "Sign-in link sent.",
    "acting-over": "You're viewing the site as yourself again.",
    "erased": "User erased. Amounts and dates are kept, without any personal data.",
    "resent": "Sent again.",
    "ignored": "Event ignored. You can resend it at any time.",
    "link-sent": N_("If there's an account with that address, a sign-in link is on its way."),
    "signed-out": N_("You're signed out."),
    "recovery-sent": N_(
        "If there's an account with that address, a link to set a new password is on its way."
    ),
    "owned": N_("You already have access, so there's nothing to pay."),
    "billing-changed": N_("Stripe has your change. It will show here in a moment."),
    "change-sent": N_("We've sent a link to the new address. Nothing changes until you open it."),
    "email-changed": N_("Your email address has changed. Use the new one to sign in from now on."),
    "password-set": N_("Your password is set. You've been signed out everywhere else."),
    "app-added": N_("Authenticator app set up. You've been signed out everywhere else."),
    "passkey-added": N_("Passkey added. You've been signed out everywhere else."),
    "factors-removed": "Second factors removed. They have been told by email.",
    "factor-removed": N_("Removed. You've been signed out everywhere else."),
    "session-ended": N_("Session ended. Whoever was using it has to sign in again."),
    "signed-out-there": "They are signed out there.",
}
SOURCES: dict[str, str] = {
    GrantSource.SUBSCRIPTION: "Subscription",
    GrantSource.ORDER: "Purchase",
    GrantSource.MANUAL: "Complimentary",
    GrantSource.COLLECTION: "Collection",
}
SUBSCRIPTION_PHASES: dict[str, str] = {
    SubscriptionPhase.ACTIVE: "Active",
    SubscriptionPhase.TRIALING: "On trial",
    SubscriptionPhase.ENDING: "Cancelled, still running",
    SubscriptionPhase.PAYMENT_PROBLEM: "Payment problem",
    SubscriptionPhase.PAUSED: "Paused",
    SubscriptionPhase.INCOMPLETE: "First payment missing",
    SubscriptionPhase.ENDED: "Ended",
    SubscriptionPhase.OTHER: "Unknown status",
}
RISKS: dict[str, str] = {
    Risk.GRACE: "Payment failed, still has access",
    Risk.PAST_DUE: "Payment failed, no access",
    Risk.CARD: "Card expires before the next bill",
    Risk.ENDING: "Cancelled, still running",
    Risk.DISPUTED: "Payment disputed",
}
WHY_CANCELLED: dict[str, str] = {
    CancelReason.TOO_EXPENSIVE: "Too expensive",
    CancelReason.MISSING_FEATURES: "Something is missing",
    CancelReason.SWITCHED_SERVICE: "Switched to something else",
    CancelReason.UNUSED: "Doesn't use it enough",
    CancelReason.CUSTOMER_SERVICE: "Not satisfied with the support",
    CancelReason.TOO_COMPLEX: "Too complex",
    CancelReason.LOW_QUALITY: "Not good enough",
    CancelReason.OTHER: "Another reason",
    CancelReason.PAYMENT_FAILED: "Ended by Stripe: payment failed",
    CancelReason.PAYMENT_DISPUTED: "Ended by Stripe: payment disputed",
    CancelReason.NO_ANSWER: "No answer",
}
NOT_INVITED: dict[str, str] = {
    NotInvited.NOBODY: "Nobody is known to write to",
    NotInvited.RUNNING: "Their subscription is still running",
    NotInvited.BACK: "They have subscribed again",
    NotInvited.OFF: "They have turned these emails off",
    NotInvited.RECENT: "They were invited within 30 days",
    NotInvited.UNSOLD: "The product isn't sold here, or takes no codes",
    NotInvited.TWICE: "They are in this list already",
}
CUSTOMER_STATES: dict[str, str] = {
    CustomerState.KNOWN: "With a user",
    CustomerState.UNKNOWN: "Without a user",
    CustomerState.DELETED: "Deleted in Stripe",
}
LINK_STATES = {"importing": "Importing", "listening": "In sync", "failed": "Import failed"}
EVENT_STATES = {
    "waiting": "Waiting",
    "relayed": "Processing",
    "handled": "Handled",
    "ignored": "Ignored",
    "failed": "Failed",
}
EMAIL_STATES = {
    "queued": "Queued",
    "sending": "Sending",
    "sent": "Sent",
    "failed": "Failed",
    "suppressed": "Not sent",
}
COMPARISON_STATES = {
    "queued": "Queued",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
}
DIFFERENCE_STATES = {
    "open": "Open",
    "chosen": "Selected for repair",
    "repaired": "Repaired",
    "failed": "Not repaired",
}
SEVERITIES: dict[str, str] = {
    Severity.SAFE: "Safe to repair",
    Severity.MANUAL: "Needs a decision",
    Severity.FOREIGN: "Not ours",
}
DIFFERENCE_KINDS: dict[str, str] = {
    Kind.ACCESS_MISSING: "Access is missing",
    Kind.ACCESS_LEFT: "Access should have ended",
    Kind.UNTIL_DIFFERS: "The end differs",
    Kind.MIRROR_DIFFERS: "The stored copy differs",
    Kind.NOBODY: "No user to give access to",
    Kind.GONE: "Gone from Stripe",
    Kind.OTHER_ACCOUNT: "From another Stripe account",
    Kind.ACCESS_AFTER_END: "Access after its end",
    Kind.PAID_WITHOUT_ACCESS: "Paid without access",
    Kind.WORKFLOW_MISSING: "No workflow",
    Kind.WORKFLOW_STUCK: "Workflow stuck",
    Kind.TIMER_MISSING: "No timer",
}


SIGNED_IN = {
    "password": N_("Signed in with a password"),
    "link": N_("Signed in with an emailed link"),
    "passkey": N_("Signed in with a passkey"),
    "app": N_("Signed in with a code"),
    "recovery_code": N_("Signed in with a recovery code"),
    "admin": N_("Signed in by an admin"),
}


def plain(name: str) -> str:
    """An id as words, where there is no label for it."""
    return name.replace("_", " ").capitalize()


def upfirst(text: str) -> str:
    """A text as the start of a sentence."""
    return text[:1].upper() + text[1:]


def obstacle(found: Obstacle) -> str:
    """What keeps buyers from a checkout, and what an admin can do about it."""
    return OBSTACLES[found]


def notice(done: str) -> str:
    """What a page says after something was done; empty if nothing."""
    return _(NOTICES.get(done, ""))


def activity(type_: str) -> str:
    return ACTIVITY_TYPES.get(type_, plain(type_))


def email_kind(kind: str) -> str:
    return KINDS.get(kind, plain(kind))


def source(name: str) -> str:
    """What a grant comes from."""
    return SOURCES.get(name, plain(name))


def link_state(name: str) -> str:
    return LINK_STATES.get(name, plain(name))


def event_state(name: str) -> str:
    return EVENT_STATES.get(name, plain(name))


def email_state(name: str) -> str:
    return EMAIL_STATES.get(name, plain(name))


def comparison_state(name: str) -> str:
    return COMPARISON_STATES.get(name, plain(name))


def difference_state(name: str) -> str:
    return DIFFERENCE_STATES.get(name, plain(name))


def difference_kind(name: str) -> str:
    """What differs, or which invariant is violated."""
    return DIFFERENCE_KINDS.get(name, plain(name))


def severity(name: str) -> str:
    """What a difference asks for."""
    return SEVERITIES.get(name, plain(name))


def signed_in(via: str) -> str:
    """How somebody signed in, as a whole."""
    return _(SIGNED_IN[via])


def line_icon(type_: str) -> tuple[str, str]:
    """The icon of an activity type and its tone."""
    return ICONS.get(type_, ("person", ""))


def cause(name: str) -> str:
    return CAUSES.get(name, name)


_OWN_ACCOUNT = {
    ActivityType.EMAIL_CHANGED,
    ActivityType.FACTOR_CHANGED,
    ActivityType.COMMUNITY_JOINED,
    ActivityType.COMMUNITY_LEFT,
    ActivityType.PURCHASE_CLAIMED,
    ActivityType.USERS_MERGED,
}
"""What people do in their own accounts, whether they are customers or staff."""


def line_cause(line: Any) -> str:
    """Who or what caused a line of the feed; nothing where the type of the line says it."""
    match line.type:
        case ActivityType.SIGNED_IN:
            return ""
        case ActivityType.ROLE_CHANGED if line.actor_id is None:
            return "when the site was set up"
        case ActivityType.OWNER_RECOVERED:
            return "on the server"
        case ActivityType.SUBSCRIPTION_CANCELLED | ActivityType.CANCELLATION_WITHDRAWN:
            return CANCELLED_IN.get(line.data.get("place"), cause(line.cause))
    if line.cause == Cause.CUSTOMER and line.type in _OWN_ACCOUNT:
        return "by the user"
    return cause(line.cause)


_IN_BULK = {
    "granted": "got access",
    "changed": "who had it got this end and reason",
    "ended": "lost access",
}
_BY_REMOVAL = {"changed": "kept it as complimentary access", "ended": "lost access"}


def line_people(line: Any) -> tuple[str, str]:
    """How many people an import, a bulk change or another access policy concerned, as sentences,
    and the query string that finds their lines in the feed. Empty for other lines, and where nobody
    has a line. Access to several products counts each time under another policy."""
    if line.imported:
        text = f"{counted(line.imported, 'person', 'people')} got access by its import."
        return text, urlencode({"product": line.product_id, "cause": "import", "type": "imported"})
    if line.given or line.taken:
        counts = (("Access given", line.given), ("Access ended", line.taken))
        text = ". ".join(f"{said}: {count}" for said, count in counts if count)
        days = {"from": line.at, "to": line.applied_at}
        given = {"product": line.product_id, "cause": Cause.POLICY.value}
        given |= {name: day.astimezone(UTC).date() for name, day in days.items() if day}
        return f"{text}.", urlencode({name: value for name, value in given.items() if value})
    given = {"product": line.product_id, "cause": Cause.BULK.value, "q": line.source_id}
    if line.type == ActivityType.LINK_REMOVED and "ended" in line.data:
        texts = _how_many(line, _BY_REMOVAL)
        return " ".join(texts) or "Nobody lost access.", urlencode(given)
    if line.type == ActivityType.IMPORT_UNDONE:
        return _taken_back(line.data), urlencode({"q": line.source_id})
    if line.type not in (ActivityType.BULK_CHANGE, ActivityType.USERS_IMPORTED):
        return "", ""
    texts = _how_many(line, _IN_BULK)
    if new := line.data.get("created"):
        texts.append(f"{counted(new, 'user')} {'was' if new == 1 else 'were'} created.")
    found = any(line.data.get(name) for name in ("granted", "ended", "created"))
    query = urlencode({name: value for name, value in given.items() if value}) if found else ""
    return " ".join(texts) or "Everybody was known already.", query


def _how_many(line: Any, said: Mapping[str, str]) -> list[str]:
    return [
        f"{counted(line.data[name], 'person', 'people')} {text}."
        for name, text in said.items()
        if line.data.get(name)
    ]


def _taken_back(data: Mapping[str, Any]) -> str:
    ended, deleted = data.get("ended", 0), data.get("deleted", 0)
    text = f"Complimentary access was taken back {counted(ended, 'time')}."
    if deleted:
        text += f" {counted(deleted, 'account')} {'was' if deleted == 1 else 'were'} deleted."
    return text


def line_due(line: Any) -> Markup:
    """When what a line is about was due, or happened in Stripe; empty if that was just before it
    happened here."""
    if not late(line.at, line.due_at):
        return Markup("")
    said = "It was due on" if line.type == ActivityType.ACCESS_ENDED else "In Stripe on"
    return Markup("{} {}").format(said, when(line.due_at))


def money_note(state: str) -> str:
    """What a buyer should know about this state of a purchase's money; empty if nothing."""
    return _(MONEY_NOTES.get(state, ""))


def remedy_badge(remedy: str) -> str:
    """The state of a subscription that has to be mended."""
    return _(REMEDIES[remedy][0])


def remedy_button(remedy: str) -> str:
    """The label of the button that mends a subscription."""
    return _(REMEDIES[remedy][1])


def remedy_sentence(remedy: str) -> str:
    """What is wrong with a subscription, and what mends it."""
    return _(REMEDIES[remedy][2])


def belongings(side: Any) -> list[str]:
    """What would move with an account in a merge, for a `merge_requests.Side`."""
    subscriptions, orders, customers = side.subscriptions, side.orders, side.customers
    counts = (
        (
            subscriptions,
            ngettext("%(count)s subscription", "%(count)s subscriptions", subscriptions),
        ),
        (orders, ngettext("%(count)s purchase", "%(count)s purchases", orders)),
        (customers, ngettext("%(count)s billing account", "%(count)s billing accounts", customers)),
    )
    access = [_("Access to %(name)s", name=name) for name in side.products]
    return access + [said for count, said in counts if count]


def money_state(name: str) -> tuple[str, str]:
    """What a purchase's state is called, and the tone of its badge."""
    said, tone = MONEY_STATES.get(name, (plain(name), ""))
    return _(said), tone


def reason(name: str | None) -> str:
    return REASONS.get(name or "", plain(name or ""))


def browser(agent: str) -> str:
    """A browser and its operating system, from its user agent."""
    programs = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome"}
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
    systems |= {"Macintosh": "Mac", "Linux": "Linux"}
    program = next((name for sign, name in programs.items() if sign in agent), None)
    program = program or ("Safari" if "Safari" in agent else agent.partition("/")[0][:40])
    system = next((name for sign, name in systems.items() if sign in agent), None)
    return _("%(program)s on %(system)s", program=program, system=system) if system else program


def progress(link: Any) -> str:
    """How far a link's import is, as a sentence."""
    done = link.progress or {}
    counts = (
        f"{counted(done.get('subscriptions', 0), 'subscription')} and"
        f" {counted(done.get('orders', 0), 'order')} read,"
        f" {counted(done.get('granted', 0), 'person', 'people')} granted access"
    )
    match link.state:
        case "importing":
            waits = f". Waiting to try again: {link.error}" if link.error else ""
            return f"Importing: {counts} so far{waits}"
        case "listening":
            return f"Up to date. Import finished: {counts}"
        case "failed":
            return f"The import failed: {link.error or 'unknown reason'}"
    return link_state(link.state)


def grant(entry: Any) -> str:
    """What a grant comes from, and whether it has ended or will."""
    name = source(entry.source)
    if entry.ended_at is not None or (entry.until and entry.until <= datetime.now(UTC)):
        return f"{name}, ended"
    return f"{name}, with an end date" if entry.until else name


def why_cancelled(reason: str) -> str:
    """Why a subscription was cancelled, in words; Stripe's own for reasons that it added later."""
    return WHY_CANCELLED.get(reason) or plain(reason)
