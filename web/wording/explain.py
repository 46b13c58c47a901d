"""Access in words: why there is some or none, when and why it ends, and where to look further."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from latchkey.store.access.grants import Grant
from latchkey.store.access.why import ExplainedSource, Explanation
from latchkey.store.products.products import Product
from web.site import Site
from web.wording import labels
from web.wording.stripe_dashboard import dashboard_address


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
        return "Everybody may open this product, also without access of their own"
    if product.access_mode == "signed_in":
        return "Everybody who is signed in may open this product"
    live = [link for link in chain.links if link.grant and link.grant.state != "ended"]
    if access:
        ends = f"until {_day(until)}" if until else "without a known end"
        count = "" if len(live) == 1 else f" by {len(live)} grants together"
        return f"Access {ends}{count}"
    ended = [link for link in chain.links if link.grant]
    if ended:
        return f"No access: {_lower(ending(ended[0]))}"
    if chain.links:
        return f"No access: {_lower(_without_grant(chain.links[0]))}"
    if not chain.stripe_products:
        return "No access: nobody gave any, and the product is not linked to a Stripe product"
    return (
        "No access: nothing is known of a purchase. No subscription or order of this person holds"
        " the linked Stripe product, and nobody gave access by hand"
    )


def ending(link: ExplainedSource) -> str:
    """When and why the access of one source ends or has ended, or why it never was."""
    grant, found = link.grant, link.stripe_object or {}
    if grant is None:
        return _without_grant(link)
    if grant.state == "ended":
        at = grant.ended_at or grant.until
        return f"Ended on {_day(at)}: {_lower(labels.reason(grant.end_reason or 'until_reached'))}"
    match grant.source:
        case "subscription":
            return _subscription(grant, found)
        case "order" if grant.until is None:
            return "Bought once: it ends only with a refund or a dispute, as the access policy says"
        case "collection":
            return "Lasts as long as the access to its collection"
    if grant.until:
        return f"Ends on {_day(grant.until)}: that end was set with it"
    return "Without end, until somebody ends it"


def _subscription(grant: Grant, found: dict[str, Any]) -> str:
    until, status = grant.until, found.get("status")
    if until and status in ("past_due", "unpaid"):
        return (
            f"Ends on {_day(until)}: a payment failed, and then its days of grace are over."
            " It goes on if the payment succeeds"
        )
    if until:
        return f"Ends on {_day(until)}: the subscription is cancelled for then"
    if status == "trialing" and found.get("trial_end"):
        return f"In a trial until {_day(found['trial_end'])}; after it, as long as it is paid"
    if found.get("period_end"):
        return f"Goes on as long as it is paid; the next bill is due on {_day(found['period_end'])}"
    return "Goes on as long as it is paid"


def _without_grant(link: ExplainedSource) -> str:
    found = link.stripe_object or {}
    if found.get("object") == "subscription":
        said = (found.get("state") or "it gives no access").removesuffix(".")
        return f"Subscription {found['id']} is {_plain(found['status'])}: {_lower(said)}"
    state = _plain(found.get("state", "unknown"))
    return f"The purchase {found.get('id', '')} gave no access: its payment is {state}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _day(moment: datetime | None) -> str:
    if moment is None:
        return "an unknown day"
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"
