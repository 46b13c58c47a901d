"""Customers' cash balances: money that they sent by bank transfer, and what it pays for."""

from sandbox import bank_transfers, payments, settling
from sandbox.shop import Shop, StripeApiError, invalid
from sandbox.world import Json

KIND = "customer_cash_balance_transaction"


def balance(shop: Shop, customer: Json) -> Json:
    """A customer's cash balance as Stripe shows it."""
    kept = _kept(shop, customer)
    mode = kept["mode"]
    return shop.world.blanks.make(
        "cash_balance",
        available={cur: amount for cur, amount in kept["available"].items() if amount} or None,
        customer=customer["id"],
        livemode=False,
        settings={
            "reconciliation_mode": "manual" if mode == "manual" else "automatic",
            "using_merchant_default": mode == "merchant_default",
        },
    )


def _kept(shop: Shop, customer: Json) -> Json:
    key = f"cash/{customer['id']}"
    if key not in shop.world.private:
        shop.world.keep(key, available={}, mode="merchant_default")
    return shop.world.private[key]


def set_mode(shop: Shop, customer: Json, mode: str) -> Json:
    """Have money applied to payments by itself, or by a call only (`manual`)."""
    _kept(shop, customer)
    shop.world.keep(f"cash/{customer['id']}", mode=mode)
    return balance(shop, customer)


def fund(shop: Shop, customer: Json, amount: int, currency: str, reference: str | None) -> Json:
    """Money arrives; it pays for what waits for it, oldest first, and the rest stays. Raises
    Stripe's 400 for an amount that isn't positive."""
    if amount <= 0:
        raise invalid("The amount must be positive.", param="amount")
    kind = bank_transfers.kind_of(currency)
    names = {"us": "us", "eu": "eu", "gb": "gb", "jp": "jp"}
    details: Json = {"reference": reference, "type": kind}
    if kind[:2] in names:
        details[kind] = {"sender_name": customer["name"]}
    with shop.row():
        made = _change(
            shop, customer, amount, currency, "funded", funded={"bank_transfer": details}
        )
        reconcile(shop, customer)
        if _kept(shop, customer)["available"].get(currency):
            shop.emit("cash_balance.funds_available", balance(shop, customer))
    return made


def reconcile(shop: Shop, customer: Json) -> None:
    """Have the cash of a customer pay for what waits for it, unless that is done by hand."""
    if _kept(shop, customer)["mode"] == "manual":
        return
    rows = shop.world.table("payment_intent").newest_first(
        {"customer": customer["id"]}, before=None, after=None
    )
    for intent in [row for row in rows if waits(row)][::-1]:
        have = _kept(shop, customer)["available"].get(intent["currency"], 0)
        if have:
            apply(shop, customer, intent, min(have, _remaining(shop, intent)))


def apply(shop: Shop, customer: Json, intent: Json, amount: int | None) -> Json:
    """Pay for all or a part of a payment out of the cash balance. Raises Stripe's 400."""
    if not waits(intent):
        raise StripeApiError(
            400,
            f"This PaymentIntent is {intent['status']} and doesn't wait for a bank transfer.",
            code="payment_intent_unexpected_state",
        )
    have = _kept(shop, customer)["available"].get(intent["currency"], 0)
    remaining = _remaining(shop, intent)
    amount = min(have, remaining) if amount is None else amount
    if not 0 < amount <= min(have, remaining):
        raise invalid(
            f"{amount} can't be applied: {have} is available, {remaining} is to be paid.",
            param="amount",
        )
    with shop.row():
        _change(
            shop,
            customer,
            -amount,
            intent["currency"],
            "applied_to_payment",
            applied_to_payment={"payment_intent": intent["id"]},
        )
        rest = remaining - amount
        shop.world.keep(intent["id"], remaining=rest)
        if rest:
            intent["next_action"]["display_bank_transfer_instructions"]["amount_remaining"] = rest
            shop.save(intent, "payment_intent.partially_funded")
        elif payments.succeed(shop, intent) == "succeeded":
            settling.arrived(shop, intent)
    return intent


def give_back(shop: Shop, intent: Json) -> None:
    """A payment that waited is cancelled: what was applied to it is the customer's again."""
    customer = shop.world.table("customer").get(intent["customer"])
    applied = intent["amount"] - _remaining(shop, intent)
    if customer is not None and applied:
        _change(
            shop,
            customer,
            applied,
            intent["currency"],
            "unapplied_from_payment",
            unapplied_from_payment={"payment_intent": intent["id"]},
        )


def waits(intent: Json) -> bool:
    """Whether a payment waits for a bank transfer."""
    action = (intent["next_action"] or {}).get("type")
    return bool(
        intent["status"] == "requires_action" and action == "display_bank_transfer_instructions"
    )


def _remaining(shop: Shop, intent: Json) -> int:
    kept = shop.world.private.get(intent["id"], {})
    return int(kept["remaining"] if "remaining" in kept else intent["amount"])


def _change(
    shop: Shop, customer: Json, amount: int, currency: str, kind: str, **details: Json
) -> Json:
    available = _kept(shop, customer)["available"]
    available[currency] = available.get(currency, 0) + amount
    shop.world.keep(f"cash/{customer['id']}", available=available)
    made = shop.world.make(
        KIND,
        "ccsbtxn",
        currency=currency,
        customer=customer["id"],
        ending_balance=available[currency],
        net_amount=amount,
        type=kind,
        **details,
    )
    return shop.save(made, f"{KIND}.created")


def instructions(currency: str, bank_transfer: Json, base: Json) -> Json:
    """Where a customer can send money to."""
    country = (bank_transfer.get("eu_bank_transfer") or {}).get("country", "JP")
    wanted = bank_transfer["type"]
    return {
        **base,
        "currency": currency,
        "funding_type": "bank_transfer",
        "livemode": False,
        "bank_transfer": {
            "country": country if wanted.startswith("eu") else wanted[:2].upper(),
            "financial_addresses": [],
            "type": "jp_bank_transfer" if wanted.startswith("jp") else "eu_bank_transfer",
        },
    }
