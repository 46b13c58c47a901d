"""Declines of card payments: what the error says, by decline code."""

from dataclasses import dataclass

from sandbox.shop import DOCS, StripeApiError
from sandbox.world import Json


@dataclass(frozen=True)
class Decline:
    """What a card error says beside its decline code: the message, the advice, and the codes of
    the card network, where it sends them. `param` is the field of the card that is wrong."""

    message: str = "Your card was declined."
    advice: str = "try_again_later"
    network_advice: str | None = None
    network_code: str | None = None
    param: str | None = None
    own_code: bool = False
    """Whether the decline code is also the error code; otherwise that is `card_declined`."""


DECLINES = {
    "generic_decline": Decline(network_code="01"),
    "insufficient_funds": Decline(
        "Your card has insufficient funds.", network_advice="02", network_code="51"
    ),
    "lost_card": Decline(advice="do_not_try_again", network_advice="01", network_code="41"),
    "stolen_card": Decline(advice="do_not_try_again", network_advice="01", network_code="43"),
    "fraudulent": Decline(advice="do_not_try_again", network_advice="01", network_code="59"),
    "card_velocity_exceeded": Decline(
        "Your card was declined for making repeated attempts too frequently or exceeding its"
        " amount limit.",
        network_advice="02",
        network_code="61",
    ),
    "expired_card": Decline(
        "Your card has expired.",
        "confirm_card_data",
        network_advice="03",
        network_code="54",
        param="exp_month",
        own_code=True,
    ),
    "incorrect_cvc": Decline(
        "Your card's security code is incorrect.",
        "confirm_card_data",
        network_advice="03",
        network_code="N7",
        param="cvc",
        own_code=True,
    ),
    "processing_error": Decline(
        "An error occurred while processing your card. Try again in a little bit.",
        network_code="06",
        own_code=True,
    ),
    "authentication_required": Decline(
        "Your card was declined. This transaction requires authentication.", own_code=True
    ),
}


def error_code(decline_code: str) -> str:
    """The error code for a decline code."""
    return decline_code if DECLINES[decline_code].own_code else "card_declined"


def network(decline_code: str) -> Json:
    """The advice and the network's codes, without those that the network doesn't send."""
    decline = DECLINES[decline_code]
    codes = {
        "advice_code": decline.advice,
        "network_advice_code": decline.network_advice,
        "network_decline_code": decline.network_code,
    }
    return {name: value for name, value in codes.items() if value}


def last_payment_error(decline_code: str, *, charge: str, method: Json) -> Json:
    """The `last_payment_error` of a payment intent; `method` must be a copy."""
    return {"charge": charge, **last_error(decline_code, method=method)}


def last_error(decline_code: str, *, method: Json) -> Json:
    """What an intent says of its last decline; `method` must be a copy."""
    decline = DECLINES[decline_code]
    made = {
        **network(decline_code),
        "code": error_code(decline_code),
        "decline_code": decline_code,
        "doc_url": f"{DOCS}/{error_code(decline_code).replace('_', '-')}",
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }
    return made if decline.param is None else {**made, "param": decline.param}


def fault(
    decline_code: str,
    *,
    intent: Json | None = None,
    charge: str | None = None,
    method: Json | None = None,
) -> StripeApiError:
    """Stripe's 402 for a decline. With a payment intent it also shows the payment method."""
    extra: Json = network(decline_code)
    if charge:
        extra["charge"] = charge
    if intent:
        extra["payment_intent"] = intent
        method = method or (intent["last_payment_error"] or {}).get("payment_method")
    if method:
        extra["payment_method"] = method
    param = DECLINES[decline_code].param
    if param or not intent:
        extra["param"] = param or ""
    return StripeApiError(
        402,
        DECLINES[decline_code].message,
        code=error_code(decline_code),
        kind="card_error",
        decline_code=decline_code,
        extra=extra,
    )
