"""Payment intents, setup intents, charges, refunds and disputes."""

from sandbox import (
    captures,
    cards,
    cash,
    configurations,
    declines,
    disputes,
    methods,
    mistakes,
    offers,
    payments,
    refunds,
    settling,
    setups,
)
from sandbox.calls.registry import Call, call, listable, readable, searchable, updatable
from sandbox.fields import apply
from sandbox.shop import Shop, StripeApiError, invalid, snapshot, too_many
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
updatable("charge", "/v1/charges", "charge.updated")
_DONE = ("succeeded", "canceled", "processing")
_CONFIRMED = (*_DONE, "requires_capture")


@call("POST", "/v1/setup_intents")
def create_setup_intent(c: Call) -> Json:
    made = c.shop.world.make(
        "setup_intent",
        "seti",
        usage="off_session",
        status="requires_payment_method",
        metadata={},
    )
    if c.params.get("customer"):
        c.shop.find("customer", c.params["customer"], param="customer")
    apply(c.shop, "setup_intent", made, c.params, "payment_method", *_WAYS)
    _set_ways(c.shop, made, c.params, fresh=True)
    made["client_secret"] = f"{made['id']}_secret_{c.shop.world.new_id('s', 12)}"
    method = _method(c)
    if method is not None:
        _demand_allowed(made, method)
    c.shop.save(made, "setup_intent.created")
    if method is not None:
        made["payment_method"] = method["id"]
        made["status"] = "requires_confirmation"
    if c.params.get("confirm"):
        _confirm_setup(c, made)
    return c.shop.save(made)


def _confirm_setup(c: Call, intent: Json) -> None:
    if not intent["payment_method"]:
        raise invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method. You can"
            " either update the SetupIntent with a payment method and then confirm it again, or"
            " confirm it again directly with a payment method or ConfirmationToken.",
            code="setup_intent_unexpected_state",
        )
    setups.confirm(c.shop, intent, return_url=c.params.get("return_url"))


@call("POST", "/v1/setup_intents/{}/confirm")
def confirm_setup_intent(c: Call) -> Json:
    found = c.find("setup_intent")
    if (method := _method(c)) is not None:
        _demand_allowed(found, method)
        found["payment_method"] = method["id"]
    _confirm_setup(c, found)
    return found


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
        _demand_allowed(found, method)
        found.update(payment_method=method["id"], status="requires_confirmation")
    return c.shop.save(found)


def _microdeposits(kind: str, name: str) -> None:
    """Bank accounts are debited here without deposits that prove whose they are."""

    def refuse(c: Call) -> Json:
        found = c.find(kind)
        raise invalid(
            f"You cannot verify this {name} because it has a status of {found['status']} and"
            " waits for no microdeposits.",
            code=f"{kind}_unexpected_state",
        )

    call("POST", f"/v1/{kind}s/{{}}/verify_microdeposits")(refuse)


_microdeposits("setup_intent", "SetupIntent")
_microdeposits("payment_intent", "PaymentIntent")


@call("POST", "/v1/setup_intents/{}/cancel")
def cancel_setup_intent(c: Call) -> Json:
    found = c.find("setup_intent")
    if found["status"] in ("succeeded", "canceled"):
        raise invalid(
            f"You cannot cancel this SetupIntent because it has a status of {found['status']}.",
            code="setup_intent_unexpected_state",
        )
    found.update(
        status="canceled", cancellation_reason=c.params.get("cancellation_reason"), next_action=None
    )
    return c.shop.save(found, "setup_intent.canceled")


_WAYS = ("automatic_payment_methods",)
_NOT_PLAIN = ("payment_method", "payment_method_options", *_WAYS)
"""Parameters of a payment intent that aren't plainly its fields."""
_LEAST = {
    **dict.fromkeys(("aud", "brl", "cad", "chf", "eur", "inr", "nzd", "sgd", "usd"), 50),
    **{"dkk": 250, "gbp": 30, "hkd": 400, "jpy": 50, "mxn": 1000, "myr": 200},
    **{"nok": 300, "pln": 200, "sek": 300, "thb": 1000},
}
"""The least that can be charged (minor unit), by https://docs.stripe.com/currencies. Stripe means
the account's own currency; the sandbox takes each currency for its own."""
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
_MOST = 99_999_999


_ONE_OF = (
    "allowed_payment_method_types",
    "excluded_payment_method_types",
    "automatic_payment_methods",
)


def _check_ways(params: Json) -> None:
    """Raise Stripe's 400 where the kinds that are allowed are named beside another choice."""
    given = [name for name in _ONE_OF if params.get(name)]
    if given[:1] == ["allowed_payment_method_types"] and len(given) > 1:
        raise invalid(
            f"You may only specify one of these parameters: {', '.join(given)}.", param=given[0]
        )


def _set_ways(shop: Shop, intent: Json, params: Json, *, fresh: bool) -> None:
    """How an intent may be paid: by whatever suits, which is what a new one says by itself, or by
    the kinds that are named."""
    _check_ways(params)
    wanted, named = (
        params.get("automatic_payment_methods"),
        params.get("allowed_payment_method_types"),
    )
    if wanted or (fresh and not named):
        intent["automatic_payment_methods"] = {
            "allow_redirects": "always",
            "enabled": True,
            **(wanted or {}),
        }
    if named:
        intent.update(automatic_payment_methods=None, payment_method_configuration_details=None)
        payments.offer(shop, intent, list(named))
    elif (intent["automatic_payment_methods"] or {}).get("enabled"):
        payments.offer(
            shop, intent, _suiting(shop, intent, params.get("payment_method_configuration"))
        )
    elif fresh:
        payments.offer(shop, intent, ["card"])


def _suiting(shop: Shop, intent: Json, configuration: str | None) -> list[str]:
    """The kinds of payment methods that suit an intent as it is now, by the configuration that a
    call names, the intent's own, or the account's."""
    known = intent["payment_method_configuration_details"] or {}
    chosen = configurations.chosen(shop, configuration or known.get("id"))
    intent["payment_method_configuration_details"] = configurations.named(chosen)
    payment = offers.Payment(
        currency=(intent.get("currency") or "").lower() or None,
        amount=intent.get("amount"),
        saved=intent["object"] == "setup_intent" or bool(intent["setup_future_usage"]),
        held=intent.get("capture_method") == "manual",
        leads_away=intent["automatic_payment_methods"]["allow_redirects"] == "always",
    )
    excluded = intent.get("excluded_payment_method_types") or ()
    return offers.kinds(shop, payment, configuration=chosen, excluded=excluded)


def _written(amount: int, currency: str) -> str:
    """An amount as Stripe writes it in an error: `$0.50 usd`."""
    whole = f"{amount:,}" if currency == "jpy" else f"{amount / 100:,.2f}"
    return f"{_SIGNS.get(currency, '')}{whole} {currency}"


def _check_amount(amount: int, currency: str) -> None:
    if fault := mistakes.outside("amount", amount, least=1):
        raise fault
    least = _LEAST.get(currency.lower(), 1)
    if amount < least:
        raise invalid(
            f"Amount must be at least {_written(least, currency.lower())}",
            param="amount",
            code="amount_too_small",
        )
    if amount > _MOST:
        raise invalid(
            f"Amount must be no more than {_written(_MOST, currency.lower())}",
            param="amount",
            code="amount_too_large",
        )


@call("POST", "/v1/payment_intents")
def create_intent(c: Call) -> Json:
    params = c.params
    _check_amount(params["amount"], params["currency"])
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
        _describe(c, made, "amount", "currency", "customer", fresh=True)
        if method:
            _demand_allowed(made, method)
        c.shop.save(made, "payment_intent.created")
        made["confirmation_method"] = params.get("confirmation_method", "automatic")
        if params.get("confirm"):
            _confirm(c, made)
    return made


def _demand_allowed(intent: Json, method: Json) -> None:
    """Raise Stripe's 400 for a payment method of a kind that an intent doesn't offer."""
    offered = intent["payment_method_types"]
    if method["type"] not in offered:
        kind = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {kind}. Please"
            f" attach a PaymentMethod of one of the following types: {', '.join(offered)}.",
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


def _describe(c: Call, intent: Json, *but: str, fresh: bool = False) -> None:
    """Set what a call says of an intent, `fresh` if it has just been made."""
    params = c.params
    apply(c.shop, "payment_intent", intent, params, *_NOT_PLAIN, *but)
    _set_ways(c.shop, intent, params, fresh=fresh)
    _card_options(c.shop, intent, params)


@call("POST", "/v1/payment_intents/{}")
def update_intent(c: Call) -> Json:
    intent, params = c.find("payment_intent"), c.params
    if intent["status"] in _CONFIRMED and set(params) - {"metadata", "description", "expand"}:
        raise _unexpected(intent, "update")
    if "amount" in params or "currency" in params:
        wanted = {**intent, **params}
        _check_amount(wanted["amount"], wanted["currency"])
    if params.get("customer"):
        c.shop.find("customer", params["customer"], param="customer")
    _describe(c, intent)
    intent["currency"] = intent["currency"].lower()
    if (method := _method(c)) is not None:
        _demand_allowed(intent, method)
        intent.update(payment_method=method["id"], status="requires_confirmation")
    return c.shop.save(intent)


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
        "card": {
            **blank,
            **(intent["payment_method_options"] or {}).get("card", {}),
            **{key: value for key, value in given.items() if key in _CARD_OPTIONS},
        },
    }
    if given.get("capture_method"):
        intent["capture_method"] = given["capture_method"]


_CARD_OPTIONS = (
    *("capture_method", "request_incremental_authorization", "request_multicapture"),
    *("request_three_d_secure", "setup_future_usage"),
)


def _confirm(c: Call, intent: Json, *, off_session: bool | None = None) -> None:
    shop = c.shop
    if not intent["payment_method"]:
        raise _state(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can"
            " either update the PaymentIntent with a payment method and then confirm it again, or"
            " confirm it again directly with a payment method or ConfirmationToken.",
        )
    if off_session is None:
        off_session = bool(c.params.get("off_session"))
    if not off_session and c.params.get("error_on_requires_action") and payments.asks(shop, intent):
        raise declines.fault("authentication_required")
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
        _describe(c, intent)
        if (method := _method(c)) is not None:
            _demand_allowed(intent, method)
            intent["payment_method"] = method["id"]
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


def _unexpected(intent: Json, verb: str) -> StripeApiError:
    status = intent["status"]
    if verb == "confirm" and status == "succeeded":
        why = "it has already succeeded after being previously confirmed."
    else:
        why = f"it has a status of {status}."
    if verb == "cancel":
        why += (
            " Only a PaymentIntent with one of the following statuses may be canceled:"
            " requires_payment_method, requires_capture, requires_confirmation, requires_action,"
            " processing."
        )
    return _state(intent, f"You cannot {verb} this PaymentIntent because {why}")


def _state(intent: Json, message: str) -> StripeApiError:
    return StripeApiError(
        400,
        message,
        code="payment_intent_unexpected_state",
        extra={"payment_intent": snapshot(intent)},
    )


_OF_CHARGES = (
    *("receipt_email", "shipping", "statement_descriptor", "statement_descriptor_suffix"),
    "transfer_group",
)


@call("POST", "/v1/charges")
def create_charge(c: Call) -> Json:
    """The old way to charge a card, which the Stripe CLI's triggers still use."""
    params = c.params
    for needed in ("amount", "currency"):
        if needed not in params:
            raise invalid(
                f"Missing required param: {needed}.", param=needed, code="parameter_missing"
            )
    _check_amount(params["amount"], params["currency"])
    given = params.get("source")
    if not given and params.get("customer"):
        customer = c.shop.find("customer", params["customer"], param="customer")
        given = customer["default_source"]
    if not given:
        raise StripeApiError(400, "Must provide source or customer.", code="parameter_missing")
    with c.shop.row():
        method = cards.payment_method(c.shop, given, param="source")
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
        for name in _OF_CHARGES:
            intent[name] = params.get(name) or None
        c.shop.save(intent, "payment_intent.created")
        _confirm(c, intent, off_session=True)
    return c.shop.find("charge", intent["latest_charge"])


@call("POST", "/v1/refunds")
def create_refund(c: Call) -> Json:
    params = c.params
    charge_id = params.get("charge")
    if charge_id and params.get("payment_intent"):
        raise too_many("charge", "payment_intent")
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
