"""Applies readings of subscriptions: mirror, grants, activity lines and mails in one transaction.

Events, imports, timers and reconciliation all come through `apply_subscriptions`, one reading or
a page of a hundred. The caller opens the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.contracts import Wake, subscription_workflow_id
from latchkey.rules import access
from latchkey.rules.access import Verdict
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Subscription
from latchkey.store import passed_over
from latchkey.store.effects import (
    Claim,
    Fact,
    Occasion,
    Settled,
    bought_before_link,
    settle,
    write_facts,
)
from latchkey.store.linked_products import LinkedProduct, linked_products, opened_by
from latchkey.store.people import Buyer, resolve
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Applied:
    """What one reading led to. `stale` means that a later reading was there first."""

    subscription_id: str
    relevant: bool
    access: bool
    terminal: bool
    stale: bool
    state: str
    products: tuple[str, ...] = ()
    wake_at: datetime | None = None
    wake: Wake | None = None


@dataclass
class AppliedPage:
    """The outcome of one call: per subscription, and summed up."""

    applied: dict[str, Applied]
    granted: int = 0
    already: int = 0


@dataclass(frozen=True)
class SubscriptionContext:
    """What a read adds to a subscription: its checkout session and the reference found there."""

    checkout_session: str | None = None
    reference_user: int | None = None


async def apply_subscriptions(
    connection: Connection,
    readings: Sequence[Subscription],
    *,
    occasion: Occasion,
    context: dict[str, SubscriptionContext] | None = None,
) -> AppliedPage:
    """Apply readings taken under `occasion.ticket`; applying them again changes nothing.

    A subscription that grants nothing and never did is left unrecorded, so that the buyers of
    products that aren't linked, or not paid, never become users. Of two readings the one with the
    later ticket wins.
    """
    context = context or {}
    products = await linked_products(
        connection,
        {product for reading in readings for product in reading.stripe_products},
        account=occasion.account,
    )
    importing = [
        reading.id for reading in readings if any(p.importing for p in _linked(reading, products))
    ]
    overtaken = (
        await passed_over.hold(connection, importing, ticket=occasion.ticket)
        if importing
        else set()
    )
    known = await _known(connection, [reading.id for reading in readings])
    page = AppliedPage({})
    concerned: list[Subscription] = []
    for reading in readings:
        linked = _linked(reading, products)
        if reading.id in overtaken and reading.id not in known:
            page.applied[reading.id] = _stale(reading)
        elif reading.id in known or _grants(reading, linked, occasion):
            concerned.append(reading)
        else:
            page.applied[reading.id] = _left_out(reading, linked)
    if left_out := sorted(set(importing) & set(page.applied) - overtaken):
        await passed_over.remember(connection, left_out, ticket=occasion.ticket)
    people = await resolve(
        connection,
        [
            _buyer(reading, context.get(reading.id, SubscriptionContext()))
            for reading in concerned
            if reading.id not in known
        ],
        account=occasion.account,
        ticket=occasion.ticket,
    )
    users = {key: row["user_id"] for key, row in known.items()}
    users |= {key: person.user_id for key, person in people.items()}
    for reading in [r for r in concerned if r.id not in users]:
        page.applied[reading.id] = Applied(
            reading.id,
            relevant=True,
            access=False,
            terminal=True,
            stale=False,
            state="Nobody to grant to: the customer has no e-mail address in Stripe",
        )
    concerned = [reading for reading in concerned if reading.id in users]
    old = await _lock(connection, concerned, users=users, occasion=occasion)
    fresh = [r for r in concerned if old[r.id]["ticket"] <= occasion.ticket]
    for reading in concerned:
        if old[reading.id]["ticket"] > occasion.ticket:
            page.applied[reading.id] = _stale(reading)
    await _apply(connection, fresh, old, products, page, occasion=occasion, context=context)
    return page


async def _apply(
    connection: Connection,
    readings: list[Subscription],
    old: dict[str, Any],
    products: dict[str, list[LinkedProduct]],
    page: AppliedPage,
    *,
    occasion: Occasion,
    context: dict[str, SubscriptionContext],
) -> None:
    if not readings:
        return
    claims: list[Claim] = []
    by_source: dict[str, list[Claim]] = {}
    since: dict[str, datetime | None] = {}
    for reading in readings:
        since[reading.id] = _past_due_since(reading, old[reading.id], occasion)
        for product in _linked(reading, products):
            verdict = access.judge_subscription(
                reading,
                product.policy,
                past_due_since=since[reading.id],
                as_of=occasion.as_of,
            )
            claim = Claim(
                user_id=old[reading.id]["user_id"],
                product=product,
                source="subscription",
                source_id=reading.id,
                workflow_id=subscription_workflow_id(reading.id),
                begun_at=reading.created,
                verdict=verdict,
            )
            claims.append(claim)
            by_source.setdefault(reading.id, []).append(claim)
    settled: Settled = await settle(
        connection,
        claims,
        source="subscription",
        source_ids=[reading.id for reading in readings],
        occasion=occasion,
    )
    page.granted, page.already = settled.granted, settled.already
    rows, facts = [], []
    for reading in readings:
        mine = by_source.get(reading.id, [])
        applied = _applied(reading, mine, since=since[reading.id], occasion=occasion)
        page.applied[reading.id] = applied
        before = old[reading.id]
        cancellations = before["cancellations"] + _newly_cancelled(reading, before)
        facts += _facts(
            reading, before, mine, since=since[reading.id], count=cancellations, occasion=occasion
        )
        rows.append(
            _row(
                reading,
                applied,
                since=since[reading.id],
                cancellations=cancellations,
                checkout_session=context.get(reading.id, SubscriptionContext()).checkout_session,
            )
        )
    await _write_mirror(connection, rows, readings, occasion=occasion)
    await write_facts(connection, facts)


def _linked(reading: Subscription, products: dict[str, list[LinkedProduct]]) -> list[LinkedProduct]:
    return opened_by(reading.stripe_products, products)


def _grants(reading: Subscription, linked: list[LinkedProduct], occasion: Occasion) -> bool:
    return any(
        access.judge_subscription(
            reading,
            product.policy,
            past_due_since=_first_past_due(reading),
            as_of=occasion.as_of,
        ).access
        and not product.removed
        for product in linked
    )


def _stale(reading: Subscription) -> Applied:
    return Applied(
        reading.id, True, access=False, terminal=False, stale=True, state="Read meanwhile"
    )


def _left_out(reading: Subscription, linked: list[LinkedProduct]) -> Applied:
    if not linked:
        return Applied(reading.id, False, False, True, False, "None of its products is linked")
    return Applied(
        reading.id,
        relevant=True,
        access=False,
        terminal=True,
        stale=False,
        state=f"Gives no access: it is {reading.status.replace('_', ' ')}",
        products=tuple(product.product_id for product in linked),
    )


def _buyer(reading: Subscription, context: SubscriptionContext) -> Buyer:
    return Buyer(
        key=reading.id,
        customer_id=reading.customer.id,
        email=reading.customer.email,
        name=reading.customer.name,
        reference_user=context.reference_user,
    )


def _first_past_due(reading: Subscription) -> datetime | None:
    """For a spell that began before we looked: the start of the unpaid period."""
    return min((item.period_start for item in reading.items if item.period_start), default=None)


def _past_due_since(reading: Subscription, old: Any, occasion: Occasion) -> datetime | None:
    if reading.status != "past_due":
        return None
    if old["past_due_since"]:
        found: datetime = old["past_due_since"]
        return found
    return occasion.as_of if old["ticket"] else (_first_past_due(reading) or occasion.as_of)


def _newly_cancelled(reading: Subscription, old: Any) -> int:
    if not old["ticket"] and reading.status not in access.TERMINAL:
        return 1 if reading.scheduled_end else 0
    was = old["scheduled_end"] is not None or old["status"] in access.TERMINAL
    now = reading.scheduled_end is not None or reading.status == "canceled"
    return 1 if now and not was else 0


def _facts(
    reading: Subscription,
    old: Any,
    claims: list[Claim],
    *,
    since: datetime | None,
    count: int,
    occasion: Occasion,
) -> list[Fact]:
    """Lines about the subscription itself; what changes access is written by `settle`."""
    found: list[tuple[str, str, datetime, str, dict[str, Any]]] = []
    cause = _cancel_cause(reading)
    ends = reading.scheduled_end or reading.ended_at
    brought_in = not old["ticket"] and any(bought_before_link(c) for c in claims)
    if count > old["cancellations"] and not brought_in:
        at = reading.canceled_at or occasion.as_of
        found.append((f"{count}", "subscription_cancelled", at, cause, {"ends": ends}))
    elif old["scheduled_end"] and not ends and reading.status not in access.TERMINAL:
        found.append((f"{count}", "cancellation_withdrawn", occasion.as_of, cause, {}))
    if since and old["ticket"] and not old["past_due_since"]:
        found.append((f"{int(since.timestamp())}", "payment_failed", since, "stripe", {}))
    if old["past_due_since"] and reading.status == "active":
        spell = int(old["past_due_since"].timestamp())
        found.append((f"{spell}", "payment_recovered", occasion.as_of, "stripe", {}))
    return [
        Fact(
            key=f"{type_}:{reading.id}:{claim.product.product_id}:{nth}",
            type=type_,
            at=min(at, occasion.as_of),
            cause=why,
            user_id=claim.user_id,
            product_id=claim.product.product_id,
            source_id=reading.id,
            event_id=occasion.event_id,
            workflow_id=claim.workflow_id,
            data=data,
        )
        for claim in claims
        for nth, type_, at, why, data in found
    ]


def _cancel_cause(reading: Subscription) -> str:
    """Stripe doesn't say who cancelled, but only customers leave feedback or a comment."""
    return "customer" if reading.cancelled_by_customer else "stripe"


def _applied(
    reading: Subscription, claims: list[Claim], *, since: datetime | None, occasion: Occasion
) -> Applied:
    """The verdict for the workflow: what lets the most, and the earliest time to look again."""
    verdicts = [claim.verdict for claim in claims]
    if not verdicts:
        own = access.judge_subscription(
            reading, DEFAULT_POLICY, past_due_since=since, as_of=occasion.as_of
        )
        state = "None of its products is linked any more"
        return Applied(reading.id, False, False, True, False, state if not own.terminal else "Over")
    best = max(verdicts, key=lambda verdict: verdict.access)
    waking = [v for v in verdicts if v.wake_at]
    next_wake = min(waking, key=lambda v: v.wake_at or occasion.as_of, default=None)
    return Applied(
        reading.id,
        relevant=True,
        access=best.access,
        terminal=all(verdict.terminal for verdict in verdicts),
        stale=False,
        state=describe(best),
        products=tuple(claim.product.product_id for claim in claims),
        wake_at=next_wake.wake_at if next_wake else None,
        wake=next_wake.wake if next_wake else None,
    )


def describe(verdict: Verdict) -> str:
    """A verdict in words for operators; times in UTC."""
    reason = verdict.reason.replace("_", " ")
    if verdict.access and verdict.until:
        return f"Access until {verdict.until:%Y-%m-%d %H:%M:%S} UTC ({reason})"
    if verdict.access:
        return f"Access without end ({reason})"
    return f"No access ({reason})"


def _row(
    reading: Subscription,
    applied: Applied,
    *,
    since: datetime | None,
    cancellations: int,
    checkout_session: str | None,
) -> dict[str, Any]:
    return {
        "id": reading.id,
        "status": reading.status,
        "scheduled_end": reading.scheduled_end,
        "cancellations": cancellations,
        "period_end": reading.period_end,
        "trial_end": reading.trial_end,
        "past_due_since": since,
        "collection_paused": reading.collection_paused,
        "ended_at": reading.ended_at,
        "cancel_reason": reading.cancel_reason,
        "checkout_session": checkout_session,
        "state": applied.state,
        "wake_at": applied.wake_at,
        "wake": applied.wake,
    }


@dataclass(frozen=True)
class Recorded:
    """What the mirror knows of a subscription before a read, its next deadline included."""

    checkout_session: str | None
    wake_at: datetime | None = None
    wake: Wake | None = None


async def recorded(connection: Connection, subscription_id: str) -> Recorded | None:
    row = await connection.fetchrow(
        "select checkout_session, wake_at, wake from subscriptions where id = $1", subscription_id
    )
    if row is None:
        return None
    wake = Wake(row["wake"]) if row["wake"] else None
    return Recorded(row["checkout_session"], row["wake_at"], wake)


@dataclass(frozen=True)
class Lifecycle:
    """A subscription whose run is still to be started, and when that run has to wake."""

    subscription_id: str
    customer_id: str
    wake_at: datetime | None
    wake: Wake | None


async def without_lifecycle(connection: Connection, link_id: int, *, limit: int) -> list[Lifecycle]:
    """Subscriptions of a link that go on but have no run yet."""
    rows = await connection.fetch(
        """
        select s.id, s.customer_id, s.wake_at, s.wake from subscriptions s
         where s.lifecycle_at is null and s.status <> all($3::text[])
           and exists (select from subscription_items i join links l on l.id = $1
                        where i.subscription_id = s.id and i.stripe_product = l.stripe_product)
         order by s.id limit $2
        """,
        link_id,
        limit,
        sorted(access.TERMINAL),
    )
    return [
        Lifecycle(r["id"], r["customer_id"], r["wake_at"], Wake(r["wake"]) if r["wake"] else None)
        for r in rows
    ]


async def lifecycles(connection: Connection, subscription_ids: Sequence[str]) -> list[Lifecycle]:
    """What the runs of these subscriptions need to start asleep."""
    rows = await connection.fetch(
        "select id, customer_id, wake_at, wake from subscriptions where id = any($1::text[])",
        list(subscription_ids),
    )
    return [
        Lifecycle(r["id"], r["customer_id"], r["wake_at"], Wake(r["wake"]) if r["wake"] else None)
        for r in rows
    ]


async def mark_lifecycles(connection: Connection, subscription_ids: Sequence[str]) -> None:
    await connection.execute(
        """
        update subscriptions set lifecycle_at = now()
         where id = any($1::text[]) and lifecycle_at is null
        """,
        list(subscription_ids),
    )


async def _known(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    rows = await connection.fetch(
        "select id, user_id from subscriptions where id = any($1::text[])", list(ids)
    )
    return {row["id"]: row for row in rows}


async def _lock(
    connection: Connection,
    readings: Sequence[Subscription],
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
        insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                   created_at, ticket)
        select id, $1, $2, customer_id, user_id, status, created_at, 0
          from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
               as given (id, customer_id, user_id, status, created_at)
        on conflict (id) do nothing
        """,
        occasion.account.id,
        occasion.account.livemode,
        [r.id for r in ordered],
        [r.customer.id for r in ordered],
        [users[r.id] for r in ordered],
        [r.status for r in ordered],
        [r.created for r in ordered],
    )
    rows = await connection.fetch(
        """
        select id, user_id, status, scheduled_end, cancellations, past_due_since, ticket
          from subscriptions where id = any($1::text[]) order by id for update
        """,
        [r.id for r in ordered],
    )
    return {row["id"]: row for row in rows}


async def _write_mirror(
    connection: Connection,
    rows: list[dict[str, Any]],
    readings: Sequence[Subscription],
    *,
    occasion: Occasion,
) -> None:
    await connection.execute(
        """
        update subscriptions s
           set status = g.status, scheduled_end = g.scheduled_end,
               cancellations = g.cancellations, period_end = g.period_end,
               trial_end = g.trial_end, past_due_since = g.past_due_since,
               collection_paused = g.collection_paused, ended_at = g.ended_at,
               cancel_reason = g.cancel_reason,
               checkout_session = coalesce(g.checkout_session, s.checkout_session),
               state = g.state, wake_at = g.wake_at, wake = g.wake, ticket = $2, read_at = now()
          from jsonb_to_recordset($1::jsonb) as g (
               id text, status text, scheduled_end timestamptz, cancellations integer,
               period_end timestamptz, trial_end timestamptz, past_due_since timestamptz,
               collection_paused boolean, ended_at timestamptz, cancel_reason text,
               checkout_session text, state text, wake_at timestamptz, wake text)
         where s.id = g.id
        """,
        rows,
        occasion.ticket,
    )
    items = [
        {
            "subscription_id": reading.id,
            "id": item.id,
            "stripe_product": item.stripe_product,
            "price_id": item.price_id,
            "quantity": item.quantity,
            "period_end": item.period_end,
        }
        for reading in readings
        for item in reading.items
    ]
    await connection.execute(
        """
        with given as (
            select * from jsonb_to_recordset($2::jsonb) as g (
                subscription_id text, id text, stripe_product text, price_id text,
                quantity integer, period_end timestamptz)
        ), gone as (
            delete from subscription_items i
             where i.subscription_id = any($1::text[])
               and not exists (select from given g
                                where g.subscription_id = i.subscription_id and g.id = i.id)
        )
        insert into subscription_items (subscription_id, id, stripe_product, price_id, quantity,
                                        period_end)
        select * from given
        on conflict (subscription_id, id) do update
           set stripe_product = excluded.stripe_product, price_id = excluded.price_id,
               quantity = excluded.quantity, period_end = excluded.period_end
        """,
        [reading.id for reading in readings],
        items,
    )
