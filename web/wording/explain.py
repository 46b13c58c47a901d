"""Access explained: why somebody has it or not, when and why it ends, and where to look next."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.access.grants import Grant
from latchkey.store.access.why import ExplainedSource, Explanation
from latchkey.store.products.products import Product
from web.site import Site
from web.wording import labels
from web.wording.stripe_dashboard import dashboard_address
from web.wording.times import late


def workflow_url(site: Site, workflow_id: str | None) -> str | None:
    """The run in the Temporal UI; None where none is configured."""
    base = site.settings.temporal_ui_url
    if not base or not workflow_id:
        return None
    return f"{base}/namespaces/{site.temporal.namespace}/workflows/{quote(workflow_id, safe='')}"


def stripe_url(site: Site, stripe_object: dict[str, Any] | None) -> str | None:
    """Where Stripe shows the object behind a link of the chain; None where there is none."""
    if stripe_object is None:
        return None
    return dashboard_address(
        site,
        stripe_object["id"],
        livemode=stripe_object["livemode"],
        payment_intent=stripe_object.get("payment_intent"),
    )


def answer(product: Product, chain: Explanation, *, access: bool, until: datetime | None) -> str:
    """One sentence on whether the person may open the product, and why."""
    if product.access_mode == "public":
        return "Anyone can open this product, with or without a grant"
    if product.access_mode == "signed_in":
        return "Anyone who is signed in can open this product"
    live = [link for link in chain.links if link.grant and link.grant.state != "ended"]
    if access:
        ends = f"until {_day(until)}" if until else "with no end date"
        count = "" if len(live) == 1 else f", from {counted(len(live), 'grant')}"
        return f"Access {ends}{count}"
    ended = [link for link in chain.links if link.grant]
    if ended:
        return f"No access: {_lower(ending(ended[0]))}"
    if chain.links:
        return f"No access: {_lower(_without_grant(chain.links[0]))}"
    if not chain.stripe_products:
        return "No access: none was granted, and the product isn't linked to a Stripe product"
    return (
        "No access: no purchase is known. This person has no subscription or order for the linked"
        " Stripe product, and nobody granted access manually"
    )


def ending(link: ExplainedSource) -> str:
    """When and why access from one source ends or ended, or why it was never given."""
    grant, stripe_object = link.grant, link.stripe_object or {}
    if grant is None:
        return _without_grant(link)
    if grant.state == "ended":
        at = grant.ended_at or grant.until
        why = _lower(labels.reason(grant.end_reason or "until_reached"))
        was_due = f" It was due on {_day(grant.due_at)}" if late(at, grant.due_at) else ""
        return f"Ended on {_day(at)}: {why}{'.' if was_due else ''}{was_due}"
    match grant.source:
        case GrantSource.SUBSCRIPTION:
            return _subscription(grant, stripe_object)
        case GrantSource.ORDER if grant.until is None:
            return "One-time purchase: only a refund or dispute ends it, as the access policy says"
        case GrantSource.COLLECTION:
            return "Lasts as long as access to its collection"
    if grant.until:
        return f"Ends on {_day(grant.until)}, as set when it was granted"
    return "No end date: it lasts until somebody ends it"


def _subscription(grant: Grant, read: dict[str, Any]) -> str:
    until, status = grant.until, read.get("status")
    if until and status in ("past_due", "unpaid"):
        return (
            f"Ends on {_day(until)}: a payment failed, and the grace period ends then."
            " It continues if the payment succeeds"
        )
    if until:
        return f"Ends on {_day(until)}: the subscription is set to cancel then"
    if status == "trialing" and read.get("trial_end"):
        return f"On trial until {_day(read['trial_end'])}, then for as long as it is paid"
    resumes = read.get("resumes_at")
    if read.get("collection_paused") and (resumes is None or resumes > datetime.now(UTC)):
        return f"Lasts although billing is paused{f' until {_day(resumes)}' if resumes else ''}"
    if read.get("period_end"):
        return f"Lasts while it is paid; the next payment is due on {_day(read['period_end'])}"
    return "Lasts while it is paid"


def _without_grant(link: ExplainedSource) -> str:
    stripe_object = link.stripe_object or {}
    if stripe_object.get("object") == "subscription":
        state = (stripe_object.get("state") or "it gives no access").removesuffix(".")
        status = _plain(stripe_object["status"])
        return f"Subscription {stripe_object['id']} is {status}: {_lower(state)}"
    state = _plain(stripe_object.get("money_state", "unknown"))
    return f"Purchase {stripe_object.get('id', '')} gave no access: its payment is {state}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _day(moment: datetime | None) -> str:
    if moment is None:
        return "an unknown date"
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"
