"""Payment intents, setup intents, charges, refunds and disputes."""

from sandbox import captures, cards, cash, declines, disputes, methods, payments, refunds, settling
from sandbox.calls.registry import Call, call, listable, readable, searchable, updatable
from sandbox.fields import apply
from sandbox.shop import Shop, StripeFault, invalid, snapshot
from sandbox.world import Json

for _kind, _url in (
    ("payment_intent", "/v1/payment_intents"),
    ("charge", "/v1/charges"),
    ("refund", "/v1/refunds"),
    ("dispute", "/v1/disputes"),
    ("setup_intent", "/v1/setup_intents"),
    ("balance_transaction", "/v1/balance_transactions"),
):
    readable(_kind, _url)

listable("payment_intent", "/v1/payment_intents", "customer")
listable("charge", "/v1/charges", "customer", "payment_intent", "transfer_group")
listable("refund", "/v1/refunds", "charge", "payment_intent")
listable("dispute", "/v1/disputes", "charge", "payment_intent")
listable("balance_transaction", "/v1/balance_transactions", "source", "type", "currency")
searchable("charge", "/v1/charges")
searchable("payment_intent", "/v1/payment_intents")
listable("setup_intent", "/v1/setup_intents", "customer", "payment_method")
updatable("charge", "/v1/charges", "charge.updated", "fraud_details")
updatable("payment_intent", "/v1/payment_intents", None, "payment_method")
_DONE = ("succeeded", "canceled", "processing")
_CONFIRMED = (*_DONE, "requires_capture")


@call("POST", "/v1/setup_intents")
def create_setup_intent(c: Call) -> Json:
    made = c.shop.world.make(
        "setup_intent",
        "seti",
        usage="off_session",
        status="requires_payment_method",
        payment_method_types=["card"],
        metadata={},
    )
    apply(c.shop, "setup_intent", made, c.params, "payment_method", "automatic_payment_methods")
    _allow(made, c.params)
    made["client_secret"] = f"{made['id']}_secret_{c.shop.world.new_id('s', 12)}"
    c.shop.save(made, "setup_intent.created")
    if (method := _method(c)) is not None:
        _demand_allowed(made, method)
        made["payment_method"] = method["id"]
        made["status"] = "requires_confirmation"
        if c.params.get("confirm"):
            _set_up(c.shop, made)
    return c.shop.save(made)


@call("POST", "/v1/setup_intents/{}/confirm")
def confirm_setup_intent(c: Call) -> Json:
    found = c.find("setup_intent")
    if (method := _method(c)) is not None:
        _demand_allowed(found, method)
        found["payment_method"] = method["id"]
    if not found["payment_method"]:
        raise invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
        )
    _set_up(c.shop, found)
    return found


def _set_up(shop: Shop, intent: Json) -> None:
    """Save a card for later; it can be declined."""
    method = shop.find("payment_method", intent["payment_method"], param="payment_method")
    card = cards.card_of(shop, method)
    if card.decline and not card.attachable:
        methods.note_attempt(shop, intent, method, "failed")
        intent.update(status="requires_payment_method", payment_method=None)
        shop.save(intent, "setup_intent.setup_failed")
        raise declines.fault(card.decline, method=shop.world.copy(method))
    if card.needs_authentication:
        _ask_first(shop, intent, method)
        return
    if intent["customer"]:
        cards.attach(shop, method, shop.find("customer", intent["customer"]))
    methods.note_attempt(shop, intent, method, "succeeded")
    intent.update(status="succeeded", next_action=None)
    shop.save(intent, "setup_intent.succeeded")


def _ask_first(shop: Shop, intent: Json, method: Json) -> None:
    """The bank wants to hear from the owner of the card before it is saved."""
    methods.note_attempt(shop, intent, method, "requires_action")
    action = shop.world.part("setup_intent", "next_action")
    intent["next_action"] = {**action, "type": "use_stripe_sdk", "use_stripe_sdk": {}}
    intent["status"] = "requires_action"
    shop.save(intent, "setup_intent.requires_action")


@call("POST", "/v1/setup_intents/{}")
def update_setup_intent(c: Call) -> Json:
    found = c.find("setup_intent")
    if found["status"] in ("succeeded", "canceled"):
        raise invalid(
            f"You cannot update this SetupIntent because it has a status of {found['status']}.",
            code="setup_intent_unexpected_state",
        )
    apply(c.shop, "setup_intent", found, c.params, "payment_method", "payment_method_data")
    if (method := _method(c)) is not None:
        found.update(payment_method=method["id"], status="requires_confirmation")
    return c.shop.save(found)


@call("POST", "/v1/setup_intents/{}/cancel")
def cancel_setup_intent(c: Call) -> Json:
    found = c.find("setup_intent")
    found["status"] = "canceled"
    return c.shop.save(found, "setup_intent.canceled")


_NOT_PLAIN = (
    *("amount", "currency", "customer", "payment_method", "metadata", "description", "confirm"),
    *("automatic_payment_methods", "payment_method_options", "payment_details", "amount_details"),
    *("return_url", "hooks", "transfer_data", "payment_method_data"),
)
"""Parameters of a payment intent that aren't plainly its fields, or are set before."""


@call("POST", "/v1/payment_intents")
def create_intent(c: Call) -> Json:
    params = c.params
    if params["amount"] < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param="amount",
            code="parameter_invalid_integer",
        )
    with c.shop.row():
        method = _method(c)
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
            capture_method=params.get("capture_method", "automatic_async"),
        )
        apply(c.shop, "payment_intent", made, params, *_NOT_PLAIN)
        _allow(made, params)
        if method:
            _demand_allowed(made, method)
        _card_options(c.shop, made, params)
        made["confirmation_method"] = params.get("confirmation_method", "automatic")
        if params.get("confirm"):
            _confirm(c, made)
    return made


def _allow(intent: Json, params: Json) -> None:
    """Restrict an intent to some types of payment methods."""
    if allowed := params.get("allowed_payment_method_types"):
        intent["payment_method_types"] = list(allowed)


def _demand_allowed(intent: Json, method: Json) -> None:
    """Raise Stripe's 400 for a payment method that an intent doesn't allow."""
    allowed = intent.get("allowed_payment_method_types")
    if allowed and method["type"] not in allowed:
        kind = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {kind}. Please"
            f" attach a PaymentMethod of one of the following types: {', '.join(allowed)}.",
            param="payment_method",
        )


def _method(c: Call) -> Json | None:
    """The payment method that a call names or describes, with its mandate."""
    params, method = c.params, None
    if given := params.get("payment_method"):
        method = cards.payment_method(c.shop, given)
    elif params.get("payment_method_data"):
        data = params["payment_method_data"]
        method = methods.described(c.shop, data, param="payment_method_data[type]")
    if method is not None and params.get("mandate_data"):
        for_good = bool(params.get("setup_future_usage") or "usage" in params)
        methods.agree(c.shop, method, params["mandate_data"], for_good=for_good)
    return method


def _card_options(shop: Shop, intent: Json, params: Json) -> None:
    """How cards in particular are to be charged: when the money is taken, and how often."""
    given = (params.get("payment_method_options") or {}).get("card")
    if not given:
        return
    part = shop.world.published.resolve(shop.world.published.object_schema("payment_intent"))
    options = part.get("else", part)["properties"]["payment_method_options"]
    blank = shop.world.blanks.within(options, "card")
    intent["payment_method_options"] = {
        **(intent["payment_method_options"] or {}),
        "card": {**blank, **{key: value for key, value in given.items() if key in _CARD_OPTIONS}},
    }
    if given.get("capture_method"):
        intent["capture_method"] = given["capture_method"]


_CARD_OPTIONS = (
    *("capture_method", "request_incremental_authorization", "request_multicapture"),
    *("request_three_d_secure", "setup_future_usage"),
)


def _confirm(c: Call, intent: Json, *, off_session: bool | None = None) -> None:
    shop = c.shop
    if off_session is None:
        off_session = bool(c.params.get("off_session"))
    outcome = payments.confirm(
        shop, intent, on_session=not off_session, return_url=c.params.get("return_url")
    )
    if outcome in declines.DECLINES:
        raise declines.fault(
            outcome, intent=shop.world.copy(intent), charge=intent["latest_charge"]
        )
    if outcome == "succeeded":
        settling.arrived(shop, intent)
    if cash.waits(intent) and intent["customer"]:
        cash.reconcile(shop, shop.find("customer", intent["customer"]))


@call("POST", "/v1/payment_intents/{}/confirm")
def confirm(c: Call) -> Json:
    intent = c.find("payment_intent")
    if intent["status"] in _CONFIRMED:
        raise _unexpected(intent, "confirm")
    with c.shop.row():
        if (method := _method(c)) is not None:
            _demand_allowed(intent, method)
            intent["payment_method"] = method["id"]
        if not intent["payment_method"]:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method. You"
                " can either update the PaymentIntent with a payment method and then confirm it"
                " again, or confirm it again directly with a payment method.",
                code="payment_intent_unexpected_state",
            )
        _confirm(c, intent)
    return intent


@call("POST", "/v1/payment_intents/{}/cancel")
def cancel(c: Call) -> Json:
    intent = c.find("payment_intent")
    if intent["status"] in _DONE:
        raise _unexpected(intent, "cancel")
    with c.shop.row():
        if intent["status"] == "requires_capture":
            captures.release(c.shop, intent)
        elif cash.waits(intent):
            cash.give_back(c.shop, intent)
        intent.update(
            status="canceled",
            canceled_at=c.shop.world.now(),
            cancellation_reason=c.params.get("cancellation_reason"),
        )
        return c.shop.save(intent, "payment_intent.canceled")


def _unexpected(intent: Json, verb: str) -> StripeFault:
    return invalid(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
    )


@call("POST", "/v1/charges")
def create_charge(c: Call) -> Json:
    """The old way to charge a card, which the Stripe CLI's triggers still use."""
    params = c.params
    given = params.get("source")
    if not given and params.get("customer"):
        customer = c.shop.find("customer", params["customer"], param="customer")
        given = customer["default_source"]
    if not given:
        raise StripeFault(400, "Must provide source or customer.", code="parameter_missing")
    with c.shop.row():
        method = cards.payment_method(c.shop, given)
        intent = payments.new_intent(
            c.shop,
            amount=params["amount"],
            currency=params["currency"].lower(),
            customer=params.get("customer"),
            method=method,
            metadata=params.get("metadata"),
            description=params.get("description"),
            capture_method="automatic" if params.get("capture", True) else "manual",
        )
        _confirm(c, intent, off_session=True)
    return c.shop.find("charge", intent["latest_charge"])


@call("POST", "/v1/refunds")
def create_refund(c: Call) -> Json:
    params = c.params
    charge_id = params.get("charge")
    if intent_id := params.get("payment_intent"):
        intent = c.shop.find("payment_intent", intent_id, param="payment_intent")
        charge_id = intent["latest_charge"]
        if intent["status"] != "succeeded":
            raise invalid(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            )
    if not charge_id:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or"
            " charge.",
        )
    charge = c.shop.find("charge", charge_id, param="charge")
    return refunds.refund(
        c.shop,
        charge,
        amount=params.get("amount"),
        reason=params.get("reason"),
        metadata=params.get("metadata"),
    )


@call("POST", "/v1/refunds/{}")
def update_refund(c: Call) -> Json:
    found = c.find("refund")
    before = snapshot(found)
    apply(c.shop, "refund", found, c.params)
    return refunds.tell(c.shop, found, before)


@call("POST", "/v1/refunds/{}/cancel")
def cancel_refund(c: Call) -> Json:
    return refunds.cancel(c.shop, c.find("refund"))


@call("POST", "/v1/disputes/{}")
def update_dispute(c: Call) -> Json:
    found = c.find("dispute")
    if "evidence" in c.params or c.params.get("submit"):
        disputes.answer(
            c.shop,
            found,
            c.params.get("evidence") or {},
            submit=c.params.get("submit", True) is not False,
        )
    if "metadata" in c.params:
        before = snapshot(found)
        apply(c.shop, "dispute", found, {"metadata": c.params["metadata"]})
        c.shop.save(found, "charge.dispute.updated", before)
    return found


@call("POST", "/v1/disputes/{}/close")
def close_dispute(c: Call) -> Json:
    """Closing a dispute accepts it: it is lost."""
    return disputes.close(c.shop, c.find("dispute"), "lost")
