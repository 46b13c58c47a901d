"""The lines of the feed about a purchase's money; what changes access is written by `settle`."""

from typing import Any

from latchkey.contracts import subscription_workflow_id
from latchkey.rules import access
from latchkey.rules.reading import Order, Payment
from latchkey.store.effects import Claim, Fact, Occasion, write_facts
from latchkey.store.pool import Connection

_Line = tuple[str, str, dict[str, Any]]
"""Which of its kind, type, data."""


def money_changed(reading: Order, old: Any) -> int:
    """1 where money went back, came back or was disputed since the reading before, else 0."""
    return 1 if _money_lines(reading, old, 0) else 0


def facts_of(
    reading: Order, old: Any, claims: list[Claim], *, changes: int, occasion: Occasion
) -> list[Fact]:
    """What this reading tells that the one before (`old`) didn't, once per product concerned.
    `changes` counts what happened to the order's money, this included."""
    found = [*_state_lines(reading), *_money_lines(reading, old, changes)]
    return [
        Fact(
            key=f"{type_}:{reading.id}:{claim.product.product_id}{suffix}",
            type=type_,
            at=occasion.as_of,
            cause="stripe",
            user_id=claim.user_id,
            product_id=claim.product.product_id,
            source_id=reading.id,
            event_id=occasion.event_id,
            workflow_id=claim.workflow_id,
            data=data,
        )
        for claim in claims
        for suffix, type_, data in found
    ]


def _state_lines(reading: Order) -> list[_Line]:
    match access.order_state(reading):
        case "pending":
            return [("", "payment_pending", {})]
        case "failed":
            return [("", "payment_failed", {})]
    return []


def _money_lines(reading: Order, old: Any, changes: int) -> list[_Line]:
    payment = reading.payment
    refunded = payment.amount_refunded if payment else 0
    found: list[_Line] = []
    data = {"amount": refunded, "currency": reading.currency}
    if payment and refunded > old["amount_refunded"]:
        found.append((f":{changes}", "refunded", {**data, "full": payment.refunded}))
    elif refunded < old["amount_refunded"]:
        found.append((f":{changes}", "refund_failed", data))
    phase = _phase(payment.dispute_status if payment else None)
    if payment and phase and phase != _phase(old["dispute_status"]):
        status = {"status": payment.dispute_status}
        found.append((f":{changes}", "disputed", status))
    return found


def _phase(status: str | None) -> str | None:
    return access.dispute_phase(status) if status else None


async def tell_of_bill(connection: Connection, bill: Order, *, occasion: Occasion) -> None:
    """Lines about money that went back, or is disputed, for a subscription's invoice.

    Access stays: a refund cancels no subscription, and a subscription that goes on is paid anew.
    """
    payment = bill.payment
    if payment is None or bill.subscription is None:
        return
    owners = await connection.fetch(
        """
        select distinct user_id, product_id from grants
         where source = 'subscription' and source_id = $1
        """,
        bill.subscription,
    )
    lines = _bill_lines(payment, bill)
    await write_facts(
        connection,
        [
            Fact(
                key=f"{type_}:{bill.id}:{owner['product_id']}{suffix}",
                type=type_,
                at=occasion.as_of,
                cause="stripe",
                user_id=owner["user_id"],
                product_id=owner["product_id"],
                source_id=bill.subscription,
                event_id=occasion.event_id,
                workflow_id=subscription_workflow_id(bill.subscription),
                data=data,
            )
            for owner in owners
            for suffix, type_, data in lines
        ],
    )


def _bill_lines(payment: Payment, bill: Order) -> list[_Line]:
    found: list[_Line] = []
    if payment.amount_refunded:
        amount = payment.amount_refunded
        data = {"amount": amount, "currency": bill.currency, "full": payment.refunded}
        found.append((f":{amount}", "refunded", {**data, "invoice": bill.id}))
    if payment.dispute_status:
        data = {"status": payment.dispute_status, "invoice": bill.id}
        found.append((f":{_phase(payment.dispute_status)}", "disputed", data))
    return found
