"""Comparisons of grants with Stripe: requests, progress, reports and repairs."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from latchkey.addresses import email_key
from latchkey.contracts import reconciliation_workflow_id
from latchkey.languages import _
from latchkey.rules import past_invoices
from latchkey.rules.drift import REPAIRABLE
from latchkey.rules.vocabulary import ActivityType, Cause, ComparisonCause
from latchkey.store.checks.comparing import Difference
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection

TERMS = timedelta(days=93)
"""The longest time assumed between an invoice's creation and payment. The schedule's comparisons
read invoices this far back every day; others read this far back from a link's creation."""

TRY_LATER = timedelta(hours=1)

NOT_LISTED_YET = timedelta(minutes=15)
"""Temporal's list may not yet show a workflow started within this time."""


@dataclass(frozen=True)
class Reconciliation:
    """One comparison. With `repair`, safe differences are repaired as they are found. `progress`
    counts pages, reads, subscriptions and orders; `counts` counts differences by class and
    state."""

    id: str
    product_id: str | None
    repair: bool
    cause: str
    state: str
    progress: dict[str, Any]
    error: str | None
    created_at: datetime
    started_at: datetime | None
    compared_at: datetime | None
    finished_at: datetime | None
    safe: int
    person: int
    foreign: int
    repaired: int
    failed: int

    @property
    def workflow_id(self) -> str:
        return reconciliation_workflow_id(self.id)


@dataclass(frozen=True)
class Found:
    """A difference as shown to people."""

    id: int
    kind: str
    severity: str
    reason: str
    source: str
    source_id: str
    product_id: str | None
    product_name: str | None
    user_id: int | None
    email: str | None
    workflow_id: str | None
    detail: dict[str, Any]
    state: str
    error: str | None
    found_at: datetime
    repaired_at: datetime | None

    @property
    def repairable(self) -> bool:
        return self.kind in REPAIRABLE and self.state in ("open", "failed")


class StillRunningError(Exception):
    """The comparison hasn't finished. The message says what to do."""


_SELECT = """
select r.id, r.product_id, r.repair, r.cause, r.state, r.progress, r.error, r.created_at,
       r.started_at, r.compared_at, r.finished_at, d.*
  from reconciliations r cross join lateral (
       select count(*) filter (where class = 'safe' and state in ('open', 'chosen')) as safe,
              count(*) filter (where class = 'person' and state in ('open', 'chosen')) as person,
              count(*) filter (where class = 'foreign') as foreign,
              count(*) filter (where state = 'repaired') as repaired,
              count(*) filter (where state = 'failed') as failed
         from differences where reconciliation_id = r.id) d
"""


async def request(
    connection: Connection,
    *,
    repair: bool,
    cause: ComparisonCause,
    product_id: str | None = None,
    actor: int | None = None,
    dispatched: bool = False,
    reconciliation_id: str | None = None,
) -> Reconciliation:
    """Request a comparison; the relay starts its workflow. A sweep for catch-up isn't requested
    twice."""
    if cause == ComparisonCause.CATCH_UP:
        waiting = await connection.fetchval(
            "select id from reconciliations where cause = 'catch_up' and state = 'queued'"
        )
        if waiting:
            return await _get(connection, waiting)
    made = await connection.fetchval(
        """
        insert into reconciliations (id, product_id, repair, cause, requested_by, dispatched_at)
        values ($1, $2, $3, $4, $5, case when $6 then now() end)
        on conflict (id) do update set id = excluded.id returning id
        """,
        reconciliation_id or f"rec_{secrets.token_hex(8)}",
        product_id,
        repair,
        cause,
        actor,
        dispatched,
    )
    return await _get(connection, made)


async def find(connection: Connection, reconciliation_id: str) -> Reconciliation | None:
    row = await connection.fetchrow(f"{_SELECT} where r.id = $1", reconciliation_id)
    return Reconciliation(**dict(row)) if row else None


async def listed(
    connection: Connection, *, after: str | None = None, limit: int = 50
) -> list[Reconciliation]:
    """Comparisons, newest first, starting after id `after`."""
    rows = await connection.fetch(
        f"""
        {_SELECT}
         where $1::text is null or (r.created_at, r.id)
               < (select created_at, id from reconciliations where id = $1)
         order by r.created_at desc, r.id desc limit $2
        """,
        after,
        limit,
    )
    return [Reconciliation(**dict(row)) for row in rows]


async def differences(
    connection: Connection,
    reconciliation_id: str,
    *,
    severity: str | None = None,
    after: int | None = None,
    limit: int = 200,
) -> list[Found]:
    """A comparison's differences, in the order they were found."""
    rows = await connection.fetch(
        """
        select d.id, d.kind, d.class as severity, d.reason, d.source, d.source_id, d.product_id,
               p.name as product_name, d.user_id, coalesce(u.email, d.email) as email,
               d.workflow_id, d.detail, d.state, d.error, d.found_at, d.repaired_at
          from differences d
          left join products p on p.id = d.product_id
          left join users u on u.id = d.user_id
         where d.reconciliation_id = $1 and ($2::text is null or d.class = $2)
           and ($3::bigint is null or d.id > $3)
         order by d.id limit $4
        """,
        reconciliation_id,
        severity,
        after,
        limit,
    )
    return [Found(**dict(row)) for row in rows]


async def choose(
    connection: Connection, reconciliation_id: str, *, ids: Sequence[int] | None
) -> int:
    """Request repairs of the differences in `ids`, or of all safe ones. Returns how many. Raises
    `StillRunningError`. The caller opens the transaction and wakes the relay afterwards."""
    state = await connection.fetchval(
        "select state from reconciliations where id = $1 for update", reconciliation_id
    )
    if state in ("queued", "running"):
        raise StillRunningError(_("this comparison is still running: wait until it has finished"))
    rows = await connection.fetch(
        """
        update differences set state = 'chosen', error = null
         where reconciliation_id = $1 and state in ('open', 'failed') and kind = any($3::text[])
           and (id = any($2::bigint[]) or ($2::bigint[] is null and class = 'safe'))
        returning 1
        """,
        reconciliation_id,
        list(ids) if ids is not None else None,
        sorted(REPAIRABLE),
    )
    if rows:
        await connection.execute(
            """
            update reconciliations
               set state = 'queued', dispatched_at = null, finished_at = null, error = null
             where id = $1
            """,
            reconciliation_id,
        )
    return len(rows)


async def waiting(connection: Connection, *, limit: int) -> list[tuple[str, str | None]]:
    """Ids and products of the comparisons whose workflow must be started."""
    rows = await connection.fetch(
        """
        select id, product_id from reconciliations
         where dispatched_at is null order by created_at limit $1
        """,
        limit,
    )
    return [(row["id"], row["product_id"]) for row in rows]


async def mark_dispatched(connection: Connection, reconciliation_id: str) -> None:
    await connection.execute(
        "update reconciliations set dispatched_at = now() where id = $1", reconciliation_id
    )


async def fail_lost(connection: Connection, *, alive: Sequence[str], schedule_alive: bool) -> None:
    """Fail comparisons whose row says running but whose workflow is gone. `alive` holds the ids of
    running workflows; the schedule's workflows have different ids than their rows."""
    lost = await connection.fetch(
        """
        select id from reconciliations
         where state = 'running' and dispatched_at < now() - $3::interval
           and 'reconciliation/' || id <> all($1::text[])
           and not (cause = 'schedule' and $2)
        """,
        list(alive),
        schedule_alive,
        NOT_LISTED_YET,
    )
    for row in lost:
        await finish(
            connection, row["id"], error="Its workflow no longer exists: start a new comparison"
        )


async def sweep_again(connection: Connection) -> bool:
    """Request the sweep for a gap in Stripe's event list again if the last one failed at least an
    hour ago, since nothing else would. False if there is nothing to request."""
    failed = await connection.fetchval(
        """
        select exists (
            select from reconciliations r, stripe_connection c
             where r.cause = 'catch_up' and r.state = 'failed'
               and r.finished_at < now() - $1::interval and r.created_at >= c.connected_at
               and not exists (
                   select from reconciliations later
                    where later.created_at > r.created_at and later.product_id is null
                      and (later.cause = 'catch_up' or later.repair and later.state = 'done')))
        """,
        TRY_LATER,
    )
    if failed:
        await request(connection, repair=True, cause=ComparisonCause.CATCH_UP)
    return bool(failed)


async def begin(connection: Connection, reconciliation_id: str) -> tuple[Reconciliation, list[str]]:
    """Begin or resume a comparison; returns it with the Stripe products to check."""
    await connection.execute(
        """
        update reconciliations
           set state = 'running', started_at = coalesce(started_at, now()),
               dispatched_at = coalesce(dispatched_at, now())
         where id = $1
        """,
        reconciliation_id,
    )
    found = await _get(connection, reconciliation_id)
    rows = await connection.fetch(
        """
        select distinct stripe_product from counting_links
         where stripe_product is not null
           and ($1::text is null or product_id = $1)
           and (account_id, livemode) = (select account_id, livemode from stripe_connection)
         order by 1
        """,
        found.product_id,
    )
    return found, [row["stripe_product"] for row in rows]


async def invoices_since(connection: Connection, found: Reconciliation) -> int | None:
    """The Unix time from which a comparison must read paid invoices, as the links require; None
    without links. The schedule's comparisons don't read years of invoices every day."""
    since: int | None = await connection.fetchval(
        """
        select extract(epoch from greatest(min(case invoices
                 when 'all' then to_timestamp(0)
                 when 'year' then created_at - $3::interval
                 else created_at - $2::interval end),
               case when $4 then now() - $2::interval end))::bigint
          from links
         where stripe_product is not null and removed_at is null
           and ($1::text is null or product_id = $1)
           and (account_id, livemode) = (select account_id, livemode from stripe_connection)
        having count(*) > 0
        """,
        found.product_id,
        TERMS,
        past_invoices.YEAR,
        found.cause == ComparisonCause.SCHEDULE,
    )
    return since


async def write_progress(
    connection: Connection, reconciliation_id: str, progress: dict[str, Any]
) -> None:
    await connection.execute(
        "update reconciliations set progress = $2::jsonb where id = $1", reconciliation_id, progress
    )


async def write_repaired(connection: Connection, reconciliation_id: str) -> None:
    """Count the differences repaired so far. What the comparison read stays as it was: a repair
    that is begun later reads nothing of it."""
    await connection.execute(
        """
        update reconciliations
           set progress = progress || jsonb_build_object('repaired',
                   (select count(*) from differences
                     where reconciliation_id = $1 and state = 'repaired'))
         where id = $1
        """,
        reconciliation_id,
    )


async def see(connection: Connection, reconciliation_id: str, ids: Sequence[str]) -> None:
    """Record which Stripe objects or Temporal runs the comparison has seen."""
    await connection.execute(
        """
        insert into reconciliation_seen (reconciliation_id, id)
        select $1, unnest($2::text[]) on conflict do nothing
        """,
        reconciliation_id,
        list(ids),
    )


async def record(
    connection: Connection, reconciliation_id: str, found: Sequence[Difference]
) -> None:
    """Store differences. Storing one twice has no effect."""
    if not found:
        return
    rows = []
    for difference in found:
        row = asdict(difference)
        row["class"] = row.pop("severity")
        row["email_key"] = email_key(difference.email) if difference.email else None
        rows.append(row)
    await connection.execute(
        """
        insert into differences (reconciliation_id, kind, class, reason, source, source_id,
                                 product_id, user_id, email, email_key, workflow_id, detail)
        select $1, g.kind, g.class, g.reason, g.source, g.source_id, g.product_id,
               coalesce(g.user_id, (select user_id from grants known
                                     where known.source_id = g.source_id and g.source_id <> ''
                                     limit 1)),
               g.email, g.email_key, g.workflow_id, g.detail
          from jsonb_to_recordset($2::jsonb) as g (
               kind text, class text, reason text, source text, source_id text, product_id text,
               user_id bigint, email text, email_key text, workflow_id text, detail jsonb)
        on conflict do nothing
        """,
        reconciliation_id,
        rows,
    )


async def compared(connection: Connection, reconciliation_id: str) -> None:
    """Finish the comparing part and delete the records it no longer needs."""
    await connection.execute(
        "update reconciliations set compared_at = coalesce(compared_at, now()) where id = $1",
        reconciliation_id,
    )
    await connection.execute(
        "delete from reconciliation_seen where reconciliation_id = $1", reconciliation_id
    )


async def finish(connection: Connection, reconciliation_id: str, *, error: str | None) -> None:
    """Close the comparison. Selected differences that weren't reached are open again."""
    await connection.execute(
        """
        update differences set state = 'open'
         where reconciliation_id = $1 and state = 'chosen' and $2::text is not null
        """,
        reconciliation_id,
        error,
    )
    await connection.execute(
        """
        update reconciliations
           set state = case when $2::text is null then 'done' else 'failed' end, error = $2,
               finished_at = now()
         where id = $1
        """,
        reconciliation_id,
        error,
    )
    await connection.execute(
        "delete from reconciliation_seen where reconciliation_id = $1", reconciliation_id
    )


async def choose_safe(connection: Connection, reconciliation_id: str) -> None:
    """In a repairing run, select the safe differences that haven't been repaired yet."""
    await connection.execute(
        """
        update differences set state = 'chosen'
         where reconciliation_id = $1 and state = 'open' and class = 'safe'
           and kind = any($2::text[])
        """,
        reconciliation_id,
        sorted(REPAIRABLE),
    )


async def chosen(connection: Connection, reconciliation_id: str, *, limit: int) -> list[Found]:
    """Differences selected for repair."""
    rows = await connection.fetch(
        """
        select id, kind, class as severity, reason, source, source_id, product_id,
               null as product_name, user_id, email, workflow_id, detail, state, error, found_at,
               repaired_at
          from differences where reconciliation_id = $1 and state = 'chosen' order by id limit $2
        """,
        reconciliation_id,
        limit,
    )
    return [Found(**dict(row)) for row in rows]


async def mark_repaired(
    connection: Connection, reconciliation_id: str, *, ids: Sequence[int]
) -> int:
    """Mark differences as repaired, with an activity line each; returns how many. A buyer who was
    unknown until the repair becomes the difference's user."""
    rows = await connection.fetch(
        """
        update differences d
           set state = 'repaired', repaired_at = now(), error = null,
               user_id = coalesce(
                   user_id,
                   (select s.user_id from subscriptions s
                     where d.source = 'subscription' and s.id = d.source_id),
                   (select o.user_id from orders o
                     where d.source = 'order' and o.id = d.source_id))
         where reconciliation_id = $1 and id = any($2::bigint[]) and state <> 'repaired'
        returning *
        """,
        reconciliation_id,
        list(ids),
    )
    await write_facts(connection, [_line(row) for row in rows])
    return len(rows)


async def mark_unrepaired(connection: Connection, ids: Sequence[int], *, error: str) -> None:
    await connection.execute(
        "update differences set state = 'failed', error = $2 where id = any($1::bigint[])",
        list(ids),
        error,
    )


async def open_of_sources(
    connection: Connection, reconciliation_id: str, source_ids: Sequence[str]
) -> list[int]:
    """Open safe differences of these objects."""
    rows = await connection.fetch(
        """
        select id from differences
         where reconciliation_id = $1 and source_id = any($2::text[]) and class = 'safe'
           and state in ('open', 'chosen')
        """,
        reconciliation_id,
        list(source_ids),
    )
    return [row["id"] for row in rows]


async def unseen(
    connection: Connection, reconciliation_id: str, *, product_id: str | None, limit: int
) -> list[tuple[str, str]]:
    """Source and id of purchases that weren't on the lists and give access, or have lost it to a
    refund. Orders that haven't been compared for longest come first."""
    rows = await connection.fetch(
        """
        select f.source, f.source_id
          from (select g.source, g.source_id, g.account_id, g.livemode from grants g
                 where g.ended_at is null and g.source in ('subscription', 'order')
                   and ($2::text is null or g.product_id = $2)
                union
                select 'order', m.id, m.account_id, m.livemode from orders m
                 where (m.amount_refunded > 0 or m.disputed or m.credited_after > 0)
                   and exists (select from order_lines l
                                 join links k on k.stripe_product = l.stripe_product
                                where l.order_id = m.id and k.removed_at is null
                                  and ($2::text is null or k.product_id = $2))) as f
          join stripe_connection c on c.account_id = f.account_id and c.livemode = f.livemode
          left join orders o on f.source = 'order' and o.id = f.source_id
         where not exists (select from reconciliation_seen s
                            where s.reconciliation_id = $1 and s.id = f.source_id)
         order by f.source desc, o.compared_at nulls first, f.source_id limit $3
        """,
        reconciliation_id,
        product_id,
        limit,
    )
    return [(row["source"], row["source_id"]) for row in rows]


async def mark_compared(connection: Connection, order_ids: Sequence[str]) -> None:
    await connection.execute(
        "update orders set compared_at = now() where id = any($1::text[])", list(order_ids)
    )


async def _get(connection: Connection, reconciliation_id: str) -> Reconciliation:
    found = await find(connection, reconciliation_id)
    assert found is not None, "it was just written"
    return found


def _line(row: Any) -> Fact:
    return Fact(
        key=f"repaired:{row['id']}",
        type=ActivityType.REPAIRED,
        at=datetime.now(UTC),
        cause=Cause.RECONCILIATION,
        user_id=row["user_id"],
        product_id=row["product_id"],
        source_id=row["source_id"] or None,
        workflow_id=row["workflow_id"],
        data={"kind": row["kind"], "reconciliation": row["reconciliation_id"]},
    )
