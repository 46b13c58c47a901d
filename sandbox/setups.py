"""Setup intents: a payment method is saved for later, at once or after a step at the bank."""

from sandbox import cards, declines, methods, payments
from sandbox.shop import Shop
from sandbox.world import Json


def confirm(shop: Shop, intent: Json, *, return_url: str | None) -> None:
    """Save the method of a setup intent; it can be declined, or ask for 3-D Secure first."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.card_of(shop, method)
    if card.decline and not card.attachable:
        methods.note_attempt(shop, intent, method, "failed")
        _fail(shop, intent, method, card.decline)
        raise declines.fault(card.decline, method=shop.world.copy(method))
    if card.needs_authentication:
        methods.note_attempt(shop, intent, method, "requires_action")
        intent.update(
            status="requires_action",
            next_action=payments.step(shop, intent, return_url),
        )
        shop.save(intent, "setup_intent.requires_action")
        return
    succeed(shop, intent)


def succeed(shop: Shop, intent: Json) -> None:
    """The method is saved; a card that asks for authentication once has had it."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    if cards.card_of(shop, method).authenticates == "once":
        cards.change_card(shop, method, needs_authentication=False)
    if intent["customer"]:
        cards.attach(shop, method, shop.find("customer", intent["customer"]))
    methods.note_attempt(shop, intent, method, "succeeded")
    intent.update(status="succeeded", next_action=None, last_setup_error=None)
    shop.save(intent, "setup_intent.succeeded")


def refuse(shop: Shop, intent: Json) -> None:
    """The bank's step failed."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    methods.note_attempt(shop, intent, method, "failed")
    _fail(shop, intent, method, "authentication_required")


def _fail(shop: Shop, intent: Json, method: Json, code: str) -> None:
    intent.update(
        status="requires_payment_method",
        next_action=None,
        payment_method=None,
        last_setup_error=declines.last_error(code, method=shop.world.copy(method)),
    )
    shop.save(intent, "setup_intent.setup_failed")
