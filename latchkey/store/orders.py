"""Applies readings of one-off purchases: mirror, grants, activity lines and mails.

Events, imports and reconciliation all come through `apply_orders`. The caller opens the
transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latchkey.contracts import Wake, purchase_workflow_id
from latchkey.rules import access
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Order
from latchkey.store.effects import Claim, Fact, Occasion, settle, write_facts
from latchkey.store.linked_products import LinkedProduct, linked_products, opened_by
from latchkey.store.people import Buyer, resolve
from latchkey.store.pool import Connection
from latchkey.store.subscriptions import describe


@dataclass(frozen=True)
class AppliedOrder:
    """What one reading led to. `stale` means that a later reading was there first."""

    order_id: str
    relevant: bool
    access: bool
    terminal: bool
    stale: bool
    state: str
    products: tuple[str, ...] = ()
    wake_at: Any = None
    wake: Wake | None = None


@dataclass
class AppliedOrders:
    applied: dict[str, AppliedOrder]
    granted: int = 0
    already: int = 0


async def apply_orders(
    connection: Connection,
    readings: Sequence[Order],
    *,
    occasion: Occasion,
    references: dict[str, int] | None = None,
) -> AppliedOrders:
    """Apply readings taken under `occasion.ticket`; applying them again changes nothing.

    `references` maps order ids to the users that their signed references name. An order that
    neither grants nor waits for money, and never did, is left unrecorded.
    """
    references = references or {}
    products = await linked_products(
        connection,
        {line.stripe_product for reading in readings for line in reading.one_off_lines},
        account=occasion.account,
    )
    known = {
        row["id"]: row["user_id"]
        for row in await connection.fetch(
            "select id, user_id from orders where id = any($1::text[])", [r.id for r in readings]
        )
    }
    outcome = AppliedOrders({})
    concerned = []
    for reading in readings:
        linked = [p for p in _linked(reading, products) if not p.removed]
        counts = linked and access.order_state(reading) in ("paid", "pending")
        if reading.id in known or counts:
            concerned.append(reading)
        else:
            state = "Nothing was bought yet" if linked else "None of its products is linked"
            outcome.applied[reading.id] = AppliedOrder(
                reading.id, bool(linked), False, True, False, state
            )
    people = await resolve(
        connection,
        [
            Buyer(
                key=reading.id,
                customer_id=reading.customer.id if reading.customer else None,
                email=reading.email,
                name=reading.name,
                reference_user=references.get(reading.id),
            )
            for reading in concerned
            if reading.id not in known
        ],
        account=occasion.account,
        ticket=occasion.ticket,
    )
    users = known | {key: person.user_id for key, person in people.items()}
    for reading in [r for r in concerned if r.id not in users]:
        outcome.applied[reading.id] = AppliedOrder(
            reading.id, True, False, True, False, "Nobody to grant to: no e-mail address in Stripe"
        )
    concerned = [reading for reading in concerned if reading.id in users]
    old = await _lock(connection, concerned, users=users, occasion=occasion)
    fresh = []
    for reading in concerned:
        if old[reading.id]["ticket"] > occasion.ticket:
            outcome.applied[reading.id] = AppliedOrder(
                reading.id, True, False, False, True, "Read meanwhile"
            )
        else:
            fresh.append(reading)
    await _apply(connection, fresh, old, products, outcome, occasion=occasion)
    return outcome


async def order_of_payment(connection: Connection, payment_intent: str) -> list[str]:
    """Ids of the known orders that a payment intent paid for."""
    rows = await connection.fetch(
        "select id from orders where payment_intent = $1 order by id", payment_intent
    )
    return [row["id"] for row in rows]


async def _apply(
    connection: Connection,
    readings: list[Order],
    old: dict[str, Any],
    products: dict[str, list[LinkedProduct]],
    outcome: AppliedOrders,
    *,
    occasion: Occasion,
) -> None:
    if not readings:
        return
    by_order: dict[str, list[Claim]] = {}
    for reading in readings:
        by_order[reading.id] = [
            Claim(
                user_id=old[reading.id]["user_id"],
                product=product,
                source="order",
                source_id=reading.id,
                workflow_id=purchase_workflow_id(reading.id),
                begun_at=reading.created,
                verdict=access.judge_order(reading, product.policy, as_of=occasion.as_of),
            )
            for product in _linked(reading, products)
        ]
    settled = await settle(
        connection,
        [claim for claims in by_order.values() for claim in claims],
        source="order",
        source_ids=list(by_order),
        occasion=occasion,
    )
    outcome.granted, outcome.already = settled.granted, settled.already
    facts = []
    for reading in readings:
        claims = by_order[reading.id]
        verdict = (
            max((c.verdict for c in claims), key=lambda v: v.access)
            if claims
            else access.judge_order(reading, DEFAULT_POLICY, as_of=occasion.as_of)
        )
        outcome.applied[reading.id] = AppliedOrder(
            order_id=reading.id,
            relevant=bool(claims),
            access=verdict.access and bool(claims),
            terminal=verdict.terminal,
            stale=False,
            state=describe(verdict),
            products=tuple(claim.product.product_id for claim in claims),
            wake_at=verdict.wake_at,
            wake=verdict.wake,
        )
        facts += _facts(reading, old[reading.id], claims, occasion=occasion)
    await _write_mirror(connection, readings, occasion=occasion)
    await write_facts(connection, facts)


def _linked(reading: Order, products: dict[str, list[LinkedProduct]]) -> list[LinkedProduct]:
    return opened_by({line.stripe_product for line in reading.one_off_lines}, products)


def _facts(reading: Order, old: Any, claims: list[Claim], *, occasion: Occasion) -> list[Fact]:
    """Lines about the money; what changes access is written by `settle`."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    state, payment = access.order_state(reading), reading.payment
    if state == "pending":
        found.append(("", "payment_pending", {}))
    if state == "failed":
        found.append(("", "payment_failed", {}))
    refunded = payment.amount_refunded if payment else 0
    if refunded > old["amount_refunded"]:
        data = {"amount": refunded, "currency": reading.currency, "full": payment.refunded}  # type: ignore[union-attr]
        found.append((f":{refunded}", "refunded", data))
    if payment and payment.dispute_status and payment.dispute_status != old["dispute_status"]:
        status = payment.dispute_status
        found.append((f":{status}", "disputed", {"status": status}))
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


async def _lock(
    connection: Connection,
    readings: Sequence[Order],
    *,
    users: dict[str, int],
    occasion: Occasion,
) -> dict[str, Any]:
    """Lock the mirror rows, made where missing; a row with ticket 0 is new."""
    if not readings:
        return {}
    ordered = sorted(readings, key=lambda reading: reading.id)
    await connection.execute(
        """
        insert into orders (id, account_id, livemode, customer_id, user_id, state, created_at,
                            ticket)
        select id, $1, $2, customer_id, user_id, 'new', created_at, 0
          from unnest($3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
               as given (id, customer_id, user_id, created_at)
        on conflict (id) do nothing
        """,
        occasion.account.id,
        occasion.account.livemode,
        [r.id for r in ordered],
        [r.customer.id if r.customer else None for r in ordered],
        [users[r.id] for r in ordered],
        [r.created for r in ordered],
    )
    rows = await connection.fetch(
        """
        select id, user_id, state, amount_refunded, dispute_status, ticket
          from orders where id = any($1::text[]) order by id for update
        """,
        [r.id for r in ordered],
    )
    return {row["id"]: row for row in rows}


async def _write_mirror(
    connection: Connection, readings: Sequence[Order], *, occasion: Occasion
) -> None:
    rows = [
        {
            "id": r.id,
            "state": access.order_state(r),
            "payment_intent": r.payment.payment_intent if r.payment else None,
            "invoice": r.invoice,
            "subscription_id": r.subscription,
            "currency": r.currency,
            "amount": r.amount,
            "amount_refunded": r.payment.amount_refunded if r.payment else 0,
            "disputed": r.payment.disputed if r.payment else False,
            "dispute_status": r.payment.dispute_status if r.payment else None,
            "paid_at": (r.payment.charged_at if r.payment else r.created)
            if access.order_state(r) == "paid"
            else None,
        }
        for r in readings
    ]
    await connection.execute(
        """
        update orders o
           set state = g.state, payment_intent = g.payment_intent, invoice = g.invoice,
               subscription_id = g.subscription_id, currency = g.currency, amount = g.amount,
               amount_refunded = g.amount_refunded, disputed = g.disputed,
               dispute_status = g.dispute_status, paid_at = g.paid_at, ticket = $2,
               read_at = now()
          from jsonb_to_recordset($1::jsonb) as g (
               id text, state text, payment_intent text, invoice text, subscription_id text,
               currency text, amount bigint, amount_refunded bigint, disputed boolean,
               dispute_status text, paid_at timestamptz)
         where o.id = g.id
        """,
        rows,
        occasion.ticket,
    )
    lines = [
        {
            "order_id": r.id,
            "id": line.id,
            "stripe_product": line.stripe_product,
            "price_id": line.price_id,
            "quantity": line.quantity,
            "amount": line.amount,
        }
        for r in readings
        for line in r.one_off_lines
    ]
    await connection.execute(
        """
        insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
        select * from jsonb_to_recordset($1::jsonb) as g (
            order_id text, id text, stripe_product text, price_id text, quantity integer,
            amount bigint)
        on conflict (order_id, id) do nothing
        """,
        lines,
    )
