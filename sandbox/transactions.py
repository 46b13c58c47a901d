"""The account's balance: what each charge, refund, dispute and payout does to it."""

from sandbox import cards
from sandbox.shop import Shop
from sandbox.world import Json

DAY = 86400
AT_ONCE = "0077"
"""The card whose money is available at once, by its last four digits."""
DISPUTE_FEE = 1500
"""Of an account in the US. Stripe keeps it even if the dispute is won, since June 2025."""
_AWAY = ("refund", "payout", "dispute")


def transaction(
    shop: Shop, source: Json, *, kind: str = "charge", amount: int | None = None
) -> Json:
    """What a charge, refund, dispute or payout does to the account's balance, with Stripe's fee for
    it; `amount` (minor unit) where it isn't the whole of it."""
    whole = source["amount"] if amount is None else amount
    moved, fee = -whole if kind in _AWAY else whole, _fee_of(kind, whole)
    at = shop.world.now() + 7 * DAY
    made = shop.world.make(
        "balance_transaction",
        "txn",
        amount=moved,
        available_on=at + -at % DAY,
        currency=source["currency"],
        description=_described(kind, source),
        fee=fee,
        net=moved - fee,
        source=source["id"],
        status="pending",
        type="adjustment" if kind.startswith("dispute") else kind,
        reporting_category=kind,
        balance_type="payments",
        fee_details=[_shown(fee, kind, source["currency"])] if fee else [],
    )
    if kind.startswith("payout") or is_at_once(shop, source):
        made.update(status="available", available_on=shop.world.now())
        shop.world.schedule("funds_available", made["id"], shop.world.now())
    else:
        _announce(shop, made)
    return shop.save(made)


def _described(kind: str, source: Json) -> str | None:
    if kind.startswith("dispute"):
        what = "withdrawal" if kind == "dispute" else "reversal"
        return f"Chargeback {what} for {source['charge']}"
    found: str | None = source.get("description")
    return found


def _fee_of(kind: str, amount: int) -> int:
    """2.9 % and 30 of a charge, a fixed fee of a dispute."""
    if kind == "charge":
        return (amount * 29 + 500) // 1000 + 30
    return DISPUTE_FEE if kind == "dispute" else 0


def _shown(fee: int, kind: str, currency: str) -> Json:
    words = "Dispute fee" if kind == "dispute" else "Stripe processing fees"
    return {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": words,
        "type": "stripe_fee",
    }


def is_at_once(shop: Shop, source: Json) -> bool:
    """Whether a charge's money is available without the usual wait."""
    method = shop.world.table("payment_method").get(source.get("payment_method"))
    return method is not None and cards.card_of(shop, method).last4 == AT_ONCE


def _announce(shop: Shop, entry: Json) -> None:
    """Have the money of a day become available together."""
    day = entry["available_on"]
    known = shop.world.private.get("funds", {})
    if known.get("at") != day:
        shop.world.keep("funds", at=day)
        shop.world.schedule("funds_available", entry["id"], day)
