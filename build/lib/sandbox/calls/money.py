"""Payment intents, charges, refunds and disputes."""

from sandbox import payments
from sandbox.calls.registry import Call, apply, call, listable, readable, updatable
from sandbox.shop import Shop, StripeFault, invalid
from sandbox.world import Json

readable("payment_intent", "/v1/payment_intents")
readable("charge", "/v1/charges")
readable("refund", "/v1/refunds")
readable("dispute", "/v1/disputes")
readable("setup_intent", "/v1/setup_intents")
listable("payment_intent", "/v1/payment_intents", "customer")
listable("charge", "/v1/charges", "customer", "payment_intent")
listable("refund", "/v1/refunds", "charge", "payment_intent")
listable("dispute", "/v1/disputes", "charge", "payment_intent")
listable("setup_intent", "/v1/setup_intents", "customer")
updatable("charge", "/v1/charges", "charge.updated")
updatable("dispute", "/v1/disputes", "charge.dispute.updated", "evidence", "submit")


@call("POST", "/v1/setup_intents")
def create_setup_intent(c: Call) -> Json:
    made = c.shop.world.make(
        "setup_intent", "seti", usage="off_session", status="requires_payment_method"
    )
    apply(c.shop, "setup_intent", made, c.params, "payment_method", "automatic_payment_methods")
    made["client_secret"] = f"{made['id']}_secret_{c.shop.world.new_id('s', 12)}"
    if given := c.params.get("payment_method"):
        made["payment_method"] = payments.payment_method(c.shop, given)["id"]
        made["status"] = "succeeded" if c.params.get("confirm") else "requires_confirmation"
    return c.shop.save(made, "setup_intent.created")


@call("POST", "/v1/payment_intents")
def create_intent(c: Call) -> Json:
    params = c.params
    given = params.get("payment_method")
    with c.shop.row():
        method = payments.payment_method(c.shop, given) if given else None
        if params.get("customer"):
            c.shop.find("customer", params["customer"], param="customer")
        made = payments.new_intent(
            c.shop,
            amount=params["amount"],
            currency=params["currency"].lower(),
            customer=params.get("customer"),
            method=method,
            metadata=params.get("metadata"),
            description=params.get("description"),
        )
        if params.get("confirm"):
            _confirm(c.shop, made, off_session=bool(params.get("off_session")))
    return made


def _confirm(shop: Shop, intent: Json, *, off_session: bool) -> None:
    outcome = payments.confirm(shop, intent, on_session=not off_session)
    if outcome in payments.MESSAGES:
        raise payments.declined(
            outcome, intent=shop.world.copy(intent), charge=intent["latest_charge"]
        )


@call("POST", "/v1/payment_intents/{}/confirm")
def confirm(c: Call) -> Json:
    intent = c.find("payment_intent")
    if intent["status"] in ("succeeded", "canceled", "processing"):
        raise invalid(
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    with c.shop.row():
        if given := c.params.get("payment_method"):
            intent["payment_method"] = payments.payment_method(c.shop, given)["id"]
        if not intent["payment_method"]:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.",
                code="payment_intent_unexpected_state",
            )
        _confirm(c.shop, intent, off_session=bool(c.params.get("off_session")))
    return intent


@call("POST", "/v1/payment_intents/{}/cancel")
def cancel(c: Call) -> Json:
    intent = c.find("payment_intent")
    if intent["status"] in ("succeeded", "canceled", "processing"):
        raise invalid(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    intent.update(
        status="canceled",
        canceled_at=c.shop.world.now(),
        cancellation_reason=c.params.get("cancellation_reason"),
    )
    return c.shop.save(intent, "payment_intent.canceled")


@call("POST", "/v1/charges")
def create_charge(c: Call) -> Json:
    """The old way to charge a card, which the Stripe CLI's triggers still use."""
    params = c.params
    given = params.get("source")
    if not given:
        raise StripeFault(400, "Must provide source or customer.", code="parameter_missing")
    with c.shop.row():
        method = payments.payment_method(c.shop, given)
        intent = payments.new_intent(
            c.shop,
            amount=params["amount"],
            currency=params["currency"].lower(),
            customer=params.get("customer"),
            method=method,
            metadata=params.get("metadata"),
            description=params.get("description"),
        )
        _confirm(c.shop, intent, off_session=True)
    return c.shop.find("charge", intent["latest_charge"])


@call("POST", "/v1/refunds")
def create_refund(c: Call) -> Json:
    params = c.params
    charge_id = params.get("charge")
    if intent_id := params.get("payment_intent"):
        charge_id = c.shop.find("payment_intent", intent_id, param="payment_intent")[
            "latest_charge"
        ]
    charge = c.shop.find("charge", charge_id, param="charge")
    made = payments.refund(c.shop, charge, amount=params.get("amount"), reason=params.get("reason"))
    made["metadata"] = params.get("metadata") or {}
    return c.shop.save(made)


@call("POST", "/v1/disputes/{}/close")
def close_dispute(c: Call) -> Json:
    """Closing a dispute accepts it: it is lost."""
    return payments.close_dispute(c.shop, c.find("dispute"), "lost")
