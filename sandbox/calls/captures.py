"""Captures: of payment intents, and of charges as older integrations make them."""

from sandbox import captures
from sandbox.calls.registry import Call, call
from sandbox.shop import invalid, merge_metadata
from sandbox.world import Json

_OF_CHARGES = ("receipt_email", "statement_descriptor", "statement_descriptor_suffix")


def _details(params: Json) -> Json:
    return {key: params[key] for key in _OF_CHARGES if key in params}


@call("POST", "/v1/payment_intents/{}/capture")
def capture(c: Call) -> Json:
    intent, params = c.find("payment_intent"), c.params
    captures.capture(
        c.shop,
        intent,
        amount=params.get("amount_to_capture"),
        final=params.get("final_capture", True),
        details=_details(params),
    )
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    intent.update(_details(params))
    return c.shop.save(intent)


@call("POST", "/v1/payment_intents/{}/increment_authorization")
def increment(c: Call) -> Json:
    intent, params = c.find("payment_intent"), c.params
    captures.increase(c.shop, intent, params["amount"])
    for key in ("description", "statement_descriptor"):
        if key in params:
            intent[key] = params[key]
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    return c.shop.save(intent)


@call("POST", "/v1/charges/{}/capture")
def capture_charge(c: Call) -> Json:
    charge, params = c.find("charge"), c.params
    if charge["captured"]:
        raise invalid(
            f"Charge {charge['id']} has already been captured.", code="charge_already_captured"
        )
    if charge["refunded"]:
        raise invalid(
            f"Charge {charge['id']} has been refunded, and can't be captured.",
            code="charge_already_refunded",
        )
    intent = c.shop.find("payment_intent", charge["payment_intent"])
    captures.capture(c.shop, intent, amount=params.get("amount"), details=_details(params))
    if "transfer_group" in params:
        charge["transfer_group"] = params["transfer_group"]
    return c.shop.save(charge)
