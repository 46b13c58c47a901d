"""Checkout sessions."""

from sandbox import buying, checkout, declines, lists
from sandbox.calls.registry import UNPUBLISHED, Call, call, readable
from sandbox.shop import StripeApiError
from sandbox.world import Json

call("POST", "/v1/checkout/sessions")(lambda c: checkout.create(c.shop, c.params))
call("POST", "/v1/checkout/sessions/{}/expire")(
    lambda c: checkout.expire(c.shop, c.find("checkout.session"))
)
readable("checkout.session", "/v1/checkout/sessions")


@call("GET", "/v1/checkout/sessions")
def sessions(c: Call) -> Json:
    fields = ("customer", "payment_intent", "payment_link", "subscription", "status")
    equal = {key: c.params[key] for key in fields if key in c.params}
    email = (c.params.get("customer_details") or {}).get("email")

    def wanted(session: Json) -> bool:
        return not email or (session["customer_details"] or {}).get("email") == email

    return lists.page(
        c.shop, "checkout.session", "/v1/checkout/sessions", c.params, equal=equal, keep=wanted
    )


@call("GET", "/v1/checkout/sessions/{}/line_items")
def lines(c: Call) -> Json:
    session = c.find("checkout.session")
    return lists.slice_of(c.path, checkout.line_items(c.shop, session), c.params)


def _page(c: Call) -> Json:
    """What the hosted page and the Stripe CLI read before paying."""
    session = c.find("checkout.session")
    return {
        "id": session["id"],
        "object": "checkout.session",
        "mode": session["mode"],
        "status": session["status"],
        "currency": session["currency"],
        "total_summary": {"due": session["amount_total"] or 0, "total": session["amount_total"]},
        "line_item_group": {"due": session["amount_total"] or 0},
    }


def _confirm(c: Call) -> Json:
    session = c.find("checkout.session")
    method = c.shop.find("payment_method", c.params.get("payment_method"), param="payment_method")
    customer = c.shop.world.table("customer").get(session["customer"]) or {}
    billing = method["billing_details"]
    buyer = buying.Buyer(
        email=customer.get("email") or session["customer_email"] or billing["email"] or "",
        name=customer.get("name") or billing["name"] or "",
        pay_with=method["id"],
    )
    outcome = buying.pay(c.shop, session, buyer)
    if outcome != "complete":
        if outcome in declines.DECLINES:
            raise declines.fault(outcome)
        raise StripeApiError(402, f"The payment failed: {outcome}", kind="card_error")
    return _page(c)


UNPUBLISHED["GET", r"/v1/payment_pages/([^/]+)"] = _page
UNPUBLISHED["POST", r"/v1/payment_pages/([^/]+)/confirm"] = _confirm
