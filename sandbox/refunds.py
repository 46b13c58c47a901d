"""Refunds: created, pending, failed, canceled."""

from sandbox import cards
from sandbox.shop import Shop, invalid, snapshot
from sandbox.transactions import transaction
from sandbox.world import Json


def refund(
    shop: Shop,
    charge: Json,
    *,
    amount: int | None,
    reason: str | None = None,
    metadata: Json | None = None,
) -> Json:
    """Refund a charge: `amount` (minor unit), or everything not refunded yet."""
    left = charge["amount"] - charge["amount_refunded"]
    if not charge["paid"] or charge["status"] != "succeeded":
        raise invalid("Charge has not been paid and can't be refunded.", param="charge")
    if left <= 0:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = left if amount is None else amount
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param="amount",
            code="parameter_invalid_integer",
        )
    if amount > left:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
        )
    if charge["disputed"] and not _refundable(shop, charge):
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    card = cards.card_of(shop, shop.find("payment_method", charge["payment_method"]))
    with shop.row():
        made = shop.world.make(
            "refund",
            "re",
            amount=amount,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            reason=reason,
            metadata=metadata or {},
            status="pending" if card.refund == "pending" else "succeeded",
            customer=charge["customer"],
            payment_method=charge["payment_method"],
        )
        made["destination_details"] = {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        }
        made["balance_transaction"] = transaction(shop, made, kind="refund")["id"]
        shop.save(made, "refund.created")
        before = snapshot(charge)
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if reason == "fraudulent":
            charge["fraud_details"] = {**charge["fraud_details"], "user_report": "fraudulent"}
        shop.save(charge, "charge.refunded", before)
    if card.refund:
        at = shop.world.now() + shop.settings.delayed_seconds
        shop.world.schedule("settle_refund", made["id"], at)
    return made


def _refundable(shop: Shop, charge: Json) -> bool:
    rows = shop.world.table("dispute").newest_first(
        {"charge": charge["id"]}, before=None, after=None
    )
    return all(row["is_charge_refundable"] or row["status"] == "won" for row in rows)


def settle(shop: Shop, refunded: Json) -> None:
    """Due work: settle a refund as its card's behaviour says."""
    card = cards.card_of(shop, shop.find("payment_method", refunded["payment_method"]))
    if card.refund == "failing":
        fail(shop, refunded)
    elif refunded["status"] == "pending":
        arrive(shop, refunded)


def arrive(shop: Shop, refunded: Json) -> Json:
    """Complete a pending refund."""
    if refunded["status"] not in ("pending", "requires_action"):
        raise invalid(f"The refund is {refunded['status']}, not pending.")
    before = snapshot(refunded)
    refunded["status"] = "succeeded"
    return tell(shop, refunded, before)


def tell(shop: Shop, refunded: Json, before: Json) -> Json:
    """Store a change of a refund, with its event under both of its names."""
    with shop.row():
        shop.save(refunded, "refund.updated", before)
        shop.emit("charge.refund.updated", refunded, before)
    return refunded


def cancel(shop: Shop, refunded: Json) -> Json:
    """Cancel a refund that is waiting for the customer."""
    if refunded["status"] != "requires_action":
        raise invalid(
            f"Refund {refunded['id']} cannot be canceled because it has a status of"
            f" {refunded['status']}."
        )
    return _undo(shop, refunded, status="canceled", reason=None)


def fail(shop: Shop, refunded: Json) -> Json:
    """Fail a refund: the money comes back."""
    if refunded["status"] in ("failed", "canceled"):
        raise invalid(f"The refund is already {refunded['status']}.")
    return _undo(shop, refunded, status="failed", reason="lost_or_stolen_card")


def _undo(shop: Shop, refunded: Json, *, status: str, reason: str | None) -> Json:
    charge = shop.find("charge", refunded["charge"])
    with shop.row():
        before = snapshot(refunded)
        refunded["status"] = status
        if reason:
            back = transaction(shop, refunded, kind="refund_failure")
            refunded.update(failure_reason=reason, failure_balance_transaction=back["id"])
        tell(shop, refunded, before)
        if status == "failed":
            shop.emit("refund.failed", refunded)
        charge["amount_refunded"] -= refunded["amount"]
        charge["refunded"] = False
        shop.save(charge)
    shop.world.schedule("settle_refund", refunded["id"], None)
    return refunded
