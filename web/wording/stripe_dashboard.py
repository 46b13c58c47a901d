"""Where Stripe's Dashboard shows an object, by the object's own mode."""

from urllib.parse import quote

from web.site import Site

_DASHBOARD = "https://dashboard.stripe.com"
_PLACES = {
    "sub": "subscriptions",
    "cus": "customers",
    "prod": "products",
    "in": "invoices",
    "pi": "payments",
    "evt": "events",
    "price": "prices",
}


def dashboard_address(
    site: Site, object_id: str, *, livemode: bool, payment_intent: str | None = None
) -> str:
    """The object's page: in the sandbox where that stands in for Stripe, else in the Dashboard.

    A checkout session has no page of its own: `payment_intent` names the one of its payment, and
    without it the Dashboard's search comes closest.
    """
    if site.settings.sandbox_url:
        return f"{site.settings.sandbox_url}/objects/{quote(object_id, safe='')}"
    base = _DASHBOARD if livemode else f"{_DASHBOARD}/test"
    place = _PLACES.get(object_id.partition("_")[0])
    if place is not None:
        return f"{base}/{place}/{quote(object_id, safe='')}"
    if payment_intent is not None:
        return f"{base}/payments/{quote(payment_intent, safe='')}"
    return f"{base}/search?query={quote(object_id, safe='')}"
