"""Money that is held first and taken later: captures, larger holds, and holds that end unused."""

from sandbox.shop import Shop, StripeApiError, invalid, snapshot
from sandbox.transactions import transaction
from sandbox.world import Json


def capture(
    shop: Shop, intent: Json, *, amount: int | None, final: bool = True, details: Json | None = None
) -> Json:
    """Take all of what is held, or an `amount` (minor unit); the rest goes back where this is the
    `final` capture. `details` are set on the intent's charge too. Raises Stripe's 400."""
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "captured", "requires_capture")
    held = intent["amount_capturable"]
    amount = held if amount is None else amount
    if not 0 < amount <= held:
        raise invalid(
            f"The amount to capture ({amount}) must be positive and no greater than the amount"
            f" that can be captured ({held}).",
            param="amount_to_capture",
            code="amount_too_large" if amount > held else "parameter_invalid_integer",
        )
    charge = shop.find("charge", intent["latest_charge"])
    if not final and not _offers(charge, "multicapture"):
        raise invalid(
            "This payment can be captured only once: `final_capture` can't be false.",
            param="final_capture",
        )
    with shop.row():
        before = snapshot(charge)
        charge.update(details or {})
        charge.update(captured=True, amount_captured=charge["amount_captured"] + amount)
        charge["balance_transaction"] = transaction(shop, charge, amount=amount)["id"]
        rest = held - amount
        if final and rest:
            _give_back(shop, charge, rest)
        shop.save(charge, "charge.captured", before)
        intent.update(
            amount_received=intent["amount_received"] + amount,
            amount_capturable=0 if final else rest,
        )
        if final or not rest:
            intent.update(status="succeeded", amount_capturable=0)
            shop.world.schedule("expire_hold", intent["id"], None)
            shop.save(intent, "payment_intent.succeeded")
            _tell_session(shop, intent)
        else:
            shop.save(intent, "payment_intent.amount_capturable_updated")
    return intent


def increase(shop: Shop, intent: Json, amount: int) -> Json:
    """Hold `amount` (minor unit) in all, more than before. Raises Stripe's 400."""
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "incremented", "requires_capture")
    charge = shop.find("charge", intent["latest_charge"])
    if not _offers(charge, "incremental_authorization"):
        raise invalid(
            "This PaymentIntent is not eligible for incremental authorization: create it with"
            " `payment_method_options[card][request_incremental_authorization]=if_available`."
        )
    if amount <= intent["amount"]:
        raise invalid(
            f"The amount must be greater than the amount that is authorized ({intent['amount']}).",
            param="amount",
        )
    with shop.row():
        intent.update(amount=amount, amount_capturable=amount)
        before = snapshot(charge)
        charge["amount"] = amount
        charge["payment_method_details"]["card"]["amount_authorized"] = amount
        shop.save(charge, "charge.updated", before)
        return shop.save(intent, "payment_intent.amount_capturable_updated")


def release(shop: Shop, intent: Json) -> None:
    """Give a hold back: the charge counts as refunded in full, and was never captured."""
    charge = shop.find("charge", intent["latest_charge"])
    before = snapshot(charge)
    _give_back(shop, charge, charge["amount"] - charge["amount_captured"])
    charge["refunded"] = not charge["captured"]
    shop.save(charge, "charge.refunded", before)
    intent["amount_capturable"] = 0
    shop.world.schedule("expire_hold", intent["id"], None)


def expire(shop: Shop, intent: Json) -> None:
    """Due work: nobody captured in time, the bank lets go of the money."""
    if intent["status"] != "requires_capture":
        return
    with shop.row():
        release(shop, intent)
        shop.emit("charge.expired", shop.find("charge", intent["latest_charge"]))
        intent.update(
            status="canceled", canceled_at=shop.world.now(), cancellation_reason="automatic"
        )
        shop.save(intent, "payment_intent.canceled")


def _give_back(shop: Shop, charge: Json, amount: int) -> None:
    """A refund of what was never taken: no balance transaction goes with it."""
    made = shop.world.make(
        "refund",
        "re",
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        status="succeeded",
        customer=charge["customer"],
        payment_method=charge["payment_method"],
        metadata={},
        balance_transaction=None,
    )
    made["destination_details"] = {"card": {"type": "reversal"}, "type": "card"}
    shop.save(made, "refund.created")
    charge["amount_refunded"] += amount


def _offers(charge: Json, feature: str) -> bool:
    card = (charge["payment_method_details"] or {}).get("card") or {}
    return bool((card.get(feature) or {}).get("status") == "available")


def _tell_session(shop: Shop, intent: Json) -> None:
    """The session that made a hold counts as paid once the money is taken; it has no event."""
    rows = shop.world.table("checkout.session").newest_first(
        {"payment_intent": intent["id"]}, before=None, after=None
    )
    for session in rows:
        session["payment_status"] = "paid"
        shop.save(session)


def _unexpected(intent: Json, verb: str, wanted: str) -> StripeApiError:
    return invalid(
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}."
        f" Only a PaymentIntent with one of the following statuses may be {verb}: {wanted}.",
        code="payment_intent_unexpected_state",
    )
