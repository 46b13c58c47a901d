"""Payment methods as calls describe them, their mandates, and what tries to save them came to."""

from sandbox import banks, cards
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.world import Json


def described(shop: Shop, params: Json, *, param: str) -> Json:
    """A payment method made of its `type` and that type's details. Raises Stripe's 400 where the
    number of a card is missing."""
    card = params.get("card") or {}
    kind = params.get("type", "card")
    if card.get("number"):
        cards.check(shop, card)
    given = card.get("token") or card.get("number")
    if kind != "card":
        details = params.get(kind) or {}
        account = details.get("iban") or details.get("account_number") or ""
        given = account if account in cards.FAILING_ACCOUNTS else kind
    if not given:
        raise invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")
    made = cards.payment_method(shop, given, billing=params.get("billing_details"))
    _detail(made, kind, params.get(kind) or {})
    made["metadata"] = merge_metadata(made.get("metadata"), params.get("metadata"))
    made["allow_redisplay"] = params.get("allow_redisplay") or made["allow_redisplay"]
    return shop.save(made)


def _detail(made: Json, kind: str, given: Json) -> None:
    """Show what a call says of a payment method; of an account only the last four digits."""
    shown = made.get(kind)
    if not isinstance(shown, dict):
        return
    shown.update(banks.known(kind, given))
    for name, value in given.items():
        if name in ("exp_month", "exp_year"):
            shown[name] = int(value)
        elif name == "networks":
            shown[name] = {**shown[name], "preferred": value.get("preferred")}
        elif name in ("iban", "account_number"):
            shown["last4"] = value[-4:]
        elif name in (*shown, "dob") and name != "number":
            shown[name] = {**(shown.get(name) or {}), **value} if isinstance(value, dict) else value


def agree(shop: Shop, method: Json, given: Json, *, for_good: bool) -> Json:
    """A mandate: the owner of a bank account agrees to its being debited."""
    accepted = given.get("customer_acceptance") or {}
    kind = accepted.get("type", "offline")
    made = shop.world.make(
        "mandate",
        "mandate",
        payment_method=method["id"],
        status="active",
        type="multi_use" if for_good else "single_use",
    )
    made["customer_acceptance"] = {
        "type": kind,
        "accepted_at": int(accepted.get("accepted_at") or shop.world.now()),
        kind: {key: accepted[kind].get(key) for key in ("ip_address", "user_agent")}
        if kind == "online" and isinstance(accepted.get(kind), dict)
        else {},
    }
    details = shop.world.part("mandate", "payment_method_details")
    blank = shop.world.part_within("mandate", "payment_method_details", method["type"])
    made["payment_method_details"] = {
        **details,
        "type": method["type"],
        **({} if blank is None else {method["type"]: blank}),
    }
    use = made["type"]
    made[use] = shop.world.part("mandate", use)
    shop.world.keep(method["id"], mandate=made["id"])
    return shop.save(made)


_SHOWN = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")


def note_attempt(
    shop: Shop, intent: Json, method: Json, status: str, error: Json | None = None
) -> Json:
    """What a try to save a payment method came to: one line in the setup intent's history."""
    made = shop.world.make(
        "setup_attempt",
        "setatt",
        customer=intent["customer"],
        payment_method=method["id"],
        setup_intent=intent["id"],
        status=status,
        usage=intent["usage"],
        setup_error=error,
    )
    details = shop.world.part("setup_attempt", "payment_method_details")
    blank = shop.world.part_within("setup_attempt", "payment_method_details", method["type"])
    made["payment_method_details"] = {**details, "type": method["type"]}
    if blank is not None:
        shown = method[method["type"]] if method["type"] == "card" else {}
        made["payment_method_details"][method["type"]] = {
            **blank,
            **{key: value for key, value in snapshot(shown).items() if key in _SHOWN},
        }
    intent["latest_attempt"] = made["id"]
    return shop.save(made)
