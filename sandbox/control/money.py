"""Control: what banks do."""

from dataclasses import asdict

from sandbox import cards, disputes, refunds, settling
from sandbox.control.registry import Order, control
from sandbox.shop import invalid
from sandbox.subscriptions import dunning
from sandbox.world import Json


@control("POST", "/payment_methods/{id}")
def change_method(order: Order) -> Json:
    """Have a payment method behave differently from now on: as another `card` (number or magic
    id), or with its `decline` code set or null, for the next `fails` charges only if given."""
    method = order.find("payment_method")
    changes: Json = {key: order.given[key] for key in ("decline", "fails") if key in order.given}
    if name := order.given.get("card"):
        card = cards.behaviour(name)
        if card is None:
            raise invalid(f"There is no test card {name}.", param="card")
        changes = {**asdict(card), "brand": method["type"], "last4": "", **changes}
    if changes.get("decline") and changes["decline"] not in cards.MESSAGES:
        raise invalid(f"A decline code is one of {', '.join(cards.MESSAGES)}.", param="decline")
    return asdict(cards.change_card(order.shop, method, **changes))


@control("POST", "/customers/{id}/card")
def change_customer_card(order: Order) -> Json:
    """Give a customer another default `card` (number or magic id)."""
    customer = order.find("customer")
    method = cards.payment_method(order.shop, order.given.get("card", "pm_card_visa"))
    cards.attach(order.shop, method, customer)
    before = order.shop.world.copy(customer)
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    order.shop.save(customer, "customer.updated", before)
    return method


@control("POST", "/payment_intents/{id}/settle")
def settle_intent(order: Order) -> Json:
    """Decide a payment that is processing or waits for 3-D Secure: `outcome` `succeeded` or
    `failed`."""
    intent = order.find("payment_intent")
    if intent["status"] not in ("processing", "requires_action"):
        raise invalid(f"The payment is {intent['status']}.")
    settling.settle(order.shop, intent, order.given.get("outcome", "succeeded"))
    return intent


@control("POST", "/invoices/{id}/retry")
def retry_invoice(order: Order) -> Json:
    """Make the next automatic attempt to collect an invoice now."""
    bill = order.find("invoice")
    if bill["status"] != "open":
        raise invalid(f"The invoice is {bill['status']}, not open.")
    dunning.attempt(order.shop, bill)
    return bill


@control("POST", "/refunds/{id}/fail")
def fail_refund(order: Order) -> Json:
    """Have a refund come back."""
    return refunds.fail(order.shop, order.find("refund"))


@control("POST", "/refunds/{id}/arrive")
def arrive_refund(order: Order) -> Json:
    """Have a pending refund reach the customer."""
    return refunds.arrive(order.shop, order.find("refund"))


@control("POST", "/charges/{id}/dispute")
def dispute(order: Order) -> Json:
    """Dispute a charge: `status` `needs_response` or `warning_needs_response` (an inquiry),
    `reason`, `amount`."""
    given = order.given
    return disputes.open_dispute(
        order.shop,
        order.find("charge"),
        status=given.get("status", "needs_response"),
        reason=given.get("reason", "fraudulent"),
        amount=given.get("amount"),
    )


@control("POST", "/disputes/{id}/escalate")
def escalate(order: Order) -> Json:
    """Make a dispute of an inquiry."""
    return disputes.escalate(order.shop, order.find("dispute"))


@control("POST", "/disputes/{id}/close")
def close_dispute(order: Order) -> Json:
    """Close a dispute: `outcome` `won`, `lost`, `warning_closed` or `prevented`."""
    found = order.find("dispute")
    return disputes.close(order.shop, found, order.given.get("outcome", "lost"))
