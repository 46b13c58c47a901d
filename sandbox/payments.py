"""Money: payment intents and charges."""

from sandbox import bank_transfers, cards, declines, disputes, offers
from sandbox.shop import Shop, snapshot
from sandbox.transactions import is_at_once, transaction
from sandbox.world import Json

ASYNC_SECONDS = 1
"""How long the default capture takes until a charge has its balance transaction (real time)."""
DAY = 86400
HELD_SECONDS = 7 * DAY
"""How long a bank keeps money set aside that nobody captures."""


LATER_FAILURE = {
    "code": "payment_intent_payment_attempt_failed",
    "doc_url": "https://stripe.com/docs/error-codes/payment-intent-payment-attempt-failed",
    "message": "The payment failed.",
}
"""What a payment says whose money didn't arrive after all."""


def new_intent(
    shop: Shop,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    method: Json | None,
    metadata: Json | None = None,
    description: str | None = None,
    capture_method: str = "automatic",
) -> Json:
    """A payment intent, to be confirmed, which offers its method's kind or cards. With
    `automatic_async`, the API's default, a charge doesn't have a balance transaction yet when it
    succeeds."""
    intent = shop.world.make(
        "payment_intent",
        "pi",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        capture_method=capture_method,
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        description=description,
        metadata=metadata or {},
        payment_method=method["id"] if method else None,
        status="requires_confirmation" if method else "requires_payment_method",
    )
    offer(shop, intent, [method["type"] if method else "card"])
    intent["client_secret"] = f"{intent['id']}_secret_{shop.world.new_id('s', 12)}"
    return intent


def offer(shop: Shop, intent: Json, kinds: list[str], *, invoice: bool = False) -> None:
    """Have an intent offer these kinds of payment methods; what it says of one stays."""
    if intent["object"] == "setup_intent":
        options = offers.setup_options(kinds)
    else:
        options = offers.options(shop, kinds, invoice=invoice)
    known = intent["payment_method_options"] or {}
    intent["payment_method_types"] = kinds
    intent["payment_method_options"] = {
        name: known.get(name, option) for name, option in options.items()
    }


def confirm(
    shop: Shop,
    intent: Json,
    *,
    on_session: bool,
    billing: Json | None = None,
    return_url: str | None = None,
) -> str:
    """Try to take the money. Returns `succeeded`, `processing`, `requires_action` or a decline
    code."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.card_of(shop, method)
    if method["type"] == "customer_balance":
        return bank_transfers.wait(shop, intent)
    if method.get("card"):
        method["card"] = cards.checked(method["card"])
    if asks(shop, intent) and not _authenticated(shop, intent):
        if on_session:
            intent["next_action"] = step(shop, intent, return_url)
            return _awaiting(shop, intent, "requires_action", "payment_intent.requires_action")
        return _fail(shop, intent, method, "authentication_required", billing)
    if card.decline and card.fails != 0:
        if card.fails:
            cards.change_card(shop, method, fails=card.fails - 1)
        return _fail(shop, intent, method, card.decline, billing)
    if card.delayed:
        charge = _charge(shop, intent, method, billing, status="pending")
        intent["latest_charge"] = charge["id"]
        shop.save(charge, "charge.pending")
        at = shop.world.now() + shop.settings.delayed_seconds
        shop.world.schedule("settle_payment", intent["id"], at)
        return _awaiting(shop, intent, "processing", "payment_intent.processing")
    return succeed(shop, intent, billing)


def asks(shop: Shop, intent: Json) -> bool:
    """Whether the bank, or the intent where the bank leaves it open, asks for 3-D Secure."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.card_of(shop, method)
    wanted = (intent["payment_method_options"] or {}).get("card") or {}
    optional = card.authenticates == "optional"
    return card.needs_authentication or (
        optional and wanted.get("request_three_d_secure") in ("any", "challenge")
    )


def _authenticated(shop: Shop, intent: Json) -> bool:
    """Whether the buyer did what was asked, and the server has yet to confirm again."""
    return bool(shop.world.private.get(intent["id"], {}).get("authenticated"))


def succeed(shop: Shop, intent: Json, billing: Json | None = None) -> str:
    """The payment succeeded."""
    method = shop.find("payment_method", intent["payment_method"])
    pending = shop.world.table("charge").get(intent["latest_charge"])
    if pending is not None and pending["status"] == "pending":
        charge = pending
        charge.update(status="succeeded", paid=True, captured=True)
    else:
        charge = _charge(shop, intent, method, billing, status="succeeded")
    if intent["capture_method"] == "manual" and method["type"] == "card":
        return _hold(shop, intent, charge)
    _save_method(shop, intent, method)
    charge.update(amount_captured=charge["amount"])
    at_once = intent["capture_method"] != "automatic_async" or is_at_once(shop, charge)
    if at_once:
        charge["balance_transaction"] = transaction(shop, charge)["id"]
    else:
        shop.world.schedule("balance_charge", charge["id"], shop.world.now() + ASYNC_SECONDS)
    shop.save(charge, "charge.succeeded")
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )
    shop.save(intent, "payment_intent.succeeded")
    if dispute := cards.card_of(shop, method).dispute:
        disputes.open_dispute(shop, charge, status=dispute)
    return "succeeded"


def _save_method(shop: Shop, intent: Json, method: Json) -> None:
    """Attach what paid to the customer, where an intent says that it will be used again."""
    wanted = (intent["payment_method_options"] or {}).get(method["type"]) or {}
    usage = wanted.get("setup_future_usage") or intent["setup_future_usage"]
    if usage and usage != "none" and intent["customer"]:
        cards.attach(shop, method, shop.find("customer", intent["customer"]))


def _hold(shop: Shop, intent: Json, charge: Json) -> str:
    """The bank sets the money aside; it is taken later, or let go of after some days."""
    until = shop.world.now() + shop.world.span(HELD_SECONDS)
    charge.update(captured=False)
    wanted = (intent["payment_method_options"] or {}).get("card") or {}
    card = charge["payment_method_details"]["card"]
    card["capture_before"] = until
    for feature in ("incremental_authorization", "multicapture"):
        given = wanted.get(f"request_{feature}") == "if_available"
        card[feature] = {"status": "available" if given else "unavailable"}
    shop.save(charge, "charge.succeeded")
    _save_method(shop, intent, shop.find("payment_method", intent["payment_method"]))
    intent.update(
        status="requires_capture",
        amount_capturable=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )
    shop.world.schedule("expire_hold", intent["id"], until)
    shop.save(intent, "payment_intent.amount_capturable_updated")
    return "requires_capture"


def put_on_balance(shop: Shop, charge: Json) -> None:
    """Due work: the money of an asynchronous capture comes onto the account's balance."""
    if charge["balance_transaction"] is None and charge["paid"]:
        before = snapshot(charge)
        charge["balance_transaction"] = transaction(shop, charge)["id"]
        shop.save(charge, "charge.updated", before)


def fail_pending(shop: Shop, intent: Json) -> None:
    """A delayed payment failed."""
    charge = shop.find("charge", intent["latest_charge"])
    charge.update(
        status="failed",
        paid=False,
        failure_code=LATER_FAILURE["code"],
        failure_message=LATER_FAILURE["message"],
    )
    shop.save(charge, "charge.failed")
    method = shop.world.table("payment_method").get(intent["payment_method"])
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_payment_error={
            **LATER_FAILURE,
            "charge": charge["id"],
            "payment_method": snapshot(method) if method else None,
            "type": "invalid_request_error",
        },
    )
    shop.save(intent, "payment_intent.payment_failed")


def step(shop: Shop, intent: Json, return_url: str | None) -> Json:
    """The buyer's next step: our page, which leads back, or Stripe's client-side SDK."""
    action = shop.world.part(intent["object"], "next_action")
    if return_url is None:
        return {**action, "type": "use_stripe_sdk", "use_stripe_sdk": {}}
    url = f"{shop.world.base_url}/3ds/{intent['id']}"
    shop.world.keep(intent["id"], return_url=return_url)
    return {
        **action,
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": return_url, "url": url},
    }


def refuse(shop: Shop, intent: Json) -> None:
    """Authentication with the bank (3-D Secure) failed."""
    method = shop.find("payment_method", intent["payment_method"])
    intent["next_action"] = None
    _fail(shop, intent, method, "authentication_required", None)


def _awaiting(shop: Shop, intent: Json, status: str, event: str) -> str:
    intent["status"] = status
    shop.save(intent, event)
    return status


def _fail(shop: Shop, intent: Json, method: Json, code: str, billing: Json | None) -> str:
    charge = _charge(shop, intent, method, billing, status="failed")
    charge["outcome"] |= _declined_outcome(code, blocked=cards.card_of(shop, method).blocked)
    charge.update(
        failure_code=declines.error_code(code),
        failure_message=declines.DECLINES[code].message,
    )
    shop.save(charge, "charge.failed")
    intent.update(
        status="requires_payment_method",
        latest_charge=charge["id"],
        payment_method=None,
        last_payment_error=declines.last_payment_error(
            code, charge=charge["id"], method=snapshot(method)
        ),
    )
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
        shipping=snapshot(intent["shipping"]) if intent["shipping"] else None,
        receipt_email=intent["receipt_email"],
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        transfer_group=intent["transfer_group"],
        receipt_url=f"{shop.world.base_url}/receipts/{intent['id']}",
    )
    charge["calculated_statement_descriptor"] = _descriptor(shop, intent)
    entered = {key: value for key, value in (billing or {}).items() if value}
    charge["billing_details"] = {**snapshot(method["billing_details"]), **entered}
    charge["outcome"] = {
        **shop.world.part("charge", "outcome"),
        "network_status": "approved_by_network",
        "reason": None,
        "risk_score": shop.world.dice.stream("risk scores").randint(1, 60),
        "risk_level": cards.card_of(shop, method).risk,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if method["type"] == "card":
        details = shop.world.part("charge", "payment_method_details")
        shown = {key: method["card"][key] for key in _SHOWN if key in method["card"]}
        charge["payment_method_details"] = {**details, "type": "card", "card": shown}
        _fill_card(shop, charge, method["card"])
    else:
        charge["payment_method_details"] = _details(shop, method)
    return charge


def _details(shop: Shop, method: Json) -> Json:
    """How a charge that isn't of a card was paid, with the mandate behind it."""
    details = shop.world.part("charge", "payment_method_details")
    blank = shop.world.part_within("charge", "payment_method_details", method["type"])
    if blank is None:
        return {**details, "type": method["type"]}
    mandate = shop.world.private.get(method["id"], {}).get("mandate")
    known = {"last4": method[method["type"]].get("last4"), "mandate": mandate}
    given = {key: value for key, value in known.items() if key in blank and value}
    return {**details, "type": method["type"], method["type"]: {**blank, **given}}


_LONGEST = 22


def _descriptor(shop: Shop, intent: Json) -> str:
    """What stands on the buyer's statement: the account's name, and what the intent adds to it."""
    own: str = (
        intent["statement_descriptor"]
        or (shop.account["settings"]["payments"]["statement_descriptor"])
    )
    suffix = intent["statement_descriptor_suffix"]
    return (f"{own}* {suffix}" if suffix else own)[:_LONGEST].upper()


_SHOWN = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")


def _declined_outcome(code: str, *, blocked: bool) -> Json:
    """What a charge's outcome says of a decline: by its bank, or by Stripe as too risky."""
    if blocked:
        return {
            "network_status": "not_sent_to_network",
            "reason": "highest_risk_level",
            "seller_message": "Stripe blocked this payment as too risky.",
            "type": "blocked",
        }
    details = f"The bank returned the decline code `{code}`."
    if code == "generic_decline":
        details = "The bank did not return any further details with this decline."
    return {
        **declines.network(code),
        "network_status": "declined_by_network",
        "reason": code,
        "seller_message": details,
        "type": "issuer_declined",
    }


def _fill_card(shop: Shop, charge: Json, card: Json) -> None:
    """Fill in the rest of a charge's card details."""
    details = charge["payment_method_details"]
    schema = shop.world.published.resolve(shop.world.published.object_schema("charge"))
    found: Json = schema.get("else", schema)["properties"]["payment_method_details"]
    choices = found.get("anyOf", [found])
    part = shop.world.published.resolve(
        next(choice for choice in choices if choice.get("type") != "null")
    )
    blank = shop.world.blanks.part(part["properties"]["card"])
    details["card"] = {
        **blank,
        **details["card"],
        "amount_authorized": charge["amount"],
        "authorization_code": "123456",
        "network": card["brand"],
        "network_transaction_id": "123456789012345",
        "regulated_status": "unregulated",
        **_UNASKED,
        "overcapture": {"maximum_amount_capturable": charge["amount"], "status": "unavailable"},
    }


_UNASKED: Json = {
    "extended_authorization": {"status": "disabled"},
    "incremental_authorization": {"status": "unavailable"},
    "multicapture": {"status": "unavailable"},
    "network_token": {"used": False},
}
"""What a card's charge can do unless it was asked for more."""
