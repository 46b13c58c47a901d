"""Applies readings of one-off purchases: mirror, grants, activity lines and emails.

Events, imports and reconciliation all use `apply_orders`. Policy changes and changes of identity
use `rejudge_orders`, which judges the last readings again. The caller opens the transaction.
"""

from collections.abc import Sequence
from functools import partial

from latchkey.contracts import purchase_workflow_id
from latchkey.rules import access
from latchkey.rules.access import Verdict
from latchkey.rules.identity import Reference
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Order
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases import customer_accounts, matches
from latchkey.store.purchases import order_mirror as mirror
from latchkey.store.purchases.buyers import Buyer, resolve
from latchkey.store.purchases.judging import (
    Applied,
    AppliedPage,
    Judged,
    Source,
    describe,
    read_meanwhile,
    unrecorded,
)
from latchkey.store.purchases.linked_products import LinkedProduct, linked_products, opened_by
from latchkey.store.purchases.order_facts import facts_of, money_changed
from latchkey.store.purchases.settling import Entitlement, given_by, settle
from latchkey.store.stripe.context import ApplyContext

NOBODY = "Nobody to give access to: no email address in Stripe"
NOT_LINKED = "None of its products are linked"
NOT_YET = "Nothing has been bought yet"
LEFT_OUT = "Paid before its link was created, and the link leaves out such past invoices"

_Products = dict[str, list[LinkedProduct]]
PENDING = "pending"
_COUNTS = ("paid", PENDING)


async def apply_orders(
    connection: Connection,
    readings: Sequence[Order],
    *,
    context: ApplyContext,
    references: dict[str, Reference] | None = None,
) -> AppliedPage:
    """Apply readings taken under `context.ticket` (a fencing token). Applying is idempotent.

    `references` maps order ids to what their signed references say. An order that has
    never been paid or pending isn't recorded, nor is an invoice that every link ignores as past. If
    only some links count an invoice, the others give nothing.
    """
    references = references or {}
    readings = await customer_accounts.recognized(connection, readings)
    outcome = AppliedPage({})
    readings = await _without_bills_of_sessions(connection, readings, outcome)
    products = await _products(connection, readings, context)
    known = await _known(connection, readings)
    concerned = []
    for reading in readings:
        linked = [p for p in _linked(reading, products) if not p.removed]
        counts = any(product.counts(reading) for product in linked)
        if reading.id in known or (counts and access.order_state(reading) in _COUNTS):
            concerned.append(reading)
        else:
            state = LEFT_OUT if linked and not counts else NOT_YET if linked else NOT_LINKED
            outcome.applied[reading.id] = unrecorded(reading.id, state, relevant=bool(linked))
    users = await _users(connection, concerned, known, products, references, context=context)
    await mirror.make(connection, concerned, users=users, account=context.account)
    old = await mirror.lock(connection, sorted(reading.id for reading in concerned))
    fresh = []
    for reading in concerned:
        if old[reading.id].ticket > context.ticket:
            outcome.applied[reading.id] = read_meanwhile(reading.id)
        else:
            fresh.append(reading)
    bills = await _take_over_bills(connection, fresh)
    changes = await _apply(connection, fresh, old, products, outcome, bills=bills, context=context)
    if fresh:
        await mirror.write(connection, fresh, money_changes=changes, ticket=context.ticket)
    return outcome


async def rejudge_orders(
    connection: Connection, ids: Sequence[str], *, context: ApplyContext
) -> AppliedPage:
    """Judge the last readings of these orders again after a change of rules or people, not of
    Stripe's data. The mirror stays as it is."""
    outcome = AppliedPage({})
    if not ids:
        return outcome
    await mirror.lock(connection, sorted(ids))
    readings = await mirror.readings(connection, ids)
    products = await _products(connection, readings, context)
    known = await mirror.known(connection, ids)
    users = await _users(connection, readings, known, products, {}, context=context)
    await mirror.make(connection, readings, users=users, account=context.account)
    old = await mirror.lock(connection, sorted(ids))
    await _apply(connection, readings, old, products, outcome, context=context)
    return outcome


async def _without_bills_of_sessions(
    connection: Connection, readings: Sequence[Order], outcome: AppliedPage
) -> list[Order]:
    """Leave out the invoices that a known checkout session created, or one among the readings: the
    session is the purchase. Whoever read such an invoice didn't find its session yet."""
    invoices = [reading.id for reading in readings if reading.is_invoice]
    if not invoices:
        return list(readings)
    made = {key for key, by in (await mirror.of_invoices(connection, invoices)).items() if by}
    made |= set(_invoices_of_sessions(readings))
    kept = [reading for reading in readings if reading.id not in made]
    outcome.applied |= {key: read_meanwhile(key) for key in invoices if key in made}
    return kept


async def _known(connection: Connection, readings: Sequence[Order]) -> dict[str, int | None]:
    """The user of each order that has a row. A session whose invoice was taken as an order of its
    own is known by it."""
    sessions = _invoices_of_sessions(readings)
    found = await mirror.known(connection, [*(reading.id for reading in readings), *sessions])
    for invoice, session in sessions.items():
        if invoice in found:
            found[session] = found.get(session) or found[invoice]
    return found


async def _take_over_bills(connection: Connection, readings: Sequence[Order]) -> list[str]:
    """Have the sessions take over what their invoices gave as orders of their own, and return
    those invoices."""
    sessions = _invoices_of_sessions(readings)
    if not sessions:
        return []
    bills = await mirror.hand_over(connection, sessions)
    await matches.settled(connection, bills)
    return bills


def _invoices_of_sessions(readings: Sequence[Order]) -> dict[str, str]:
    """The checkout sessions among these orders, by the invoices that they created."""
    return {
        reading.invoice: reading.id
        for reading in readings
        if reading.invoice and not reading.is_invoice
    }


async def _products(
    connection: Connection, readings: Sequence[Order], context: ApplyContext
) -> _Products:
    return await linked_products(
        connection,
        {line.stripe_product for reading in readings for line in reading.one_off_lines},
        account=context.account,
    )


async def _users(
    connection: Connection,
    readings: Sequence[Order],
    known: dict[str, int | None],
    products: _Products,
    references: dict[str, Reference],
    *,
    context: ApplyContext,
) -> dict[str, int]:
    """The user of each order. Orders are absent if the buyer is unknown or wouldn't get
    anything."""
    users = {key: user for key, user in known.items() if user is not None}
    found = await resolve(
        connection,
        [
            Buyer(
                key=reading.id,
                source=GrantSource.ORDER,
                customer_id=reading.customer.id if reading.customer else None,
                account=reading.customer.account if reading.customer else None,
                email=reading.email or (reading.customer.email if reading.customer else None),
                name=reading.name or (reading.customer.name if reading.customer else None),
                reference=references.get(reading.id),
                products=_opened(reading, products),
                begun=min(reading.begun, context.as_of),
                create=_gives(reading, products, context),
                language=reading.locale or (reading.customer.locale if reading.customer else None),
            )
            for reading in readings
            if reading.id not in users
        ],
        context=context,
    )
    if was_unknown := [key for key in found if key in known]:
        await matches.settled(connection, was_unknown)
    return users | {key: person.user_id for key, person in found.items()}


async def _apply(
    connection: Connection,
    readings: list[Order],
    old: dict[str, mirror.RecordedOrder],
    products: _Products,
    outcome: AppliedPage,
    *,
    bills: Sequence[str] = (),
    context: ApplyContext,
) -> dict[str, int]:
    """Settle the readings; returns how often each one's payment has changed so far. What `bills`
    still give, ends."""
    if not readings:
        return {}
    ids = [reading.id for reading in readings]
    given = await given_by(connection, GrantSource.ORDER, [*ids, *bills])
    changes: dict[str, int] = {}
    entitlements: list[Entitlement] = []
    causes: list[Fact] = []
    results: list[Fact] = []
    for reading in readings:
        before = old[reading.id]
        source = Source(
            GrantSource.ORDER, reading.id, purchase_workflow_id(reading.id), reading.bought
        )
        judge = partial(_judge, reading, context)
        opened = [
            product
            for product in _linked(reading, products)
            if product.counts(reading) or (reading.id, product.product_id) in given.live
        ]
        judged = source.judge(opened, judge, given=given, context=context)
        own = source.entitlements(before.user_id, judged)
        entitlements += own
        outcome.applied[reading.id] = _applied(reading, judged, before.user_id, context)
        awaits = access.order_state(reading) == PENDING
        outcome.moved += [reading.id] if awaits is not (before.state == PENDING) else []
        changes[reading.id] = before.money_changes + money_changed(reading, before)
        told = causes if before.ticket else results
        told += facts_of(reading, before, own, changes=changes[reading.id], context=context)
    await write_facts(connection, causes)
    settled = await settle(
        connection, entitlements, given=given, same_purchase=bills, context=context
    )
    outcome.granted, outcome.already = settled.granted, settled.already
    outcome.ended = settled.ended
    await write_facts(connection, results)
    return changes


def _judge(reading: Order, context: ApplyContext, product: LinkedProduct) -> Verdict:
    return access.judge_order(reading, product.policy, as_of=context.as_of)


def _applied(
    reading: Order,
    judged: Judged,
    user: int | None,
    context: ApplyContext,
) -> Applied:
    verdict = (
        max((verdict for _, verdict in judged), key=lambda v: v.access)
        if judged
        else access.judge_order(reading, DEFAULT_POLICY, as_of=context.as_of)
    )
    nobody = user is None and verdict.access
    return Applied(
        source_id=reading.id,
        relevant=bool(judged),
        access=verdict.access and bool(judged) and user is not None,
        terminal=verdict.terminal,
        state=NOBODY if nobody else describe(verdict),
        nobody=nobody,
        products=tuple(product.product_id for product, _ in judged),
        wake_at=verdict.wake_at,
        wake=verdict.wake,
    )


def _gives(reading: Order, products: _Products, context: ApplyContext) -> bool:
    """Whether it gives access to anything, now or once it is paid."""
    if access.order_state(reading) == "pending":
        return True
    return any(
        product.counts(reading) and _judge(reading, context, product).access
        for product in _linked(reading, products)
    )


def _opened(reading: Order, products: _Products) -> tuple[str, ...]:
    return tuple(product.product_id for product in _linked(reading, products))


def _linked(reading: Order, products: _Products) -> list[LinkedProduct]:
    return opened_by({line.stripe_product for line in reading.one_off_lines}, products)
