"""What the pages call things: activity types, causes, states, notices."""

from datetime import UTC, datetime
from typing import Any

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
    "email_changed": "Address changed",
    "manual_grant": "Granted by hand",
    "signed_in": "Signed in",
    "mail_sent": "Mail sent",
    "signed_in_as": "An admin signed in as them",
    "signed_out_as": "The admin stopped being signed in as them",
    "user_erased": "User erased",
    "user_exported": "Data exported",
    "hold_lifted": "Hold lifted",
    "policy_changed": "Access policy changed",
    "refund_failed": "Refund failed",
    "unknown_status": "Unknown state in Stripe",
    "users_merged": "Users merged",
    "merge_undone": "Merge taken back",
    "purchase_claimed": "Purchase claimed",
    "role_changed": "Role changed",
    "repaired": "Repaired by a comparison",
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
    "import": "by the import",
    "timer": "at the set time",
    "policy": "by the access policy",
    "reconciliation": "by reconciliation",
}
REASONS = {
    "running": "The subscription is running",
    "paid": "It is paid",
    "trial": "In a trial",
    "past_due_in_grace": "A payment failed; in its days of grace",
    "canceled": "The subscription was cancelled",
    "scheduled_end": "The cancelled subscription reached its end",
    "past_due_grace_over": "A payment failed and its days of grace are over",
    "excluded_by_policy": "The access policy excludes this state",
    "never_paid": "It was never paid",
    "item_removed": "The subscription no longer holds the product",
    "payment_pending": "The payment is pending",
    "payment_failed": "The payment failed",
    "not_completed": "The checkout wasn't completed",
    "refunded": "It was refunded",
    "dispute_lost": "A dispute was lost",
    "disputed": "The payment is disputed",
    "link_removed": "The product link was removed",
    "user_erased": "The person was erased",
    "until_reached": "The end that was set is reached",
    "ended_by_hand": "An admin ended it",
    "complimentary": "Complimentary",
    "unknown_status": "Stripe reports a state that Latchkey doesn't know",
    "merged": "Two users were made one",
    "collection_changed": "The collection no longer holds the product",
}
NOTICES = {
    "created": "The product is created.",
    "saved": "Saved.",
    "deleted": "Deleted.",
    "linked": "The link is saved; the import has begun.",
    "unlinked": "The link is removed.",
    "granted": "Access is granted.",
    "decided": "Decided.",
    "gifts": "Done.",
    "lifted": "The hold is lifted.",
    "created-collection": "The collection is made. Choose its products.",
    "merged": "The two users are one now.",
    "unmerged": "The merge is taken back. They sign in by mail and can choose a password then.",
    "claim-sent": "A link is on its way to that address. Open it here, where you are signed in.",
    "claimed": "What was bought with that address is in your account now.",
    "policy-saved": "The policy is saved and on its way to everybody.",
    "ended": "Access has ended. This did not stop any billing in Stripe.",
    "checked": "The connection was checked.",
    "disconnected": "Stripe is disconnected. Access already granted stays.",
    "revoked": "The token is revoked.",
    "users-imported": "The users are imported. Nobody was mailed.",
    "invited": "They are invited: a mail with a link is on its way.",
    "link-mailed": "A link that signs in is on its way to them.",
    "acting-over": "You see the site as yourself again.",
    "erased": "The person is erased. Amounts and dates were kept, without them.",
    "resent": "It is on its way again.",
    "ignored": "It is put away. A resend takes it up again.",
    "link-sent": "If that address is known here, a sign-in link is on its way to it.",
    "signed-out": "You are signed out.",
    "recovery-sent": "If that address is known here, a link for a new password is on its way.",
    "owned": "This is yours already: there is nothing to pay.",
    "billing-changed": "Stripe has your change. It shows here within a moment.",
    "change-sent": "A link is on its way to the new address. Nothing changes until it is followed.",
    "email-changed": "Your address is changed. Sign in with the new one from now on.",
    "password-set": "Your password is set. All your other sessions have ended.",
    "session-ended": "Ended. Whoever used it has to sign in again.",
}
_SOURCES = {"subscription": "subscription", "order": "purchase", "manual": "complimentary"}


def activity(type_: str) -> str:
    return ACTIVITY_TYPES.get(type_, type_.replace("_", " ").capitalize())


def line_icon(type_: str) -> tuple[str, str]:
    """The icon of an activity type and its tone."""
    return ICONS.get(type_, ("person", ""))


def cause(name: str) -> str:
    return CAUSES.get(name, name)


def reason(name: str | None) -> str:
    return REASONS.get(name or "", (name or "").replace("_", " ").capitalize())


def browser(agent: str) -> str:
    """A browser and its system in two words, from what it calls itself."""
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
        f"{done.get('subscriptions', 0)} subscriptions and {done.get('orders', 0)} orders read,"
        f" {done.get('granted', 0)} people granted access"
    )
    match link.state:
        case "importing":
            waits = f". It waits: {link.error}" if link.error else ""
            return f"Importing: {counts} so far{waits}"
        case "listening":
            return f"Listening. Imported: {counts}"
        case "failed":
            return f"The import failed: {link.error or 'no reason known'}"
    return str(link.state).capitalize()


def grant(entry: Any) -> str:
    """What a grant comes from and how it stands."""
    source = _SOURCES.get(entry.source, entry.source).capitalize()
    if entry.ended_at is not None or (entry.until and entry.until <= datetime.now(UTC)):
        return f"{source}, ended"
    return f"{source}, with an end" if entry.until else source
