"""What the pages call things: activity types, causes, reasons, states, notices."""

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from latchkey.languages import A_, ENGLISH, N_, _, current, ngettext
from latchkey.mail.letters import KINDS
from latchkey.rules.cancelling import Place
from latchkey.rules.drift import Kind, Severity
from latchkey.rules.oauth import Scope
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
    ActivityType.PRODUCT_PURCHASED: A_("Product purchased"),
    ActivityType.SUBSCRIPTION_STARTED: A_("Subscription started"),
    ActivityType.SUBSCRIPTION_CANCELLED: A_("Subscription cancelled"),
    ActivityType.CANCELLATION_WITHDRAWN: A_("Cancellation withdrawn"),
    ActivityType.SECOND_SUBSCRIPTION: A_("Second subscription"),
    ActivityType.ACCESS_GRANTED: A_("Access granted"),
    ActivityType.ACCESS_ENDED: A_("Access ended"),
    ActivityType.IMPORTED: A_("Imported"),
    ActivityType.PAYMENT_PENDING: A_("Payment pending"),
    ActivityType.PAYMENT_FAILED: A_("Payment failed"),
    ActivityType.PAYMENT_RECOVERED: A_("Payment recovered"),
    ActivityType.REFUNDED: A_("Refunded"),
    ActivityType.DISPUTED: A_("Disputed"),
    ActivityType.LINK_CREATED: A_("Link created"),
    ActivityType.LINK_REMOVED: A_("Link removed"),
    ActivityType.USER_CREATED: A_("User created"),
    ActivityType.USERS_IMPORTED: A_("Users imported"),
    ActivityType.IMPORT_UNDONE: A_("Import of users undone"),
    ActivityType.EMAIL_CHANGED: A_("Email address changed"),
    ActivityType.MANUAL_GRANT: A_("Access granted manually"),
    ActivityType.BULK_CHANGE: A_("Access changed in bulk"),
    ActivityType.SIGNED_IN: A_("Signed in"),
    ActivityType.SIGNED_OUT_BY_TEAM: A_("Signed out by the team"),
    ActivityType.MAIL_SENT: A_("Email sent"),
    ActivityType.SIGNED_IN_AS: A_("Impersonation started"),
    ActivityType.SIGNED_OUT_AS: A_("Impersonation ended"),
    ActivityType.USER_ERASED: A_("User erased"),
    ActivityType.USER_EXPORTED: A_("Data exported"),
    ActivityType.HOLD_LIFTED: A_("Hold lifted"),
    ActivityType.POLICY_CHANGED: A_("Access policy changed"),
    ActivityType.REFUND_FAILED: A_("Refund failed"),
    ActivityType.CREDITED: A_("Credited"),
    ActivityType.CREDIT_WITHDRAWN: A_("Credit withdrawn"),
    ActivityType.UNKNOWN_STATUS: A_("Unknown status in Stripe"),
    ActivityType.USERS_MERGED: A_("Users merged"),
    ActivityType.MERGE_UNDONE: A_("Merge undone"),
    ActivityType.PURCHASE_CLAIMED: A_("Purchase claimed"),
    ActivityType.ROLE_CHANGED: A_("Role changed"),
    ActivityType.FACTOR_CHANGED: A_("Second factor changed"),
    ActivityType.OWNER_RECOVERED: A_("Owner recovered on the server"),
    ActivityType.TOKEN_REPLAYED: A_("Used token shown again"),
    ActivityType.REPAIRED: A_("Repaired by reconciliation"),
    ActivityType.COMMUNITY_JOINED: A_("Account connected"),
    ActivityType.COMMUNITY_LEFT: A_("Account disconnected"),
}
TOKEN_SCOPES: dict[str, str] = {
    TokenScope.ACCESS: A_("Ask who has access, nothing else"),
    TokenScope.READ: A_("Read"),
    TokenScope.WRITE: A_("Read and change"),
    TokenScope.EVERYTHING: A_("Everything, also links, policies, merges and the audit log"),
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
    WebhookType.ACCESS_GRANTED: A_("Access granted"),
    WebhookType.ACCESS_ENDING: A_("End of access set or withdrawn"),
    WebhookType.ACCESS_ENDED: A_("Access ended"),
    WebhookType.PURCHASE_COMPLETED: A_("Purchase completed"),
    WebhookType.PURCHASE_REFUNDED: A_("Purchase refunded"),
    WebhookType.SUBSCRIPTION_STARTED: A_("Subscription started"),
    WebhookType.SUBSCRIPTION_CANCELLED: A_("Subscription cancelled"),
    WebhookType.SUBSCRIPTION_RESUMED: A_("Cancellation withdrawn"),
    WebhookType.SUBSCRIPTION_PAST_DUE: A_("Payment failed"),
    WebhookType.SUBSCRIPTION_RECOVERED: A_("Payment recovered"),
    WebhookType.USER_CREATED: A_("User created"),
    WebhookType.USER_MERGED: A_("Users merged"),
    WebhookType.USER_ERASED: A_("User erased"),
    WebhookType.TEST: A_("Test"),
}
WEBHOOK_FORMATS: dict[str, str] = {
    WebhookFormat.JSON: "JSON",
    WebhookFormat.SLACK: "Slack",
    WebhookFormat.DISCORD: "Discord",
    WebhookFormat.DIGEST: A_("Email digest"),
    WebhookFormat.DISCORD_ROLES: A_("Roles on Discord"),
    WebhookFormat.SLACK_CHANNELS: A_("Channels on Slack"),
}
DELIVERY_STATES: dict[str, str] = {
    DeliveryState.WAITING: A_("Waiting"),
    DeliveryState.DELIVERED: A_("Delivered"),
    DeliveryState.FAILED: A_("Given up"),
    DeliveryState.DROPPED: A_("Dropped"),
}
AUDIT_ACTIONS: dict[str, str] = {
    AuditAction.SIGNED_IN: A_("Signed in"),
    AuditAction.SIGN_IN_FAILED: A_("Sign-in failed"),
    AuditAction.SECOND_FACTOR_ASKED: A_("Second factor asked for"),
    AuditAction.SIGNED_OUT: A_("Signed out"),
    AuditAction.SESSIONS_ENDED: A_("Sessions ended"),
    AuditAction.FACTOR_ADDED: A_("Second factor added"),
    AuditAction.FACTOR_REMOVED: A_("Second factor removed"),
    AuditAction.RECOVERY_CODES_RENEWED: A_("Recovery codes renewed"),
    AuditAction.PASSWORD_CHANGED: A_("Password changed"),
    AuditAction.EMAIL_CHANGE_ASKED: A_("Email change requested"),
    AuditAction.EMAIL_CHANGED: A_("Email address changed"),
    AuditAction.PURCHASE_CLAIMED: A_("Purchase claimed"),
    AuditAction.PORTAL_OPENED: A_("Billing portal opened"),
    AuditAction.CHECKOUT_OPENED: A_("Checkout opened for a buyer"),
    AuditAction.PAGE_DENIED: A_("Page denied"),
    AuditAction.FORGED_FORM: A_("Forged or expired form"),
    AuditAction.TOKEN_DENIED: A_("API token denied"),
    AuditAction.SCOPE_DENIED: A_("API token lacks scope"),
    AuditAction.TOKEN_CREATED: A_("API token created"),
    AuditAction.TOKEN_REVOKED: A_("API token revoked"),
    AuditAction.CLIENT_CREATED: A_("Client created"),
    AuditAction.CLIENT_CHANGED: A_("Client changed"),
    AuditAction.CLIENT_DELETED: A_("Client deleted"),
    AuditAction.CLIENT_SECRET_CREATED: A_("Client secret created"),
    AuditAction.CLIENT_SECRET_REVOKED: A_("Client secret revoked"),
    AuditAction.PROTECTED_SITE_ADDED: A_("Protected site added"),
    AuditAction.PROTECTED_SITE_CHANGED: A_("Protected site changed"),
    AuditAction.PROTECTED_SITE_REMOVED: A_("Protected site removed"),
    AuditAction.CONSENT_GIVEN: A_("Agreed to a sign-in elsewhere"),
    AuditAction.CONSENT_WITHDRAWN: A_("Disconnected a site"),
    AuditAction.EXPORTED: A_("Data exported"),
    AuditAction.IMPERSONATION_STARTED: A_("Impersonation started"),
    AuditAction.IMPERSONATION_ENDED: A_("Impersonation ended"),
    AuditAction.SETTINGS_CHANGED: A_("Settings changed"),
    AuditAction.MAIL_SETTINGS_CHANGED: A_("Email settings changed"),
    AuditAction.ROLE_CHANGED: A_("Role changed"),
    AuditAction.OWNER_RECOVERED: A_("Owner let back in"),
    AuditAction.COMMUNITY_ADDED: A_("Community connected"),
    AuditAction.COMMUNITY_CHANGED: A_("Community changed"),
    AuditAction.COMMUNITY_REMOVED: A_("Community removed"),
    AuditAction.COMMUNITY_JOINED: A_("Account connected to a community"),
    AuditAction.COMMUNITY_LEFT: A_("Account disconnected from a community"),
    AuditAction.WEBHOOK_ADDED: A_("Webhook endpoint added"),
    AuditAction.WEBHOOK_CHANGED: A_("Webhook endpoint changed"),
    AuditAction.WEBHOOK_SECRET_RENEWED: A_("Webhook secret renewed"),
    AuditAction.WEBHOOK_DELETED: A_("Webhook endpoint deleted"),
    AuditAction.WEBHOOKS_RESENT: A_("Webhooks sent by hand"),
    AuditAction.SITE_ADOPTED: A_("Copy of the site adopted"),
    AuditAction.SITE_RESTORED: A_("Site restored from a backup"),
    AuditAction.SITE_SCRUBBED: A_("Personal data of a copy replaced"),
    AuditAction.CONNECTION_CHANGED: A_("Stripe connected"),
    AuditAction.CONNECTION_REMOVED: A_("Stripe disconnected"),
    AuditAction.CONNECTION_REPAIRED: A_("Stripe connection repaired"),
    AuditAction.POLICY_CHANGED: A_("Access policy changed"),
    AuditAction.PRODUCT_CREATED: A_("Product created"),
    AuditAction.PRODUCT_CHANGED: A_("Product changed"),
    AuditAction.PRODUCT_DELETED: A_("Product deleted"),
    AuditAction.CATEGORIES_CHANGED: A_("Categories changed"),
    AuditAction.COLLECTION_CREATED: A_("Collection created"),
    AuditAction.COLLECTION_CHANGED: A_("Collection changed"),
    AuditAction.COLLECTION_DELETED: A_("Collection deleted"),
    AuditAction.LESSONS_CHANGED: A_("Lessons changed"),
    AuditAction.LESSON_DELETED: A_("Lesson deleted"),
    AuditAction.SALES_PAGE_CHANGED: A_("Sales page changed"),
    AuditAction.SALES_PAGE_DELETED: A_("Sales page deleted"),
    AuditAction.CHECKOUT_CHANGED: A_("Checkout changed"),
    AuditAction.LINK_CHANGED: A_("Link to Stripe changed"),
    AuditAction.LINK_REMOVED: A_("Link to Stripe removed"),
    AuditAction.ACCESS_GIVEN: A_("Access given"),
    AuditAction.ACCESS_ENDED: A_("Access ended"),
    AuditAction.HOLD_LIFTED: A_("Hold lifted"),
    AuditAction.USERS_IMPORTED: A_("Users imported"),
    AuditAction.USERS_WELCOMED: A_("Imported users sent the welcome email"),
    AuditAction.IMPORT_UNDONE: A_("Import of users undone"),
    AuditAction.USERS_MERGED: A_("Users merged"),
    AuditAction.MERGE_ASKED: A_("Asked to merge users"),
    AuditAction.MERGE_AGREED: A_("Agreed to a merge"),
    AuditAction.MERGE_DECLINED: A_("Declined a merge"),
    AuditAction.MERGE_UNDONE: A_("Merge undone"),
    AuditAction.PURCHASE_ASSIGNED: A_("Purchase assigned"),
    AuditAction.MATCH_DISMISSED: A_("Identity match dismissed"),
    AuditAction.SECOND_SUBSCRIPTION_ALLOWED: A_("Second subscription allowed"),
    AuditAction.USER_ERASED: A_("User erased"),
    AuditAction.LABELS_CHANGED: A_("Labels of users changed"),
    AuditAction.PICTURE_REPLACED: A_("Picture replaced"),
    AuditAction.PICTURE_DELETED: A_("Picture deleted"),
    AuditAction.NOTE_ADDED: A_("Note added"),
    AuditAction.NOTE_DELETED: A_("Note deleted"),
    AuditAction.LINK_MAILED: A_("Sign-in link sent"),
    AuditAction.MAIL_RESENT: A_("Email resent"),
    AuditAction.REMINDER_SENT: A_("Payment reminder sent"),
    AuditAction.INVITED_BACK: A_("Invited back by email"),
    AuditAction.PROMOTION_MADE: A_("Promotion code created"),
    AuditAction.EVENT_RESENT: A_("Event resent"),
    AuditAction.EVENT_IGNORED: A_("Event ignored"),
    AuditAction.COMPARISON_STARTED: A_("Comparison started"),
    AuditAction.REPAIR_STARTED: A_("Repair started"),
    AuditAction.SECRETS_ROTATED: A_("Secrets rotated"),
}
AUDIT_OUTCOMES: dict[str, str] = {
    AuditOutcome.DONE: A_("Done"),
    AuditOutcome.REFUSED: A_("Refused"),
    AuditOutcome.FAILED: A_("Failed"),
}
AUDIT_ACTORS: dict[str, str] = {
    AuditActor.USER: A_("User"),
    AuditActor.TOKEN: A_("API token"),
    AuditActor.SETTINGS: A_("The settings"),
    AuditActor.COMMAND: A_("Command line"),
    AuditActor.VISITOR: A_("Visitor"),
}
PRESETS: dict[str, tuple[str, ...]] = {
    A_("Everything"): (),
    A_("Purchases"): (
        ActivityType.PRODUCT_PURCHASED,
        ActivityType.PAYMENT_PENDING,
        ActivityType.REFUNDED,
        ActivityType.REFUND_FAILED,
        ActivityType.CREDITED,
        ActivityType.CREDIT_WITHDRAWN,
        ActivityType.DISPUTED,
    ),
    A_("Subscriptions"): (
        ActivityType.SUBSCRIPTION_STARTED,
        ActivityType.SUBSCRIPTION_CANCELLED,
        ActivityType.CANCELLATION_WITHDRAWN,
        ActivityType.SECOND_SUBSCRIPTION,
        ActivityType.PAYMENT_FAILED,
        ActivityType.PAYMENT_RECOVERED,
    ),
    A_("Access"): (
        ActivityType.ACCESS_GRANTED,
        ActivityType.ACCESS_ENDED,
        ActivityType.MANUAL_GRANT,
        ActivityType.BULK_CHANGE,
        ActivityType.IMPORTED,
    ),
    A_("People"): (
        ActivityType.USER_CREATED,
        ActivityType.USERS_IMPORTED,
        ActivityType.IMPORT_UNDONE,
        ActivityType.SIGNED_IN,
        ActivityType.MAIL_SENT,
    ),
    A_("Admin"): (
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
    Cause.CUSTOMER: A_("by the customer"),
    Cause.ADMIN: A_("by an admin"),
    Cause.BULK: A_("by an admin, in bulk"),
    Cause.STRIPE: A_("by Stripe"),
    Cause.IMPORT: A_("by an import"),
    Cause.TIMER: A_("on schedule"),
    Cause.POLICY: A_("by the access policy"),
    Cause.RECONCILIATION: A_("by reconciliation"),
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
    Place.PORTAL: A_("by the customer, in the billing portal"),
    Place.STRIPE: A_("in Stripe"),
}
REASONS: dict[str, str] = {
    Reason.RUNNING: A_("The subscription is active"),
    Reason.PAID: A_("It is paid for"),
    Reason.TRIAL: A_("On trial"),
    Reason.GRACE: A_("A payment failed; still in the grace period"),
    Reason.CANCELED: A_("The subscription was cancelled"),
    Reason.SCHEDULED_END: A_("The cancelled subscription reached its end date"),
    Reason.GRACE_OVER: A_("A payment failed and the grace period is over"),
    Reason.BY_POLICY: A_("The access policy gives no access in this state"),
    Reason.EXPIRED: A_("It was never paid for"),
    Reason.ITEM_REMOVED: A_("The subscription no longer includes the product"),
    Reason.SAME_PURCHASE: A_("It was counted twice: another entry has the same purchase"),
    Reason.PAYMENT_PENDING: A_("The payment is pending"),
    Reason.PAYMENT_FAILED: A_("The payment failed"),
    Reason.NOT_COMPLETED: A_("The checkout wasn't completed"),
    Reason.WRITTEN_OFF: A_("Its invoice was voided or written off"),
    Reason.CREDITED: A_("It was credited"),
    Reason.REFUNDED: A_("It was refunded"),
    Reason.DISPUTE_LOST: A_("A dispute was lost"),
    Reason.DISPUTED: A_("The payment is disputed"),
    Reason.LINK_REMOVED: A_("The product link was removed"),
    Reason.ERASED: A_("The user was erased"),
    Reason.UNTIL_REACHED: A_("The end date was reached"),
    Reason.BY_HAND: A_("An admin ended it"),
    Reason.IMPORT_UNDONE: A_("The import that gave it was undone"),
    Reason.COMPLIMENTARY: A_("Complimentary"),
    Reason.UNKNOWN_STATUS: A_("Stripe reports a status that Latchkey doesn't know"),
    Reason.MERGED: A_("Two users were merged"),
    Reason.COLLECTION_CHANGED: A_("The collection no longer includes the product"),
}
OBSTACLES: dict[Obstacle, str] = {
    Obstacle.PRODUCT_DELETED: (
        A_("The Stripe product was deleted in Stripe. Link this product to another one.")
    ),
    Obstacle.PRODUCT_ARCHIVED: (
        A_(
            "The Stripe product is archived in Stripe. Unarchive it there and save again,"
            " or link this product to another one."
        )
    ),
    Obstacle.PRICE_ARCHIVED: (
        A_(
            "The price is archived in Stripe. Choose another one, or unarchive it in"
            " Stripe, and save."
        )
    ),
    Obstacle.LINK_OFF: (
        A_(
            "The payment link was deactivated in Stripe. Save again to activate it, or"
            " turn off the checkout."
        )
    ),
    Obstacle.LINK_SPENT: (
        A_(
            "The payment link has made as many sales as it is limited to in Stripe. Save"
            " again to lift the limit, or turn off the checkout."
        )
    ),
    Obstacle.LINK_REFUSED: A_(
        "Stripe refused the payment link. Choose another price, or save again."
    ),
}
NOTICES = {
    "created": A_("Product created."),
    "saved": N_("Saved."),
    "set-up": A_("Welcome. Your site is set up; the next steps are below."),
    "steps-hidden": A_(
        "Hidden. You find the first steps by the search, and on the go-live checklist."
    ),
    "event-arrived": A_("The test event has arrived."),
    "mail-server-saved": A_("The test email was accepted, and the mail server is saved."),
    "mail-tested": A_("The test email was accepted. See whether it arrives."),
    "mail-server-removed": A_("Mail server removed. Emails stay in the outbox."),
    "deleted": A_("Deleted."),
    "labelled": A_("Labels saved."),
    "linked": A_("Link saved. The import has started."),
    "unlinked": A_("Link removed."),
    "granted": A_("Access granted."),
    "decided": A_("Decision saved."),
    "invited-back": A_("The emails are on their way."),
    "promotion": A_("The code was created in Stripe. Nobody has been written to yet."),
    "reminded": A_("The email is on its way."),
    "second-allowed": A_("Noted. This subscription isn't reported any more."),
    "gifts": A_("Access granted."),
    "lifted": A_("Hold lifted."),
    "created-collection": A_("Collection created. Now choose its products."),
    "collection-sold": A_("Whoever has this product has the collection now."),
    "collection-unsold": A_("The product doesn't open this collection any more."),
    "merged": A_("The two users have been merged."),
    "merge-asked": A_("We've sent an email. The two are merged once the owner agrees."),
    "unmerged": A_(
        "Merge undone. They can sign in with an emailed link and then choose a password."
    ),
    "claim-sent": N_("We've sent a link to that address. Open it here, where you're signed in."),
    "claimed": N_("Everything bought with that address is now in your account."),
    "policy-saved": A_("Policy saved. It is now being applied to everyone."),
    "ended": A_("Access ended. Billing in Stripe hasn't been stopped."),
    "checked": A_("Connection checked."),
    "disconnected": A_("Stripe disconnected. Access that was already granted stays."),
    "revoked": A_("Token revoked."),
    "secret-revoked": A_("Secret revoked. It isn't accepted any more."),
    "site-disconnected": N_("Disconnected. That site was signed out, and has to ask you again."),
    "community-syncs": N_("Saved. Everybody affected is being checked."),
    "community-paused": A_("Paused. Nobody gets or loses anything there until you resume it."),
    "community-resumed": A_("Resumed. Everybody is being looked at."),
    "community-leaves": A_("Roles are being taken back. Then the community goes."),
    "community-joined": N_("Connected. What you get there follows in a moment."),
    "community-left": N_("Disconnected. What you got there is being taken away."),
    "webhook-added": A_("Endpoint added. Send a test event to see whether it works."),
    "webhook-paused": A_("Paused. What happens is kept and sent once you resume it."),
    "webhook-resumed": A_("Resumed. What waited is sent now."),
    "webhook-sent": A_("It is being sent. Reload this page to see what came of it."),
    "webhook-replayed": A_("Everything since then is being sent again."),
    "import-removed": A_("Import removed. Nothing was changed."),
    "import-undo-stale": A_(
        "Something has changed since the preview. This is what it comes to now."
    ),
    "import-elsewhere": A_("The import had already gone on. This is where it stands."),
    "invited": A_("Invitation sent."),
    "link-mailed": A_("Sign-in link sent."),
    "acting-over": A_("You're viewing the site as yourself again."),
    "erased": A_("User erased. Amounts and dates are kept, without any personal data."),
    "resent": A_("Sent again."),
    "ignored": A_("Event ignored. You can resend it at any time."),
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
    "factors-removed": A_("Second factors removed. They have been told by email."),
    "factor-removed": N_("Removed. You've been signed out everywhere else."),
    "session-ended": N_("Session ended. Whoever was using it has to sign in again."),
    "signed-out-there": A_("They are signed out there."),
}
SOURCES: dict[str, str] = {
    GrantSource.SUBSCRIPTION: A_("Subscription"),
    GrantSource.ORDER: A_("Purchase"),
    GrantSource.MANUAL: A_("Complimentary"),
    GrantSource.COLLECTION: A_("Collection"),
    GrantSource.PRODUCT: A_("Another product"),
}
SUBSCRIPTION_PHASES: dict[str, str] = {
    SubscriptionPhase.ACTIVE: A_("Active"),
    SubscriptionPhase.TRIALING: A_("On trial"),
    SubscriptionPhase.ENDING: A_("Cancelled, still running"),
    SubscriptionPhase.PAYMENT_PROBLEM: A_("Payment problem"),
    SubscriptionPhase.PAUSED: A_("Paused"),
    SubscriptionPhase.INCOMPLETE: A_("First payment missing"),
    SubscriptionPhase.ENDED: A_("Ended"),
    SubscriptionPhase.OTHER: A_("Unknown status"),
}
RISKS: dict[str, str] = {
    Risk.GRACE: A_("Payment failed, still has access"),
    Risk.PAST_DUE: A_("Payment failed, no access"),
    Risk.CARD: A_("Card expires before the next bill"),
    Risk.ENDING: A_("Cancelled, still running"),
    Risk.DISPUTED: A_("Payment disputed"),
}
WHY_CANCELLED: dict[str, str] = {
    CancelReason.TOO_EXPENSIVE: A_("Too expensive"),
    CancelReason.MISSING_FEATURES: A_("Something is missing"),
    CancelReason.SWITCHED_SERVICE: A_("Switched to something else"),
    CancelReason.UNUSED: A_("Doesn't use it enough"),
    CancelReason.CUSTOMER_SERVICE: A_("Not satisfied with the support"),
    CancelReason.TOO_COMPLEX: A_("Too complex"),
    CancelReason.LOW_QUALITY: A_("Not good enough"),
    CancelReason.OTHER: A_("Another reason"),
    CancelReason.PAYMENT_FAILED: A_("Ended by Stripe: payment failed"),
    CancelReason.PAYMENT_DISPUTED: A_("Ended by Stripe: payment disputed"),
    CancelReason.NO_ANSWER: A_("No answer"),
}
NOT_INVITED: dict[str, str] = {
    NotInvited.NOBODY: A_("Nobody is known to write to"),
    NotInvited.RUNNING: A_("Their subscription is still running"),
    NotInvited.BACK: A_("They have subscribed again"),
    NotInvited.OFF: A_("They have turned these emails off"),
    NotInvited.RECENT: A_("They were invited within 30 days"),
    NotInvited.UNSOLD: A_("The product isn't sold here, or takes no codes"),
    NotInvited.TWICE: A_("They are in this list already"),
}
CUSTOMER_STATES: dict[str, str] = {
    CustomerState.KNOWN: A_("With a user"),
    CustomerState.UNKNOWN: A_("Without a user"),
    CustomerState.DELETED: A_("Deleted in Stripe"),
}
LINK_STATES = {
    "importing": A_("Importing"),
    "listening": A_("In sync"),
    "failed": A_("Import failed"),
}
EVENT_STATES = {
    "waiting": A_("Waiting"),
    "relayed": A_("Processing"),
    "handled": A_("Handled"),
    "ignored": A_("Ignored"),
    "failed": A_("Failed"),
}
EMAIL_STATES = {
    "queued": A_("Queued"),
    "sending": A_("Sending"),
    "sent": A_("Sent"),
    "failed": A_("Failed"),
    "suppressed": A_("Not sent"),
}
COMPARISON_STATES = {
    "queued": A_("Queued"),
    "running": A_("Running"),
    "done": A_("Done"),
    "failed": A_("Failed"),
}
DIFFERENCE_STATES = {
    "open": A_("Open"),
    "chosen": A_("Selected for repair"),
    "repaired": A_("Repaired"),
    "failed": A_("Not repaired"),
}
SEVERITIES: dict[str, str] = {
    Severity.SAFE: A_("Safe to repair"),
    Severity.MANUAL: A_("Needs a decision"),
    Severity.FOREIGN: A_("Not ours"),
}
DIFFERENCE_KINDS: dict[str, str] = {
    Kind.ACCESS_MISSING: A_("Access is missing"),
    Kind.ACCESS_LEFT: A_("Access should have ended"),
    Kind.UNTIL_DIFFERS: A_("The end differs"),
    Kind.MIRROR_DIFFERS: A_("The stored copy differs"),
    Kind.NOBODY: A_("No user to give access to"),
    Kind.GONE: A_("Gone from Stripe"),
    Kind.OTHER_ACCOUNT: A_("From another Stripe account"),
    Kind.ACCESS_AFTER_END: A_("Access after its end"),
    Kind.PAID_WITHOUT_ACCESS: A_("Paid without access"),
    Kind.WORKFLOW_MISSING: A_("No workflow"),
    Kind.WORKFLOW_STUCK: A_("Workflow stuck"),
    Kind.TIMER_MISSING: A_("No timer"),
}


SIGNED_IN = {
    "password": N_("Signed in with a password"),
    "link": N_("Signed in with an emailed link"),
    "passkey": N_("Signed in with a passkey"),
    "app": N_("Signed in with a code"),
    "recovery_code": N_("Signed in with a recovery code"),
    "admin": N_("Signed in by an admin"),
}

SPOKEN_IDS = (
    *(A_("Owner"), A_("Admin"), A_("Support"), A_("Member"), A_("Web"), A_("Worker"), A_("Relay")),
    *(A_("Open"), A_("Accepted"), A_("Dismissed"), A_("Settled"), A_("Active"), A_("Ended")),
    *(A_("Received"), A_("Missing"), A_("Caught up"), A_("None sent"), A_("None yet")),
    *(A_("Connected"), A_("Disconnected"), A_("Checking"), A_("Name"), A_("Status"), A_("Price")),
    *(A_("Signature"), A_("Timestamp"), A_("Mode"), A_("Account"), A_("Description"), A_("Slug")),
    A_("Not seen"),
)
"""Ids that `plain` says, among others."""


def plain(name: str) -> str:
    """An id as words, where there is no label for it."""
    return _(name.replace("_", " ").capitalize())


def inside(text: str) -> str:
    """A text within a sentence: in English it starts small, in German a noun stays as it is."""
    said = str(text)
    return said[:1].lower() + said[1:] if current() is ENGLISH else said


def upfirst(text: str) -> str:
    """A text as the start of a sentence."""
    said = str(text)
    return said[:1].upper() + said[1:]


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
            return A_("when the site was set up")
        case ActivityType.OWNER_RECOVERED:
            return A_("on the server")
        case ActivityType.SUBSCRIPTION_CANCELLED | ActivityType.CANCELLATION_WITHDRAWN:
            return CANCELLED_IN.get(line.data.get("place"), cause(line.cause))
    if line.cause == Cause.CUSTOMER and line.type in _OWN_ACCOUNT:
        return A_("by the user")
    return cause(line.cause)


def line_due(line: Any) -> Markup:
    """When what a line is about was due, or happened in Stripe; empty if that was just before it
    happened here."""
    if not late(line.at, line.due_at):
        return Markup("")
    said = A_("It was due on") if line.type == ActivityType.ACCESS_ENDED else A_("In Stripe on")
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


def grant(entry: Any) -> str:
    """What a grant comes from, and whether it has ended or will."""
    name = source(entry.source)
    if entry.ended_at is not None or (entry.until and entry.until <= datetime.now(UTC)):
        return A_("%(name)s, ended", name=name)
    return A_("%(name)s, with an end date", name=name) if entry.until else name


def why_cancelled(reason: str) -> str:
    """Why a subscription was cancelled, in words; Stripe's own for reasons that it added later."""
    return WHY_CANCELLED.get(reason) or plain(reason)
