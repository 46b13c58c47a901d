"""Applies readings of subscriptions: mirror, grants, activity lines and emails in one transaction.

Events, imports, timers and reconciliation all use `apply_subscriptions`, with one reading or a page
of a hundred. Policy changes and changes of identity use `rejudge_subscriptions`, which judges the
last readings again. The caller opens the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from latchkey.contracts import subscription_workflow_id
from latchkey.rules import access
from latchkey.rules.access import Verdict
from latchkey.rules.cancelling import Canceller
from latchkey.rules.identity import Reference
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Subscription
from latchkey.rules.vocabulary import Cause, GrantSource
from latchkey.store.feed.facts import Fact, write_cause, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases import (
    buyers,
    customer_accounts,
    matches,
    second_subscriptions,
    tombstones,
)
from latchkey.store.purchases import subscription_mirror as mirror
from latchkey.store.purchases.buyers import Buyer, resolve
from latchkey.store.purchases.cancellations import cancellers
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
from latchkey.store.purchases.settling import Entitlement, Settled, given_by, settle
from latchkey.store.purchases.subscription_facts import (
    asks_who,
    facts_of,
    late_answers,
    newly_cancelled,
    past_due_since,
    stripe_past_due_since,
)
from latchkey.store.stripe.context import ApplyContext

NOBODY = "Nobody to give access to: the customer has no email address in Stripe"


@dataclass(frozen=True)
class CheckoutInfo:
    """A subscription's checkout session, when it began, and the reference found there. `language`
    is the tag of its language."""

    checkout_session: str | None = None
    reference: Reference | None = None
    begun: datetime | None = None
    language: str | None = None


_NO_CHECKOUT = CheckoutInfo()
_BY_STRIPE = Canceller(Cause.STRIPE)
_Products = dict[str, list[LinkedProduct]]
_Checkouts = dict[str, CheckoutInfo]


async def apply_subscriptions(
    connection: Connection,
    readings: Sequence[Subscription],
    *,
    context: ApplyContext,
    checkouts: _Checkouts | None = None,
) -> AppliedPage:
    """Apply readings taken under `context.ticket` (a fencing token). Applying is idempotent.

    A subscription that is over and never gave anything is left unrecorded, and so is one of which
    no product is linked: only a trace stays in `passed_over`, since an import, or a worker that was
    given up, may hold an older reading. One that gives nothing for now is mirrored but doesn't
    create a user. Of two readings, the one with the later ticket wins.
    """
    checkouts = checkouts or {}
    readings = await customer_accounts.recognized(connection, readings)
    products = await linked_products(
        connection,
        {product for reading in readings for product in reading.stripe_products},
        account=context.account,
    )
    known, overtaken = await _known(connection, readings, context=context)
    page = AppliedPage({})
    concerned = _concerned(readings, known, overtaken, products, page)
    if left_out := sorted(page.applied.keys() - overtaken):
        await tombstones.remember(connection, left_out, ticket=context.ticket)
    users = await _users(connection, concerned, known, products, checkouts, context=context)
    await mirror.make(connection, concerned, users=users, account=context.account)
    old = await mirror.lock(connection, sorted(reading.id for reading in concerned))
    fresh = [r for r in concerned if old[r.id].ticket <= context.ticket]
    for reading in concerned:
        if old[reading.id].ticket > context.ticket:
            page.applied[reading.id] = read_meanwhile(reading.id)
    old = await _hand_over(connection, fresh, old, products, checkouts, context=context)
    await _apply(connection, fresh, old, products, page, context=context, checkouts=checkouts)
    return page


async def rejudge_subscriptions(
    connection: Connection, ids: Sequence[str], *, context: ApplyContext
) -> AppliedPage:
    """Judge the last readings of these subscriptions again after a change of rules or people, not
    of Stripe's data. `context.ticket` must be 0, which keeps the readings' own tickets."""
    assert context.ticket == 0, "these readings are as old as they were"
    page = AppliedPage({})
    if not ids:
        return page
    await mirror.lock(connection, sorted(ids))
    readings = await mirror.readings(connection, ids)
    products = await linked_products(
        connection,
        {product for reading in readings for product in reading.stripe_products},
        account=context.account,
    )
    known = await mirror.known(connection, ids)
    users = await _users(connection, readings, known, products, {}, context=context)
    await mirror.make(connection, readings, users=users, account=context.account)
    old = await mirror.lock(connection, sorted(ids))
    await _apply(connection, readings, old, products, page, context=context, checkouts={})
    return page


async def _known(
    connection: Connection, readings: Sequence[Subscription], *, context: ApplyContext
) -> tuple[dict[str, int | None], set[str]]:
    """The user of each subscription that has a row, and which of the others a later reading has
    passed over. None of those gets its row by another apply until the transaction ends."""
    ids = [reading.id for reading in readings]
    known = await mirror.known(connection, ids)
    unseen = [key for key in ids if key not in known]
    if not unseen:
        return known, set()
    overtaken = await tombstones.hold(connection, unseen, ticket=context.ticket)
    return known | await mirror.known(connection, unseen), overtaken


def _concerned(
    readings: Sequence[Subscription],
    known: dict[str, int | None],
    overtaken: set[str],
    products: _Products,
    page: AppliedPage,
) -> list[Subscription]:
    """The readings to record; the outcome of the others goes into `page`."""
    concerned: list[Subscription] = []
    for reading in readings:
        linked = [product for product in _linked(reading, products) if not product.removed]
        if reading.id in known:
            concerned.append(reading)
        elif reading.id in overtaken:
            page.applied[reading.id] = read_meanwhile(reading.id)
        elif linked and reading.status not in access.TERMINAL:
            concerned.append(reading)
        else:
            page.applied[reading.id] = _left_out(reading, linked)
    return concerned


async def _users(
    connection: Connection,
    readings: Sequence[Subscription],
    known: dict[str, int | None],
    products: _Products,
    checkouts: _Checkouts,
    *,
    context: ApplyContext,
) -> dict[str, int]:
    """The user of each subscription. Subscriptions are absent if the buyer is unknown or wouldn't
    get anything."""
    users = {key: user for key, user in known.items() if user is not None}
    found = await resolve(
        connection,
        [
            _buyer(reading, products, checkouts, context=context)
            for reading in readings
            if reading.id not in users
        ],
        context=context,
    )
    if was_unknown := [key for key in found if key in known]:
        await matches.settled(connection, was_unknown)
    return users | {key: person.user_id for key, person in found.items()}


def _buyer(
    reading: Subscription, products: _Products, checkouts: _Checkouts, *, context: ApplyContext
) -> Buyer:
    checkout = checkouts.get(reading.id, _NO_CHECKOUT)
    return Buyer(
        key=reading.id,
        source=GrantSource.SUBSCRIPTION,
        customer_id=reading.customer.id,
        account=reading.customer.account,
        email=reading.customer.email,
        name=reading.customer.name,
        reference=checkout.reference,
        products=tuple(product.product_id for product in _linked(reading, products)),
        begun=min(checkout.begun or reading.created, context.as_of),
        create=_grants(reading, products, context),
        language=checkout.language or reading.customer.locale,
    )


async def _hand_over(
    connection: Connection,
    readings: Sequence[Subscription],
    old: dict[str, mirror.RecordedSubscription],
    products: _Products,
    checkouts: _Checkouts,
    *,
    context: ApplyContext,
) -> dict[str, mirror.RecordedSubscription]:
    """A signed reference found after the subscription decides whose it is."""
    late = [
        buyer
        for reading in readings
        if old[reading.id].checkout_session is None
        and old[reading.id].user_id is not None
        and (buyer := _buyer(reading, products, checkouts, context=context)).reference
    ]
    if not late:
        return old
    owners = {buyer.key: old[buyer.key].user_id for buyer in late}
    await buyers.hand_over_late(connection, late, owners, context=context)
    return await mirror.lock(connection, sorted(old))


async def _apply(
    connection: Connection,
    readings: list[Subscription],
    old: dict[str, mirror.RecordedSubscription],
    products: _Products,
    page: AppliedPage,
    *,
    context: ApplyContext,
    checkouts: _Checkouts,
) -> None:
    if not readings:
        return
    given = await given_by(
        connection, GrantSource.SUBSCRIPTION, [reading.id for reading in readings]
    )
    asking = [reading for reading in readings if asks_who(reading, old[reading.id])]
    by = await cancellers(connection, asking, context=context)
    entitlements: list[Entitlement] = []
    rows, answered = [], []
    causes: list[Fact] = []
    results: list[Fact] = []
    for reading in readings:
        before = old[reading.id]
        since = past_due_since(reading, before, context)
        source = Source(
            GrantSource.SUBSCRIPTION,
            reading.id,
            subscription_workflow_id(reading.id),
            reading.created,
        )
        judge = partial(_judge, reading, since, context)
        judged = source.judge(_linked(reading, products), judge, given=given, context=context)
        own = source.entitlements(before.user_id, judged)
        entitlements += own
        applied = _applied(reading, judged, before.user_id, since=since, context=context)
        page.applied[reading.id] = applied
        page.moved += [reading.id] if _moved(applied, before) else []
        cancellations = before.cancellations + newly_cancelled(reading, before)
        told = causes if before.ticket else results
        told += facts_of(
            reading,
            before,
            own,
            since=since,
            count=cancellations,
            by=by.get(reading.id, _BY_STRIPE),
            context=context,
        )
        answered += late_answers(reading, before, own, count=cancellations)
        rows.append(
            mirror.row_of(
                reading,
                state=applied.state,
                wake_at=applied.wake_at,
                wake=applied.wake,
                past_due_since=since,
                cancellations=cancellations,
                checkout_session=checkouts.get(reading.id, _NO_CHECKOUT).checkout_session,
            )
        )
    await write_facts(connection, causes)
    settled: Settled = await settle(connection, entitlements, given=given, context=context)
    page.granted, page.already = settled.granted, settled.already
    page.ended = settled.ended
    await mirror.write(connection, rows, readings, ticket=context.ticket, read_by=context.read_by)
    await write_facts(connection, results)
    if answered:
        await write_cause(connection, answered, Cause.CUSTOMER)
    held = [r.id for r in readings if _newly_held(r, old[r.id], context)]
    await second_subscriptions.notice(connection, held, context=context)


def _newly_held(
    reading: Subscription, before: mirror.RecordedSubscription, context: ApplyContext
) -> bool:
    """Whether it may have become a second subscription of its buyer: it is new, it was incomplete
    or over, or it is judged again, since its buyer may be another one."""
    known = before.ticket and context.ticket and before.status in access.HELD_STATUSES
    return reading.status in access.HELD_STATUSES and not known


def _moved(applied: Applied, before: mirror.RecordedSubscription) -> bool:
    """Whether its run shows something else than is true now, or sleeps too long. A run that wakes
    too early learns of a later deadline then."""
    sooner = applied.wake_at is not None and (
        before.wake_at is None or applied.wake_at < before.wake_at
    )
    return before.has_run and (sooner or applied.state != before.state)


def _judge(
    reading: Subscription, since: datetime | None, context: ApplyContext, product: LinkedProduct
) -> Verdict:
    return access.judge_subscription(
        reading,
        product.policy,
        past_due_since=since,
        as_of=context.as_of,
        stripe_product=product.stripe_product,
    )


def _linked(reading: Subscription, products: _Products) -> list[LinkedProduct]:
    return opened_by(reading.stripe_products, products)


def _grants(reading: Subscription, products: _Products, context: ApplyContext) -> bool:
    return any(
        access.judge_subscription(
            reading,
            product.policy,
            past_due_since=stripe_past_due_since(reading),
            as_of=context.as_of,
        ).access
        and not product.removed
        for product in _linked(reading, products)
    )


def _left_out(reading: Subscription, linked: list[LinkedProduct]) -> Applied:
    if not linked:
        return unrecorded(reading.id, "None of its products are linked", relevant=False)
    return Applied(
        reading.id,
        f"Gives no access: it is {reading.status.replace('_', ' ')}",
        relevant=True,
        access=False,
        terminal=True,
        products=tuple(product.product_id for product in linked),
    )


def _applied(
    reading: Subscription,
    judged: Judged,
    user: int | None,
    *,
    since: datetime | None,
    context: ApplyContext,
) -> Applied:
    """The combined verdict for the workflow: the most access, and the earliest time to look
    again."""
    if not judged:
        own = access.judge_subscription(
            reading, DEFAULT_POLICY, past_due_since=since, as_of=context.as_of
        )
        state = "It no longer includes a linked product"
        return unrecorded(reading.id, "Over" if own.terminal else state, relevant=False)
    verdicts = [verdict for _, verdict in judged]
    best = max(verdicts, key=lambda verdict: verdict.access)
    waking = [v for v in verdicts if v.wake_at]
    next_wake = min(waking, key=lambda v: v.wake_at or context.as_of, default=None)
    nobody = user is None and best.access
    return Applied(
        reading.id,
        NOBODY if nobody else describe(best, pause_reason=reading.pause_reason),
        relevant=True,
        access=best.access and user is not None,
        terminal=all(verdict.terminal for verdict in verdicts),
        nobody=nobody,
        products=tuple(product.product_id for product, _ in judged),
        wake_at=next_wake.wake_at if next_wake else None,
        wake=next_wake.wake if next_wake else None,
    )
