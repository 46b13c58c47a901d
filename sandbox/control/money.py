"""Control: what banks do."""

from dataclasses import asdict

from sandbox import cards, declines, disputes, refunds, settling
from sandbox.control.registry import Command, control
from sandbox.shop import invalid
from sandbox.subscriptions import dunning
from sandbox.world import Json


@control("POST", "/payment_methods/{id}")
def change_method(command: Command) -> Json:
    """Change how a payment method behaves from now on: like another `card` (number or test id), or
    with a `decline` code (null for none), optionally only for the next `fails` charges."""
    method = command.find("payment_method")
    changes: Json = {key: command.body[key] for key in ("decline", "fails") if key in command.body}
    if name := command.body.get("card"):
        card = cards.behaviour(name)
        if card is None:
            raise invalid(f"Unknown test card: {name}.", param="card")
        changes = {**asdict(card), "brand": method["type"], "last4": "", **changes}
    if changes.get("decline") and changes["decline"] not in declines.DECLINES:
        raise invalid(
            f"The decline code must be one of {', '.join(declines.DECLINES)}.", param="decline"
        )
    return asdict(cards.change_card(command.shop, method, **changes))


@control("POST", "/payment_methods/{id}/replace")
def replace_card(command: Command) -> Json:
    """Replace a card by its successor, as banks do by themselves: `exp_month`, `exp_year` and
    perhaps `last4`."""
    method = command.find("payment_method")
    if not isinstance(method.get("card"), dict):
        raise invalid("Only a card can be replaced.")
    before = command.shop.world.copy(method)
    changes = {
        name: command.body[name]
        for name in ("exp_month", "exp_year", "last4")
        if name in command.body
    }
    method["card"] = {**method["card"], **changes}
    return command.shop.save(method, "payment_method.automatically_updated", before)


@control("POST", "/customers/{id}/card")
def change_customer_card(command: Command) -> Json:
    """Change a customer's default card: `card` is a number or a test id."""
    customer = command.find("customer")
    method = cards.payment_method(command.shop, command.body.get("card", "pm_card_visa"))
    cards.attach(command.shop, method, customer)
    before = command.shop.world.copy(customer)
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    command.shop.save(customer, "customer.updated", before)
    return method


@control("POST", "/payment_intents/{id}/settle")
def settle_intent(command: Command) -> Json:
    """Settle a payment that is processing or waiting for 3-D Secure: `outcome` is `succeeded` or
    `failed`."""
    intent = command.find("payment_intent")
    if intent["status"] not in ("processing", "requires_action"):
        raise invalid(f"The payment is already {intent['status']}.")
    settling.settle(command.shop, intent, command.body.get("outcome", "succeeded"))
    return intent


@control("POST", "/setup_intents/{id}/settle")
def settle_setup(command: Command) -> Json:
    """Settle a setup that is waiting for 3-D Secure: `outcome` is `succeeded` or `failed`."""
    intent = command.find("setup_intent")
    if intent["status"] != "requires_action":
        raise invalid(f"The setup is {intent['status']}.")
    settling.settle(command.shop, intent, command.body.get("outcome", "succeeded"))
    return intent


@control("POST", "/invoices/{id}/retry")
def retry_invoice(command: Command) -> Json:
    """Attempt to collect an invoice now, ahead of its next automatic attempt."""
    bill = command.find("invoice")
    if bill["status"] != "open":
        raise invalid(f"The invoice is {bill['status']}, not open.")
    dunning.attempt(command.shop, bill)
    return bill


@control("POST", "/refunds/{id}/fail")
def fail_refund(command: Command) -> Json:
    """Make a refund fail: the money comes back."""
    return refunds.fail(command.shop, command.find("refund"))


@control("POST", "/refunds/{id}/arrive")
def arrive_refund(command: Command) -> Json:
    """Make a pending refund succeed."""
    return refunds.arrive(command.shop, command.find("refund"))


@control("POST", "/charges/{id}/dispute")
def dispute(command: Command) -> Json:
    """Dispute a charge: `status` is `needs_response`, or `warning_needs_response` for an inquiry;
    `reason`, `amount`."""
    body = command.body
    return disputes.open_dispute(
        command.shop,
        command.find("charge"),
        status=body.get("status", "needs_response"),
        reason=body.get("reason", "fraudulent"),
        amount=body.get("amount"),
    )


@control("POST", "/disputes/{id}/escalate")
def escalate(command: Command) -> Json:
    """Turn an inquiry into a dispute."""
    return disputes.escalate(command.shop, command.find("dispute"))


@control("POST", "/disputes/{id}/close")
def close_dispute(command: Command) -> Json:
    """Close a dispute: `outcome` is `won`, `lost`, `warning_closed` or `prevented`."""
    contested = command.find("dispute")
    return disputes.close(command.shop, contested, command.body.get("outcome", "lost"))
