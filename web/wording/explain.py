"""Access explained: why somebody has it or not, when and why it ends, and where to look next."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from latchkey.languages import A_, _, ngettext
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.access.grants import Grant
from latchkey.store.access.why import ExplainedSource, Explanation
from latchkey.store.products.products import Product
from web.site import Site
from web.wording import labels
from web.wording.labels import inside
from web.wording.stripe_dashboard import dashboard_address
from web.wording.times import late

WAKES = (
    A_("access ends"),
    A_("grace for the failed payment ends"),
    A_("trial ends"),
    A_("renewal is due: look again"),
    A_("payment is pending: look again"),
    A_("paused collection resumes"),
    A_("it could not be read: try again"),
)
"""What wakes a workflow, as `Wake.words` has it."""


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
        return _("Anyone can open this product, with or without a grant")
    if product.access_mode == "signed_in":
        return _("Anyone who is signed in can open this product")
    live = [link for link in chain.links if link.grant and link.grant.state != "ended"]
    if access:
        ends = _("Access until %(day)s", day=_day(until)) if until else _("Access with no end date")
        if len(live) == 1:
            return ends
        return ngettext(
            "%(ends)s, from %(count)s grant",
            "%(ends)s, from %(count)s grants",
            len(live),
            ends=ends,
        )
    ended = [link for link in chain.links if link.grant]
    if ended:
        return _("No access: %(why)s", why=inside(ending(ended[0])))
    if chain.links:
        return _("No access: %(why)s", why=inside(_without_grant(chain.links[0])))
    if not chain.stripe_products:
        return _("No access: none was granted, and the product isn't linked to a Stripe product")
    return _(
        "No access: no purchase is known. This person has no subscription or order"
        " for the linked Stripe product, and nobody granted access manually"
    )


def ending(link: ExplainedSource) -> str:
    """When and why access from one source ends or ended, or why it was never given."""
    grant, stripe_object = link.grant, link.stripe_object or {}
    if grant is None:
        return _without_grant(link)
    if grant.state == "ended":
        at = grant.ended_at or grant.until
        why = inside(labels.reason(grant.end_reason or "until_reached"))
        if late(at, grant.due_at):
            return _(
                "Ended on %(day)s: %(why)s. It was due on %(due)s",
                day=_day(at),
                why=why,
                due=_day(grant.due_at),
            )
        return _("Ended on %(day)s: %(why)s", day=_day(at), why=why)
    match grant.source:
        case GrantSource.SUBSCRIPTION:
            return _subscription(grant, stripe_object)
        case GrantSource.ORDER if grant.until is None:
            return _(
                "One-time purchase: only a refund or dispute ends it, as the access policy says"
            )
        case GrantSource.COLLECTION:
            return _("Lasts as long as access to its collection")
        case GrantSource.PRODUCT:
            lasts = _("Lasts as long as access to %(name)s, which opens it", name=link.opened_by)
            return lasts + _(": until %(day)s", day=_day(grant.until)) if grant.until else lasts
    if grant.until:
        return _("Ends on %(day)s, as set when it was granted", day=_day(grant.until))
    return _("No end date: it lasts until somebody ends it")


def _subscription(grant: Grant, read: dict[str, Any]) -> str:
    until, status = grant.until, read.get("status")
    if until and status in ("past_due", "unpaid"):
        return _(
            "Ends on %(day)s: a payment failed, and the grace period ends then. It"
            " continues if the payment succeeds",
            day=_day(until),
        )
    if until:
        return _("Ends on %(day)s: the subscription is set to cancel then", day=_day(until))
    if status == "trialing" and read.get("trial_end"):
        return _(
            "On trial until %(day)s, then for as long as it is paid", day=_day(read["trial_end"])
        )
    resumes = read.get("resumes_at")
    if read.get("collection_paused") and (resumes is None or resumes > datetime.now(UTC)):
        if resumes:
            return _("Lasts although billing is paused until %(day)s", day=_day(resumes))
        return _("Lasts although billing is paused")
    if read.get("period_end"):
        return _(
            "Lasts while it is paid; the next payment is due on %(day)s",
            day=_day(read["period_end"]),
        )
    return _("Lasts while it is paid")


def _without_grant(link: ExplainedSource) -> str:
    stripe_object = link.stripe_object or {}
    if stripe_object.get("object") == "subscription":
        state = (stripe_object.get("state") or "it gives no access").removesuffix(".")
        status = _plain(stripe_object["status"])
        return _(
            "Subscription %(id)s is %(status)s: %(why)s",
            id=stripe_object["id"],
            status=status,
            why=inside(state),
        )
    state = _plain(stripe_object.get("money_state", "unknown"))
    return _(
        "Purchase %(id)s gave no access: its payment is %(state)s",
        id=stripe_object.get("id", ""),
        state=state,
    )


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _day(moment: datetime | None) -> str:
    if moment is None:
        return _("an unknown date")
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"
