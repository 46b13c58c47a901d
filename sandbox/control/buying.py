"""Control: what buyers do."""

from sandbox import checkout, settling
from sandbox.buying import Buyer, pay
from sandbox.control.registry import Order, control
from sandbox.world import Json


def buyer(given: Json) -> Buyer:
    """The buyer that a page or a test describes."""
    return Buyer(
        email=given["email"],
        name=given.get("name") or given["email"].split("@")[0].title(),
        pay_with=given.get("card") or "4242424242424242",
        promotion_code=given.get("promotion_code") or None,
        authenticated=bool(given.get("authenticated")),
    )


@control("POST", "/checkout/{id}/pay")
def pay_session(order: Order) -> Json:
    """Pay a checkout session as a person would: `email`, and if wanted `name`, `card` (number or
    magic id), `promotion_code`, `authenticated`. Answers `outcome` (`complete`, `requires_action`
    or a decline code) and `session`."""
    session = order.find("checkout.session")
    return {"outcome": pay(order.shop, session, buyer(order.given)), "session": session}


@control("POST", "/checkout/{id}/settle")
def settle_session(order: Order) -> Json:
    """Decide a delayed payment of a session: `outcome` `succeeded` or `failed`."""
    session = order.find("checkout.session")
    settling.settle_session(order.shop, session, order.given.get("outcome", "succeeded"))
    return {"session": session}


@control("POST", "/payment_links/{id}/open")
def open_link(order: Order) -> Json:
    """Visit a payment link, with `reference` (client_reference_id) and `email` as its address would
    carry them: answers the session."""
    link = order.find("payment_link")
    given = order.given
    return checkout.open_link(
        order.shop, link, reference=given.get("reference"), email=given.get("email")
    )
