"""Money: cards, payment intents, charges, refunds, disputes."""

from dataclasses import dataclass

from sandbox.shop import Shop, StripeFault, invalid, snapshot
from sandbox.world import Json


@dataclass(frozen=True)
class Card:
    """How a test card behaves; `decline` is the decline code of its charges."""

    brand: str
    last4: str
    decline: str | None = None
    attachable: bool = True
    needs_authentication: bool = False
    delayed: bool = False
    never_arrives: bool = False


CARDS = {
    "4242424242424242": Card("visa", "4242"),
    "5555555555554444": Card("mastercard", "4444"),
    "4000000000000002": Card("visa", "0002", decline="generic_decline", attachable=False),
    "4000000000000341": Card("visa", "0341", decline="generic_decline"),
    "4000000000009995": Card("visa", "9995", decline="insufficient_funds", attachable=False),
    "4000002760003184": Card("visa", "3184", needs_authentication=True),
    "4000002500003155": Card("visa", "3155", needs_authentication=True),
}
DELAYED = Card("sepa", "3000", delayed=True)
NEVER_ARRIVES = Card("sepa", "3202", delayed=True, never_arrives=True)
FAILING_ACCOUNTS = {
    "AT861904300235473202",
    "AT591904300235473203",
    "IT60X0542811101000000123456",
    "000111111113",
    "000111111116",
    "000222222227",
}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "tok_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "tok_mastercard": "5555555555554444",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "tok_chargeDeclined": "4000000000000002",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "tok_chargeCustomerFail": "4000000000000341",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_threeDSecure2Required": "4000002760003184",
    "pm_card_authenticationRequired": "4000002500003155",
    "pm_card_createDispute": "4242424242424242",
    "tok_createDispute": "4242424242424242",
    "pm_card_createDisputeInquiry": "4242424242424242",
}
MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def payment_method(shop: Shop, given: str, *, billing: Json | None = None) -> Json:
    """A payment method from a magic id, a token or a card number, or one that exists."""
    found = shop.world.table("payment_method").get(given)
    if found is not None:
        return found
    number = TOKENS.get(given, given.replace(" ", ""))
    if given == "sepa_debit":
        card = DELAYED
    elif given in FAILING_ACCOUNTS:
        card = NEVER_ARRIVES
    elif number in CARDS:
        card = CARDS[number]
    else:
        raise StripeFault(404, f"No such PaymentMethod: '{given}'", code="resource_missing")
    return _new_method(shop, card, billing, disputes="createDispute" in given)


def _new_method(shop: Shop, card: Card, billing: Json | None, *, disputes: bool) -> Json:
    made = shop.world.make("payment_method", "pm", type="sepa_debit" if card.delayed else "card")
    made["billing_details"] = {
        "address": {
            key: None for key in ("city", "country", "line1", "line2", "postal_code", "state")
        },
        "email": (billing or {}).get("email"),
        "name": (billing or {}).get("name"),
        "phone": None,
        "tax_id": None,
    }
    made["customer"] = None
    if not card.delayed:
        made["card"] = _card_details(shop, card)
    shop.world.keep(made["id"], card=card.__dict__, disputes=disputes)
    return shop.save(made)


def _card_details(shop: Shop, card: Card) -> Json:
    schema = shop.world.published.resolve(shop.world.published.object_schema("payment_method"))
    details: Json = shop.world.blanks.part(schema.get("else", schema)["properties"]["card"])
    details.update(
        brand=card.brand,
        last4=card.last4,
        exp_month=12,
        exp_year=2034,
        country="US",
        funding="credit",
        fingerprint=f"fp{card.last4}",
        display_brand=card.brand,
    )
    return details


def card_of(shop: Shop, method: Json) -> Card:
    return Card(**shop.world.private[method["id"]]["card"])


def attach(shop: Shop, method: Json, customer: Json) -> Json:
    """Attach a payment method. Raises a card error where the card is declined on sight."""
    card = card_of(shop, method)
    if card.decline and not card.attachable:
        raise declined(card.decline)
    method["customer"] = customer["id"]
    return shop.save(method, "payment_method.attached")


def declined(code: str, *, intent: Json | None = None, charge: str | None = None) -> StripeFault:
    """Stripe's 402."""
    extra: Json = {}
    if charge:
        extra["charge"] = charge
    if intent:
        extra["payment_intent"] = intent
    stripe_code = (
        "authentication_required" if code == "authentication_required" else "card_declined"
    )
    return StripeFault(
        402, MESSAGES[code], code=stripe_code, kind="card_error", decline_code=code, extra=extra
    )


def new_intent(
    shop: Shop,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    method: Json | None,
    metadata: Json | None = None,
    description: str | None = None,
) -> Json:
    intent = shop.world.make(
        "payment_intent",
        "pi",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        capture_method="automatic",
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        description=description,
        metadata=metadata or {},
        payment_method=method["id"] if method else None,
        payment_method_types=[method["type"]] if method else ["card"],
        status="requires_confirmation" if method else "requires_payment_method",
    )
    intent["client_secret"] = f"{intent['id']}_secret_{shop.world.new_id('s', 12)}"
    return shop.save(intent, "payment_intent.created")


def confirm(shop: Shop, intent: Json, *, on_session: bool, billing: Json | None = None) -> str:
    """Try to take the money: `succeeded`, `processing`, `requires_action` or a decline code."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    card = card_of(shop, method)
    if card.needs_authentication:
        if on_session:
            return _awaiting(shop, intent, "requires_action", "payment_intent.requires_action")
        return _fail(shop, intent, method, "authentication_required", billing)
    if card.decline:
        return _fail(shop, intent, method, card.decline, billing)
    if card.delayed:
        charge = _charge(shop, intent, method, billing, status="pending")
        intent["latest_charge"] = charge["id"]
        shop.save(charge, "charge.pending")
        at = shop.world.now() + shop.delayed_seconds
        shop.world.schedule("settle_payment", intent["id"], at)
        return _awaiting(shop, intent, "processing", "payment_intent.processing")
    return succeed(shop, intent, billing)


def succeed(shop: Shop, intent: Json, billing: Json | None = None) -> str:
    """The money arrived."""
    method = shop.find("payment_method", intent["payment_method"])
    pending = shop.world.table("charge").get(intent["latest_charge"])
    if pending is not None and pending["status"] == "pending":
        charge = pending
        charge.update(status="succeeded", paid=True, captured=True)
    else:
        charge = _charge(shop, intent, method, billing, status="succeeded")
    charge.update(amount_captured=charge["amount"])
    shop.save(charge, "charge.succeeded")
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )
    shop.save(intent, "payment_intent.succeeded")
    if shop.world.private.get(method["id"], {}).get("disputes"):
        open_dispute(shop, charge)
    return "succeeded"


def fail_pending(shop: Shop, intent: Json) -> None:
    """A delayed payment did not arrive."""
    charge = shop.find("charge", intent["latest_charge"])
    charge.update(status="failed", paid=False, failure_code="charge_failed")
    shop.save(charge, "charge.failed")
    intent.update(status="requires_payment_method")
    shop.save(intent, "payment_intent.payment_failed")


def _awaiting(shop: Shop, intent: Json, status: str, event: str) -> str:
    intent["status"] = status
    shop.save(intent, event)
    return status


def _fail(shop: Shop, intent: Json, method: Json, code: str, billing: Json | None) -> str:
    charge = _charge(shop, intent, method, billing, status="failed")
    charge.update(failure_code="card_declined", failure_message=MESSAGES[code])
    shop.save(charge, "charge.failed")
    intent.update(status="requires_payment_method", latest_charge=charge["id"])
    shop.save(intent, "payment_intent.payment_failed")
    return code


def _charge(shop: Shop, intent: Json, method: Json, billing: Json | None, *, status: str) -> Json:
    charge = shop.world.make(
        "charge",
        "ch",
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        status=status,
        paid=status == "succeeded",
        captured=status == "succeeded",
        disputed=False,
        refunded=False,
        receipt_url=f"{shop.world.base_url}/receipts/{intent['id']}",
    )
    charge["billing_details"] = {
        **charge["billing_details"],
        "email": (billing or {}).get("email") or method["billing_details"]["email"],
        "name": (billing or {}).get("name") or method["billing_details"]["name"],
    }
    return charge


def refund(shop: Shop, charge: Json, *, amount: int | None, reason: str | None = None) -> Json:
    """Give money back, all that is left unless `amount` (minor unit) says less."""
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"] or charge["status"] != "succeeded":
        raise invalid("Charge has not been paid and can't be refunded.", param="charge")
    if left <= 0:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = left if amount is None else amount
    if amount > left or amount <= 0:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
        )
    with shop.row():
        made = shop.world.make(
            "refund",
            "re",
            amount=amount,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            reason=reason,
            status="succeeded",
        )
        for key in ("customer", "payment_method"):
            if key in made:
                made[key] = charge[key]
        shop.save(made, "refund.created")
        before = snapshot(charge)
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        shop.save(charge, "charge.refunded", before)
    return made


def fail_refund(shop: Shop, refunded: Json) -> Json:
    """The money came back: the refund didn't work after all."""
    charge = shop.find("charge", refunded["charge"])
    with shop.row():
        before = snapshot(refunded)
        refunded.update(status="failed", failure_reason="lost_or_stolen_card")
        shop.save(refunded, "refund.updated", before)
        shop.emit("refund.failed", refunded)
        charge["amount_refunded"] -= refunded["amount"]
        charge["refunded"] = False
        shop.save(charge)
    return refunded


def open_dispute(shop: Shop, charge: Json) -> Json:
    with shop.row():
        made = shop.world.make(
            "dispute",
            "du",
            amount=charge["amount"],
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            reason="fraudulent",
            status="needs_response",
            is_charge_refundable=False,
        )
        shop.save(made, "charge.dispute.created")
        charge["disputed"] = True
        shop.save(charge)
    return made


def close_dispute(shop: Shop, dispute: Json, outcome: str) -> Json:
    """`won` or `lost`."""
    dispute["status"] = outcome
    return shop.save(dispute, "charge.dispute.closed")
