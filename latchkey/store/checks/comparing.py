"""Compares grants with readings from Stripe: applies the readings, looks at the difference, and
rolls back. So there is only one set of rules."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from latchkey.contracts import purchase_workflow_id, subscription_workflow_id
from latchkey.rules import drift
from latchkey.rules.drift import Kind, Severity, Standing
from latchkey.rules.identity import Reference
from latchkey.rules.reading import Order, Subscription
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.pool import Connection
from latchkey.store.purchases.judging import Applied
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import ApplyContext

IN_FLIGHT = timedelta(minutes=10)
"""An object with an event younger than this in the inbox is about to be read anyway."""

_MIRRORED = {
    GrantSource.SUBSCRIPTION: """
        select s.id, s.status, s.scheduled_end, s.period_end, s.trial_end, s.collection_paused,
               s.ended_at, (select array_agg(i.id || i.stripe_product order by i.id)
                              from subscription_items i where i.subscription_id = s.id) as items
          from subscriptions s where s.id = any($1::text[])
    """,
    GrantSource.ORDER: """
        select id, money_state, amount_refunded, disputed, dispute_status
          from orders where id = any($1::text[])
    """,
}


@dataclass(frozen=True)
class Difference:
    """One difference, as stored. `product_id` and `user_id` are ours."""

    kind: Kind
    severity: Severity
    reason: str
    source: str = ""
    source_id: str = ""
    product_id: str | None = None
    user_id: int | None = None
    email: str | None = None
    workflow_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Snapshot:
    grants: dict[tuple[str, str], Standing]
    users: dict[str, int]
    mirror: dict[str, dict[str, Any]]


async def subscriptions(
    connection: Connection, readings: Sequence[Subscription], *, context: ApplyContext
) -> list[Difference]:
    """How the grants of these subscriptions differ from what the readings require."""

    async def apply() -> dict[str, Applied]:
        page = await apply_subscriptions(connection, readings, context=context)
        return page.applied

    addresses = {reading.id: reading.customer.email for reading in readings}
    return await _compare(connection, GrantSource.SUBSCRIPTION, addresses, apply, context=context)


async def orders(
    connection: Connection,
    readings: Sequence[Order],
    *,
    context: ApplyContext,
    references: dict[str, Reference],
) -> list[Difference]:
    """How the grants of these one-off purchases differ from what the readings require."""

    async def apply() -> dict[str, Applied]:
        page = await apply_orders(connection, readings, context=context, references=references)
        return page.applied

    addresses = {reading.id: reading.email for reading in readings}
    return await _compare(connection, GrantSource.ORDER, addresses, apply, context=context)


async def _compare(
    connection: Connection,
    source: GrantSource,
    addresses: dict[str, str | None],
    apply: Callable[[], Awaitable[dict[str, Applied]]],
    *,
    context: ApplyContext,
) -> list[Difference]:
    ids = list(addresses)
    if not ids:
        return []
    before = await _snapshot(connection, source, ids)
    undone = connection.transaction()
    await undone.start()
    try:
        applied = await apply()
        after = await _snapshot(connection, source, ids)
    finally:
        await undone.rollback()
    found = _differences(source, addresses, before, after, applied, context=context)
    if not found:
        return []
    busy = await _in_flight(connection, [difference.source_id for difference in found])
    return [difference for difference in found if difference.source_id not in busy]


async def _snapshot(connection: Connection, source: GrantSource, ids: list[str]) -> _Snapshot:
    grants: dict[tuple[str, str], Standing] = {}
    users: dict[str, int] = {}
    for row in await connection.fetch(
        """
        select source_id, product_id, user_id, until, ended_at, end_reason from grants
         where source = $1 and source_id = any($2::text[]) order by ended_at is null, id
        """,
        source,
        ids,
    ):
        standing = Standing(
            row["ended_at"] is None, row["until"], row["ended_at"], row["end_reason"]
        )
        grants[row["source_id"], row["product_id"]] = standing
        users[row["source_id"]] = row["user_id"]
    rows = await connection.fetch(_MIRRORED[source], ids)
    return _Snapshot(grants, users, {row["id"]: dict(row) for row in rows})


def _differences(
    source: GrantSource,
    addresses: dict[str, str | None],
    before: _Snapshot,
    after: _Snapshot,
    applied: dict[str, Applied],
    *,
    context: ApplyContext,
) -> list[Difference]:
    workflow_id = (
        subscription_workflow_id if source == GrantSource.SUBSCRIPTION else purchase_workflow_id
    )
    found: list[Difference] = []

    def add(kind: Kind, severity: Severity, reason: str, key: str, product: str | None) -> None:
        found.append(
            Difference(
                kind,
                severity,
                reason,
                source,
                key,
                product,
                before.users.get(key),
                addresses[key],
                workflow_id(key),
                {"stripe": applied[key].state if key in applied else ""},
            )
        )

    for key, product in sorted(before.grants.keys() | after.grants.keys()):
        judged = drift.compare(
            before.grants.get((key, product)),
            after.grants.get((key, product)),
            as_of=context.as_of,
        )
        if judged:
            add(judged.kind, judged.severity, judged.reason, key, product)
    told = {difference.source_id for difference in found}
    for key, outcome in applied.items():
        if key in told:
            continue
        if key in before.mirror and before.mirror[key] != after.mirror[key]:
            add(Kind.MIRROR_DIFFERS, Severity.SAFE, _changed(before.mirror[key], after.mirror[key]),
                key, None)  # fmt: skip
        elif outcome.nobody:
            add(Kind.NOBODY, Severity.MANUAL, outcome.state, key, None)
    return found


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    names = [name.replace("_", " ") for name in before if before[name] != after[name]]
    return f"The local copy is outdated ({', '.join(names)}), but access is the same"


async def _in_flight(connection: Connection, ids: list[str]) -> set[str]:
    rows = await connection.fetch(
        """
        select distinct target_id from events
         where target_id = any($1::text[]) and target_kind <> 'none'
           and state in ('waiting', 'relayed') and received_at > now() - $2::interval
        """,
        ids,
        IN_FLIGHT,
    )
    return {row["target_id"] for row in rows}
