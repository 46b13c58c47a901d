"""What the pages call things: activity types, causes, reasons, states, notices."""

from datetime import UTC, datetime
from typing import Any

from latchkey.mail.letters import KINDS
from latchkey.rules.plurals import counted

ACTIVITY_TYPES = {
    "product_purchased": "Product purchased",
    "subscription_started": "Subscription started",
    "subscription_cancelled": "Subscription cancelled",
    "cancellation_withdrawn": "Cancellation withdrawn",
    "access_granted": "Access granted",
    "access_ended": "Access ended",
    "imported": "Imported",
    "payment_pending": "Payment pending",
    "payment_failed": "Payment failed",
    "payment_recovered": "Payment recovered",
    "refunded": "Refunded",
    "disputed": "Disputed",
    "link_created": "Link created",
    "link_removed": "Link removed",
    "user_created": "User created",
    "email_changed": "Email address changed",
    "manual_grant": "Access granted manually",
    "signed_in": "Signed in",
    "mail_sent": "Email sent",
    "signed_in_as": "Impersonation started",
    "signed_out_as": "Impersonation ended",
    "user_erased": "User erased",
    "user_exported": "Data exported",
    "hold_lifted": "Hold lifted",
    "policy_changed": "Access policy changed",
    "refund_failed": "Refund failed",
    "unknown_status": "Unknown status in Stripe",
    "users_merged": "Users merged",
    "merge_undone": "Merge undone",
    "purchase_claimed": "Purchase claimed",
    "role_changed": "Role changed",
    "repaired": "Repaired by reconciliation",
}
PRESETS = {
    "Everything": (),
    "Purchases": (
        "product_purchased", "payment_pending", "refunded", "refund_failed", "disputed",
    ),
    "Subscriptions": (
        "subscription_started", "subscription_cancelled", "cancellation_withdrawn",
        "payment_failed", "payment_recovered",
    ),
    "Access": ("access_granted", "access_ended", "manual_grant", "imported"),
    "People": ("user_created", "signed_in", "mail_sent"),
    "Admin": (
        "link_created", "link_removed", "manual_grant", "policy_changed", "role_changed",
        "signed_in_as", "signed_out_as", "user_erased", "user_exported",
    ),
}  # fmt: skip
ICONS = {
    "product_purchased": ("money", "good"),
    "subscription_started": ("money", "good"),
    "subscription_cancelled": ("clock", "warn"),
    "cancellation_withdrawn": ("check", "good"),
    "access_granted": ("key", "good"),
    "access_ended": ("cross", ""),
    "manual_grant": ("grant", "good"),
    "payment_failed": ("alert", "bad"),
    "payment_pending": ("clock", "warn"),
    "payment_recovered": ("check", "good"),
    "refunded": ("money", "warn"),
    "refund_failed": ("alert", "warn"),
    "disputed": ("alert", "bad"),
    "imported": ("users", "info"),
    "link_created": ("link", "info"),
    "link_removed": ("link", ""),
    "mail_sent": ("mail", "info"),
    "repaired": ("check", "info"),
    "signed_in_as": ("person", "warn"),
    "signed_out_as": ("person", ""),
    "user_erased": ("cross", "warn"),
}
CAUSES = {
    "customer": "by the customer",
    "admin": "by an admin",
    "stripe": "by Stripe",
    "import": "by an import",
    "timer": "on schedule",
    "policy": "by the access policy",
    "reconciliation": "by reconciliation",
}
REASONS = {
    "running": "The subscription is active",
    "paid": "It is paid for",
    "trial": "On trial",
    "past_due_in_grace": "A payment failed; still in the grace period",
    "canceled": "The subscription was cancelled",
    "scheduled_end": "The cancelled subscription reached its end date",
    "past_due_grace_over": "A payment failed and the grace period is over",
    "excluded_by_policy": "The access policy gives no access in this state",
    "never_paid": "It was never paid for",
    "item_removed": "The subscription no longer includes the product",
    "payment_pending": "The payment is pending",
    "payment_failed": "The payment failed",
    "not_completed": "The checkout wasn't completed",
    "refunded": "It was refunded",
    "dispute_lost": "A dispute was lost",
    "disputed": "The payment is disputed",
    "link_removed": "The product link was removed",
    "user_erased": "The user was erased",
    "until_reached": "The end date was reached",
    "ended_by_hand": "An admin ended it",
    "complimentary": "Complimentary",
    "unknown_status": "Stripe reports a status that Latchkey doesn't know",
    "merged": "Two users were merged",
    "collection_changed": "The collection no longer includes the product",
}
NOTICES = {
    "created": "Product created.",
    "saved": "Saved.",
    "deleted": "Deleted.",
    "linked": "Link saved. The import has started.",
    "unlinked": "Link removed.",
    "granted": "Access granted.",
    "decided": "Decision saved.",
    "gifts": "Access granted.",
    "lifted": "Hold lifted.",
    "created-collection": "Collection created. Now choose its products.",
    "merged": "The two users have been merged.",
    "unmerged": "Merge undone. They can sign in with an emailed link and then choose a password.",
    "claim-sent": "We've sent a link to that address. Open it here, where you're signed in.",
    "claimed": "Everything bought with that address is now in your account.",
    "policy-saved": "Policy saved. It is now being applied to everyone.",
    "ended": "Access ended. Billing in Stripe hasn't been stopped.",
    "checked": "Connection checked.",
    "disconnected": "Stripe disconnected. Access that was already granted stays.",
    "revoked": "Token revoked.",
    "users-imported": "Users imported. No emails were sent.",
    "invited": "Invitation sent.",
    "link-mailed": "Sign-in link sent.",
    "acting-over": "You're viewing the site as yourself again.",
    "erased": "User erased. Amounts and dates are kept, without any personal data.",
    "resent": "Sent again.",
    "ignored": "Event ignored. You can resend it at any time.",
    "link-sent": "If there's an account with that address, a sign-in link is on its way.",
    "signed-out": "You're signed out.",
    "recovery-sent": "If there's an account with that address, a link to set a new password is on"
    " its way.",
    "owned": "You already have access, so there's nothing to pay.",
    "billing-changed": "Stripe has your change. It will show here in a moment.",
    "change-sent": "We've sent a link to the new address. Nothing changes until you open it.",
    "email-changed": "Your email address has changed. Use the new one to sign in from now on.",
    "password-set": "Your password is set. You've been signed out everywhere else.",
    "session-ended": "Session ended. Whoever was using it has to sign in again.",
}
SOURCES = {
    "subscription": "Subscription",
    "order": "Purchase",
    "manual": "Complimentary",
    "collection": "Collection",
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
SEVERITIES = {"safe": "Safe to repair", "person": "Needs a decision", "foreign": "Not ours"}


def plain(name: str) -> str:
    """An id as words, where there is no label for it."""
    return name.replace("_", " ").capitalize()


def upfirst(text: str) -> str:
    """A text as the start of a sentence."""
    return text[:1].upper() + text[1:]


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


def severity(name: str) -> str:
    """What a difference asks for."""
    return SEVERITIES.get(name, plain(name))


def line_icon(type_: str) -> tuple[str, str]:
    """The icon of an activity type and its tone."""
    return ICONS.get(type_, ("person", ""))


def cause(name: str) -> str:
    return CAUSES.get(name, name)


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
    return f"{program} on {system}" if system else program


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
