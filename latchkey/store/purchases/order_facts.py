"""Activity lines about a purchase's payment. `settle` writes those about access."""

from dataclasses import dataclass
from typing import Any

from latchkey.contracts import subscription_workflow_id
from latchkey.rules import access
from latchkey.rules.reading import Dispute, Order
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases.order_mirror import RecordedOrder
from latchkey.store.purchases.settling import Entitlement
from latchkey.store.stripe.context import ApplyContext

_Line = tuple[str, ActivityType, dict[str, Any]]
"""Sequence number within its kind, type, data."""


@dataclass(frozen=True)
class RecordedBill:
    """A subscription's invoice as last read, locked."""

    amount_refunded: int
    credited_after: int
    dispute_status: str | None
    money_changes: int
    ticket: int


def money_changed(reading: Order, old: RecordedOrder | RecordedBill) -> int:
    """1 if there was a refund, a reversal, a credit or a dispute since the previous reading,
    otherwise 0."""
    return 1 if _money_lines(reading, old, 0) else 0


def facts_of(
    reading: Order,
    old: RecordedOrder,
    entitlements: list[Entitlement],
    *,
    changes: int,
    context: ApplyContext,
) -> list[Fact]:
    """Facts that are new in this reading compared to `old`, once per product concerned. `changes`
    counts the payment's changes so far, including this one."""
    found = [*_state_lines(reading), *_money_lines(reading, old, changes)]
    return [
        Fact(
            key=f"{type_}:{reading.id}:{entitlement.product.product_id}{suffix}",
            type=type_,
            at=context.as_of,
            cause=Cause.STRIPE,
            user_id=entitlement.user_id,
            product_id=entitlement.product.product_id,
            source_id=reading.id,
            event_id=context.event_of(reading.id),
            workflow_id=entitlement.workflow_id,
            data=data,
        )
        for entitlement in entitlements
        for suffix, type_, data in found
    ]


def _state_lines(reading: Order) -> list[_Line]:
    match access.order_state(reading):
        case "pending":
            return [("", ActivityType.PAYMENT_PENDING, {})]
        case "failed":
            return [("", ActivityType.PAYMENT_FAILED, {})]
    return []


def _money_lines(reading: Order, old: RecordedOrder | RecordedBill, changes: int) -> list[_Line]:
    payment = reading.payment
    refunded = payment.amount_refunded if payment else 0
    found: list[_Line] = []
    data = {"amount": refunded, "currency": reading.currency}
    if payment and refunded > old.amount_refunded:
        found.append((f":{changes}", ActivityType.REFUNDED, {**data, "full": payment.refunded}))
    elif refunded < old.amount_refunded:
        found.append((f":{changes}", ActivityType.REFUND_FAILED, data))
    found += _credit_lines(reading, old, changes)
    dispute = payment.dispute if payment else None
    if dispute and access.dispute_phase(dispute.status) != _phase(old.dispute_status):
        found.append((f":{changes}", ActivityType.DISPUTED, _dispute_data(dispute)))
    return found


def _dispute_data(dispute: Dispute) -> dict[str, Any]:
    due = dispute.evidence_due
    return {
        "status": dispute.status,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "evidence_due": due.isoformat() if due else None,
    }


def _credit_lines(reading: Order, old: RecordedOrder | RecordedBill, changes: int) -> list[_Line]:
    """What credit notes gave back after the payment, other than by a refund."""
    data = {"amount": reading.credited_after, "currency": reading.currency}
    if reading.credited_after > old.credited_after:
        full = reading.credited_after + reading.credited_before >= reading.amount
        return [(f":{changes}", ActivityType.CREDITED, {**data, "full": full})]
    if reading.credited_after < old.credited_after:
        return [(f":{changes}", ActivityType.CREDIT_WITHDRAWN, data)]
    return []


def _phase(status: str | None) -> str | None:
    return access.dispute_phase(status) if status else None


async def tell_of_bill(connection: Connection, order: Order, *, context: ApplyContext) -> None:
    """Write activity lines about refunds, reversals, credits and disputes of a subscription's
    invoice. `order` is the invoice, or the checkout session that created it.

    Access stays: a refund doesn't cancel a subscription, and a running subscription is paid again.
    """
    if order.subscription is None:
        return
    old = await _lock_bill(connection, order)
    if old is None or old.ticket > context.ticket:
        return
    changes = old.money_changes + money_changed(order, old)
    dispute = order.payment.dispute if order.payment else None
    owners = await connection.fetch(
        """
        select distinct user_id, product_id from grants
         where source = 'subscription' and source_id = $1
        """,
        order.subscription,
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"{type_}:{order.subscription}:{order.invoice}:{owner['product_id']}{suffix}",
                type=type_,
                at=context.as_of,
                cause=Cause.STRIPE,
                user_id=owner["user_id"],
                product_id=owner["product_id"],
                source_id=order.subscription,
                event_id=context.event_of(order.id),
                workflow_id=subscription_workflow_id(order.subscription),
                data={**data, "invoice": order.invoice},
            )
            for owner in owners
            for suffix, type_, data in _money_lines(order, old, changes)
        ],
    )
    await connection.execute(
        """
        update bills set amount_refunded = $2, dispute_status = $3, money_changes = $4, ticket = $5,
                         credited_after = $6, dispute_amount = $7, dispute_currency = $8
         where id = $1
        """,
        order.invoice,
        order.payment.amount_refunded if order.payment else 0,
        dispute.status if dispute else None,
        changes,
        context.ticket,
        order.credited_after,
        dispute.amount if dispute else None,
        dispute.currency if dispute else None,
    )


async def _lock_bill(connection: Connection, order: Order) -> RecordedBill | None:
    """The invoice as last read, locked; None if none of its money ever went back."""
    payment = order.payment
    moved = payment is not None and (payment.amount_refunded or payment.dispute_status)
    if moved or order.credited_after:
        await connection.execute(
            "insert into bills (id, subscription_id) values ($1, $2) on conflict (id) do nothing",
            order.invoice,
            order.subscription,
        )
    row = await connection.fetchrow(
        """
        select amount_refunded, credited_after, dispute_status, money_changes, ticket
          from bills where id = $1 for update
        """,
        order.invoice,
    )
    return RecordedBill(**dict(row)) if row else None
