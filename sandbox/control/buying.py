"""Control: what buyers do."""

from sandbox import checkout, settling
from sandbox.buying import Buyer, pay
from sandbox.control.registry import Command, control
from sandbox.world import Json


def buyer(body: Json) -> Buyer:
    """The buyer described by a form or a test."""
    return Buyer(
        email=body["email"],
        name=body.get("name") or body["email"].split("@")[0].title(),
        pay_with=body.get("card") or "4242424242424242",
        promotion_code=body.get("promotion_code") or None,
        authenticated=bool(body.get("authenticated")),
        entered={key: body[key] for key in ENTERED if body.get(key)},
    )


ENTERED = (
    *("fields", "consent", "phone", "address", "shipping", "individual_name", "business_name"),
    *("tax_id", "quantities", "optional", "amount"),
)
"""What else a buyer may enter, by name."""


@control("POST", "/checkout/{id}/pay")
def pay_session(command: Command) -> Json:
    """Pay a checkout session as a person would: `email`, and optionally `name`, `card` (number or
    test id), `promotion_code`, `authenticated`, and whatever the session asks for: `fields` and
    `consent` (by key), `phone`, `address`, `shipping` (`name` and `address`), `individual_name`,
    `business_name`, `tax_id` (`type` and `value`), `quantities` and `optional` (by price),
    `amount`. Returns `outcome` (`complete`, `requires_action` or a decline code) and `session`."""
    session = command.find("checkout.session")
    return {"outcome": pay(command.shop, session, buyer(command.body)), "session": session}


@control("POST", "/checkout/{id}/leave")
def leave_session(command: Command) -> Json:
    """Leave a checkout session without paying: a person enters `email` and perhaps `consent` (by
    key), and goes. The session then expires. Returns `session`."""
    session = command.find("checkout.session")
    checkout.leave(command.shop, session, command.body)
    return {"session": session}


@control("POST", "/checkout/{id}/settle")
def settle_session(command: Command) -> Json:
    """Settle a session's delayed payment: `outcome` is `succeeded` or `failed`."""
    session = command.find("checkout.session")
    settling.settle_session(command.shop, session, command.body.get("outcome", "succeeded"))
    return {"session": session}


@control("POST", "/payment_links/{id}/open")
def open_link(command: Command) -> Json:
    """Visit a payment link, with the `reference` (client_reference_id) and `email` its URL would
    carry. Returns the session."""
    link = command.find("payment_link")
    body = command.body
    return checkout.open_link(
        command.shop, link, reference=body.get("reference"), email=body.get("email")
    )
