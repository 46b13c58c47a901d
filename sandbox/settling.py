"""Settles payments later: bank debits and 3-D Secure."""

from sandbox import cards, invoices, payments, setups
from sandbox.shop import Shop, invalid
from sandbox.subscriptions import dunning
from sandbox.world import Json

_OPEN = ("processing", "requires_action")


def settle_session(shop: Shop, session: Json, outcome: str) -> None:
    """Settle a checkout session's delayed payment as `succeeded` or `failed`."""
    intent = shop.world.table("payment_intent").get(session["payment_intent"])
    if intent is None and session["invoice"]:
        kept = shop.world.private.get(f"intent/{session['invoice']}", {})
        intent = shop.world.table("payment_intent").get(kept.get("id"))
    if intent is None or intent["status"] != "processing":
        raise invalid("This session doesn't have a payment that is processing.")
    settle(shop, intent, outcome)


def settle(shop: Shop, intent: Json, outcome: str | None = None) -> None:
    """Due work: settle a pending payment with `outcome`, or as its method's behaviour says."""
    if intent["status"] not in _OPEN:
        return
    if intent["object"] == "setup_intent":
        (setups.refuse if outcome == "failed" else setups.succeed)(shop, intent)
        return
    method = shop.world.table("payment_method").get(intent["payment_method"])
    if outcome is None:
        never = method is not None and cards.card_of(shop, method).never_arrives
        outcome = "failed" if never else "succeeded"
    shop.world.schedule("settle_payment", intent["id"], None)
    delayed = intent["status"] == "processing"
    if not delayed and outcome == "succeeded" and intent["confirmation_method"] == "manual":
        shop.world.keep(intent["id"], authenticated=True)
        intent.update(status="requires_confirmation", next_action=None)
        shop.save(intent)
        return
    with shop.row():
        if outcome == "succeeded":
            if payments.succeed(shop, intent) == "succeeded":
                arrived(shop, intent)
        elif delayed:
            payments.fail_pending(shop, intent)
            if bill := _bill(shop, intent):
                dunning.money_failed(shop, bill)
        else:
            payments.refuse(shop, intent)
        if delayed:
            _tell_sessions(shop, intent, outcome)


def arrived(shop: Shop, intent: Json) -> None:
    """A payment intent succeeded: mark its invoice as paid, with all consequences."""
    bill = _bill(shop, intent)
    if bill is not None and bill["status"] == "open":
        invoices.mark_paid(shop, bill, intent=intent)
        dunning.settled(shop, bill)


def _bill(shop: Shop, intent: Json) -> Json | None:
    kept = shop.world.private.get(intent["id"], {})
    return shop.world.table("invoice").get(kept.get("invoice"))


def _tell_sessions(shop: Shop, intent: Json, outcome: str) -> None:
    table = shop.world.table("checkout.session")
    found = list(table.newest_first({"payment_intent": intent["id"]}, before=None, after=None))
    bill = _bill(shop, intent)
    if bill is not None:
        found += table.newest_first({"invoice": bill["id"]}, before=None, after=None)
    for session in found:
        if outcome == "succeeded":
            session["payment_status"] = "paid"
        shop.save(session, f"checkout.session.async_payment_{outcome}")
