"""Disputes, in which a bank takes money back, and inquiries, in which it asks first."""

from sandbox.shop import Shop, invalid, snapshot
from sandbox.transactions import transaction
from sandbox.world import Json

OPENED = ("needs_response", "warning_needs_response")
CLOSED = ("won", "lost", "warning_closed", "prevented")
_DAYS = 9
"""How long there is to answer: to the end of that day, in UTC, as Stripe's dates are."""
_ANSWERS = {"winning_evidence": "won", "losing_evidence": "lost"}
"""How a dispute ends, by the `uncategorized_text` of its evidence."""


def open_dispute(
    shop: Shop,
    charge: Json,
    *,
    status: str = "needs_response",
    reason: str = "fraudulent",
    amount: int | None = None,
) -> Json:
    """A dispute, or an inquiry (`warning_needs_response`) where no money is taken yet."""
    if status not in OPENED:
        raise invalid(f"The dispute's status must be one of {', '.join(OPENED)}, not {status}.")
    if not charge["paid"]:
        raise invalid("Only a paid charge can be disputed.")
    inquiry = status.startswith("warning")
    with shop.row():
        made = shop.world.make(
            "dispute",
            "du",
            amount=amount or charge["amount"],
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            reason=reason,
            status=status,
            is_charge_refundable=inquiry,
        )
        made["evidence_details"]["due_by"] = _due_by(shop)
        if not inquiry:
            made["balance_transactions"] = [transaction(shop, made, kind="dispute")]
        shop.save(made, "charge.dispute.created")
        if not inquiry:
            shop.emit("charge.dispute.funds_withdrawn", made)
        charge["disputed"] = True
        shop.save(charge, "charge.updated")
    if shop.settings.dispute_cancels:
        shop.world.schedule("act_on_dispute", made["id"], shop.world.now())
    return made


def answer(shop: Shop, dispute: Json, evidence: Json, *, submit: bool) -> Json:
    """Add evidence to a dispute; test evidence decides the outcome."""
    _still_open(dispute)
    before = snapshot(dispute)
    given = {key: value or None for key, value in evidence.items()}
    dispute["evidence"] = {**dispute["evidence"], **given}
    details = dispute["evidence_details"]
    details["has_evidence"] = any(given.values()) or details["has_evidence"]
    if submit:
        details["submission_count"] += 1
        details["past_due"] = shop.world.now() > details["due_by"]
        dispute["status"] = (
            "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
        )
    with shop.row():
        shop.save(dispute, "charge.dispute.updated", before)
        text = evidence.get("uncategorized_text")
        if submit and text == "escalate_inquiry_evidence":
            escalate(shop, dispute)
        elif submit and text in _ANSWERS:
            outcome = _ANSWERS[text]
            inquiry = dispute["status"].startswith("warning")
            close(shop, dispute, "warning_closed" if inquiry and outcome == "won" else outcome)
    return dispute


def escalate(shop: Shop, dispute: Json) -> Json:
    """Turn an inquiry into a dispute and withdraw the money."""
    if not dispute["status"].startswith("warning"):
        raise invalid(f"Only an inquiry can become a dispute; this is {dispute['status']}.")
    before = snapshot(dispute)
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["evidence_details"]["due_by"] = _due_by(shop)
    dispute["balance_transactions"] = [transaction(shop, dispute, kind="dispute")]
    with shop.row():
        shop.save(dispute, "charge.dispute.updated", before)
        shop.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(shop: Shop, dispute: Json, outcome: str) -> Json:
    """Close it as `won`, `lost`, `warning_closed` or `prevented`."""
    if outcome not in CLOSED:
        raise invalid(f"The outcome must be one of {', '.join(CLOSED)}, not {outcome}.")
    _still_open(dispute)
    withdrawn = not dispute["status"].startswith("warning")
    with shop.row():
        dispute["status"] = outcome
        dispute["is_charge_refundable"] = outcome in ("won", "warning_closed")
        if withdrawn and outcome in ("won", "prevented"):
            back = transaction(shop, dispute, kind="dispute_reversal")
            dispute["balance_transactions"] = [*dispute["balance_transactions"], back]
        shop.save(dispute, "charge.dispute.closed")
        if withdrawn and outcome in ("won", "prevented"):
            shop.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def _due_by(shop: Shop) -> int:
    days = int(shop.world.now()) // 86_400 + _DAYS
    return (days + 1) * 86_400 - 1


def _still_open(dispute: Json) -> None:
    if dispute["status"] in CLOSED:
        raise invalid("This dispute is already closed.", code="dispute_closed")
