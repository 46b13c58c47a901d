"""The inbox of Stripe events: stored before the webhook is answered, then relayed to Temporal."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.contracts import (
    purchase_workflow_id,
    stripe_object_workflow_id,
    subscription_workflow_id,
)
from latchkey.rules.routing import ECHOES, SETTLES, Target, TargetKind
from latchkey.store.pool import Connection, Pool
from latchkey.store.stripe.context import Account
from latchkey.stripe_ids import is_reference
from latchkey.timings import EVENT

LEASE = timedelta(seconds=30)
"""How long a claimed event is reserved before another relay may take it."""

BURST = timedelta(milliseconds=500)
"""An object's first event is relayed at once. Later events within this time are held for that long,
so one nudge and one fetch serve the burst that a purchase causes."""

UNHEARD = timedelta(minutes=15)
"""After this long, a relayed event that hasn't been handled is relayed again, then each time its
age has doubled, but at least once every `LONGEST_UNHEARD`."""

LONGEST_UNHEARD = timedelta(days=1)

MOMENTS = timedelta(minutes=1)
"""How long a reading may take at most to be overtaken by an event about the payment."""

MOST_OTHERS = 1000
"""How many further events of a burst's objects are claimed with it. Those beyond stay as they are,
and its reading serves them all the same."""

FEW = 20
"""How many unhandled events are taken at a time, few enough not to delay the waiting ones."""

_AGE = """
extract(epoch from clock_timestamp() - case e.source when 'webhook' then e.received_at
                                       else e.created_at end)::float8 as age
"""
"""Seconds since a webhook delivered an event or, if none did, since Stripe made it."""

_INSERT = """
with gone as materialized (
    select id as name from customers where erased and id = any($16::text[])
    union all
    select customer_account from customers where erased and customer_account = any($16::text[])
    union all
    select s.id from subscriptions s join users u on u.id = s.user_id
     where s.id = any($16::text[]) and u.erased_at is not null
    union all
    select unnest(array[o.id, o.payment_intent]) from orders o join users u on u.id = o.user_id
     where (o.id = any($16::text[]) or o.payment_intent = any($16::text[]))
       and u.erased_at is not null),
erased as materialized (
    select n.event from unnest($15::text[], $16::text[]) as n (event, name) join gone using (name))
insert into events (id, account_id, livemode, type, object_id, thin, api_version, created_at,
                    target_kind, target_id, checkout_session, state, body, requested, cancels,
                    not_before, trace)
select g.id, g.account_id, g.livemode, g.type, g.object_id, g.thin, g.api_version, g.created_at,
       g.target_kind, g.target_id, g.checkout_session,
       case g.target_kind when 'none' then 'ignored' else 'waiting' end,
       case when g.id in (select event from erased)
            then jsonb_build_object('id', g.id, 'type', g.type, 'erased', true)::text
            else g.body end,
       g.requested, g.cancels, now() + coalesce(before.pause, interval '0'), g.trace
  from unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::boolean[],
              $7::text[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[],
              $13::boolean[], $14::boolean[], $18::text[])
         as g (id, account_id, livemode, type, object_id, thin, api_version, created_at,
               target_kind, target_id, checkout_session, body, requested, cancels, trace)
  left join lateral (
       select $17::interval as pause from events e
        where g.target_kind <> 'none' and e.target_kind <> 'none' and e.target_id = g.target_id
          and e.received_at > now() - $17::interval
        limit 1) before on true
on conflict (id) do nothing
returning id, target_kind <> 'none' as relayed, not_before > now() as waits
"""


@dataclass(frozen=True)
class Arrival:
    """An event as it arrived; `body` is exactly what Stripe sent, and isn't stored if one of the
    objects that it `names` belongs to somebody who was erased. `requested` and `cancels` are what
    `rules.cancelling.Telling` says. `trace` is the span that it arrived in, if traces are on."""

    id: str
    account: Account
    type: str
    object_id: str
    thin: bool
    api_version: str | None
    created_at: datetime
    target: Target
    body: str
    names: frozenset[str] = frozenset()
    requested: bool | None = None
    cancels: bool | None = None
    trace: str | None = None


@dataclass(frozen=True)
class Waiting:
    """An event to be delivered to its workflow, or to be served by a reading. `age` is then in
    seconds: see `_AGE`."""

    id: str
    type: str
    target: Target
    attempts: int
    trace: str | None = None
    age: float = 0.0


async def store(pool: Pool, events: Sequence[Arrival]) -> dict[str, timedelta]:
    """Put events into the inbox and return when those are due that are new and relayed, by id.

    A second delivery of the same id changes nothing.
    """
    named = [(event.id, name) for event in events for name in event.names]
    rows = await pool.fetch(
        _INSERT,
        [event.id for event in events],
        [event.account.id for event in events],
        [event.account.livemode for event in events],
        [event.type for event in events],
        [event.object_id for event in events],
        [event.thin for event in events],
        [event.api_version for event in events],
        [event.created_at for event in events],
        [event.target.kind.value for event in events],
        [event.target.id for event in events],
        [event.target.checkout_session for event in events],
        [event.body for event in events],
        [event.requested for event in events],
        [event.cancels for event in events],
        [event_id for event_id, _ in named],
        [name for _, name in named],
        BURST,
        [event.trace for event in events],
    )
    return {row["id"]: BURST if row["waits"] else timedelta() for row in rows if row["relayed"]}


async def claim(pool: Pool, *, limit: int, few: int = FEW, apart: bool = False) -> list[Waiting]:
    """Claim up to `limit` waiting events for `LEASE`, and up to `few` relayed ones that haven't
    been handled. Other relays skip them in the meantime. `apart` leaves those whose objects can be
    read by lists. In the order in which they came."""
    rows = await pool.fetch(
        """
        update events set not_before = now() + $2, attempts = attempts + 1
         where id = any(array(select id from events
                               where state = 'waiting' and not_before <= now()
                                 and not ($4 and (target_kind = 'subscription'
                                              or target_kind = 'purchase'
                                                 and target_id like 'cs\\_%'))
                               order by not_before limit $1
                                 for update skip locked)
                     || array(select id from events
                               where state = 'relayed' and not_before <= now()
                               order by not_before limit $3
                                 for update skip locked))
        returning id, type, target_kind, target_id, checkout_session, attempts, trace, received_at
        """,
        limit,
        LEASE,
        few,
        apart,
    )
    return [_waiting(row) for row in sorted(rows, key=lambda row: row["received_at"])]


def _waiting(row: Any) -> Waiting:
    return Waiting(
        row["id"],
        row["type"],
        Target(TargetKind(row["target_kind"]), row["target_id"], row["checkout_session"]),
        row["attempts"],
        row["trace"],
    )


async def claim_others(
    pool: Pool, targets: Collection[Target], *, without: Sequence[str]
) -> list[Waiting]:
    """Claim, for `LEASE`, what else waits of these objects, also if it isn't due yet."""
    rows = await pool.fetch(
        """
        update events set not_before = now() + $4, attempts = attempts + 1
         where id = any(array(
               select e.id from events e
                 join unnest($1::text[], $2::text[]) as given (kind, id)
                   on e.target_id = given.id and e.target_kind = given.kind
                where e.state = 'waiting' and e.target_kind <> 'none' and e.id <> all($3::text[])
                order by e.received_at limit $5 for update of e skip locked))
        returning id, type, target_kind, target_id, checkout_session, attempts, trace
        """,
        [target.kind.value for target in targets],
        [target.id for target in targets],
        list(without),
        LEASE,
        MOST_OTHERS,
    )
    return [_waiting(row) for row in rows]


async def awaited(pool: Pool, *, most: int) -> int:
    """How many subscriptions and purchases have events that were relayed within `MOMENTS` and
    aren't handled yet; counts up to `most`."""
    count: int = await pool.fetchval(
        """
        select count(*) from (
               select distinct target_kind, target_id from events
                where state = 'relayed' and relayed_at > now() - $1::interval
                  and target_kind = any($2::text[])
                limit $3) as objects
        """,
        MOMENTS,
        [TargetKind.SUBSCRIPTION.value, TargetKind.PURCHASE.value],
        most,
    )
    return count


async def drop_echoes(pool: Pool, events: Sequence[Waiting]) -> list[Waiting]:
    """Mark as handled what only a purchase whose money hasn't come could wait for, where there is
    no such purchase; returns the other events."""
    echoes = {
        event.id: event.target.id
        for event in events
        if event.type.removeprefix("v1.") in ECHOES and event.target.kind is TargetKind.PAYMENT
    }
    if not echoes:
        return list(events)
    rows = await pool.fetch(
        """
        update events e set state = 'handled', handled_at = now(), error = null
          from unnest($1::text[], $2::text[]) as g (id, payment_intent)
         where e.id = g.id and not exists (
               select from orders o
                where o.payment_intent = g.payment_intent and o.state <> 'paid')
        returning e.id
        """,
        list(echoes),
        list(echoes.values()),
    )
    dropped = {row["id"] for row in rows}
    return [event for event in events if event.id not in dropped]


async def just_settled(connection: Connection, payment_intent: str) -> bool:
    """Whether Stripe said in the last moments that this payment's money came."""
    settled: bool = await connection.fetchval(
        """
        select exists (select from events
                        where target_id = $1 and target_kind = 'payment'
                          and type in ($2, 'v1.' || $2)
                          and received_at > now() - $3::interval)
        """,
        payment_intent,
        SETTLES,
        MOMENTS,
    )
    return settled


async def begin_reading(
    connection: Connection, kind: TargetKind, target_id: str
) -> tuple[int, list[Waiting]]:
    """A reading's ticket (a fencing token), and the object's unprocessed events.

    Call it before reading the object: events stored until then happened before the reading, which
    therefore serves them too.
    """
    rows = await connection.fetch(
        f"""
        select taken.ticket, e.id, e.type, e.checkout_session, e.attempts, e.trace, {_AGE}
          from (select nextval('reading_tickets') as ticket) taken
          left join events e on e.target_id = $1 and e.target_kind = $2
               and e.target_kind <> 'none' and e.state in ('waiting', 'relayed')
         order by e.received_at
        """,
        target_id,
        kind.value,
    )
    return rows[0]["ticket"], [
        Waiting(
            row["id"],
            row["type"],
            Target(kind, target_id, row["checkout_session"]),
            row["attempts"],
            row["trace"],
            row["age"],
        )
        for row in rows
        if row["id"] is not None
    ]


@dataclass(frozen=True)
class Unprocessed:
    """An unprocessed event with what Stripe sent, if that is stored, and its age in seconds:
    see `_AGE`."""

    id: str
    target: Target
    created_at: datetime
    body: str | None
    age: float


async def begin_readings(
    connection: Connection, targets: Sequence[Target]
) -> tuple[int, datetime, list[Unprocessed]]:
    """`begin_reading` for many objects under one ticket. Also returns the database's time, as of
    which they are judged: a worker's clock may be wrong."""
    rows = await connection.fetch(
        f"""
        select taken.ticket, taken.as_of, e.*
          from (select nextval('reading_tickets') as ticket, clock_timestamp() as as_of) taken
          left join lateral (
               select e.id, e.target_kind, e.target_id, e.checkout_session, e.created_at,
                      e.received_at, e.body, {_AGE}
                 from unnest($1::text[], $2::text[]) as given (kind, id)
                 join events e on e.target_id = given.id and e.target_kind = given.kind
                where e.target_kind <> 'none' and e.state in ('waiting', 'relayed')) e on true
         order by e.received_at
        """,
        [target.kind.value for target in targets],
        [target.id for target in targets],
    )
    events = [
        Unprocessed(
            row["id"],
            Target(TargetKind(row["target_kind"]), row["target_id"], row["checkout_session"]),
            row["created_at"],
            row["body"],
            row["age"],
        )
        for row in rows
        if row["id"] is not None
    ]
    return rows[0]["ticket"], rows[0]["as_of"], events


async def named(connection: Connection, target_id: str) -> str | None:
    """The object behind the target of an event, as `<kind>/<Stripe id>`. The target may have a
    reference in place of the id, which its events name and, if they are gone, the mirror; None if
    neither does."""
    kind, _, object_id = target_id.partition("/")
    if not is_reference(object_id):
        return target_id
    known = await connection.fetchval(
        """
        select object_id from events where target_id = $1 and target_kind = 'object'
         order by received_at desc limit 1
        """,
        target_id,
    )
    known = known or await _mirrored(connection, kind, object_id)
    return f"{kind}/{known}" if known else None


_MIRRORS = {"customer": "customers", "product": "stripe_products", "price": "prices"}


async def _mirrored(connection: Connection, kind: str, reference: str) -> str | None:
    """The mirrored object whose id a reference stands for (`stripe_ids.reference`)."""
    if kind not in _MIRRORS:
        return None
    object_id: str | None = await connection.fetchval(
        f"""
        select id from {_MIRRORS[kind]}
         where 'ref-' || left(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 32) = $1
         limit 1
        """,
        reference,
    )
    return object_id


async def served(
    connection: Connection, kind: TargetKind, target_id: str, ids: Sequence[str]
) -> bool:
    """Whether all these events are handled, and no other event of the object is waiting."""
    all_handled: bool = await connection.fetchval(
        """
        select (select count(*) from events where id = any($3::text[]) and state = 'handled')
                 = cardinality($3::text[])
           and not exists (select from events where target_id = $1 and target_kind = $2
                              and target_kind <> 'none' and state in ('waiting', 'relayed'))
        """,
        target_id,
        kind.value,
        list(dict.fromkeys(ids)),
    )
    return all_handled


async def mark_relayed(pool: Pool, ids: Sequence[str]) -> None:
    """Record that the events were relayed. Unhandled ones are relayed again with growing pauses,
    since a run may also be waiting for Stripe and retries by itself."""
    await pool.execute(
        """
        update events
           set state = 'relayed', error = null, relayed_at = coalesce(relayed_at, now()),
               not_before = now() + least(greatest(now() - relayed_at, $2), $3)
         where id = any($1::text[]) and state in ('waiting', 'relayed')
        """,
        list(ids),
        UNHEARD,
        LONGEST_UNHEARD,
    )


async def put_back(pool: Pool, ids: Sequence[str], *, error: str, wait: timedelta) -> None:
    """Put events back for another attempt after `wait`."""
    await pool.execute(
        """
        update events set not_before = now() + $2, error = $3
         where id = any($1::text[]) and state in ('waiting', 'relayed')
        """,
        list(ids),
        wait,
        error,
    )


async def targets_relayed(connection: Connection) -> list[Target]:
    """What was nudged because of events that aren't handled yet."""
    rows = await connection.fetch(
        "select distinct target_kind, target_id from events where state = 'relayed'"
    )
    return [Target(TargetKind(row["target_kind"]), row["target_id"]) for row in rows]


async def relay_again(connection: Connection, targets: Collection[Target]) -> None:
    """Relay the unhandled events of these targets once more, without waiting any longer."""
    await connection.execute(
        """
        update events set state = 'waiting', not_before = now(), relayed_at = null
         where state = 'relayed' and (target_kind, target_id) in (
               select * from unnest($1::text[], $2::text[]))
        """,
        [target.kind for target in targets],
        [target.id for target in targets],
    )


async def mark_handled(connection: Connection, ids: Sequence[str]) -> None:
    """Record that these events have been processed. How long that took is measured, but for those
    that had failed before."""
    if ids:
        rows = await connection.fetch(
            """
            update events set state = 'handled', handled_at = now(), error = null
             where id = any($1::text[]) and state <> 'handled'
            returning extract(epoch from clock_timestamp() - received_at)::float8 as seconds,
                      failed_at is not null as failed
            """,
            list(ids),
        )
        for row in rows:
            if not row["failed"]:
                EVENT.observe(row["seconds"])


async def adopt(
    connection: Connection,
    ids: Sequence[str],
    kind: TargetKind,
    target_id: str,
    session: str | None,
) -> None:
    """Reassign events that turned out to belong to another object than routing could tell. They are
    processed and shown with that object from now on."""
    await connection.execute(
        """
        update events
           set target_kind = $2, target_id = $3, checkout_session = coalesce($4, checkout_session)
         where id = any($1::text[])
        """,
        list(ids),
        kind.value,
        target_id,
        session,
    )


async def mark_failed(connection: Connection, ids: Sequence[str], *, error: str) -> None:
    """Record that these events failed and why. They can be resent."""
    if ids:
        await connection.execute(
            """
            update events set state = 'failed', error = $2, failed_at = now()
             where id = any($1::text[]) and state not in ('handled', 'ignored')
            """,
            list(ids),
            error,
        )


@dataclass(frozen=True)
class Received:
    """An event for pages and the API, without its body."""

    id: str
    seq: int
    type: str
    object_id: str
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    received_at: datetime
    handled_at: datetime | None
    target_kind: str
    target_id: str
    source: str
    api_version: str | None
    ignored_reason: str | None

    @property
    def workflow_id(self) -> str | None:
        """The workflow of the object. A payment has none, since its purchase isn't known yet."""
        match TargetKind(self.target_kind):
            case TargetKind.SUBSCRIPTION:
                return subscription_workflow_id(self.target_id)
            case TargetKind.PURCHASE:
                return purchase_workflow_id(self.target_id)
            case TargetKind.OBJECT:
                return stripe_object_workflow_id(self.target_id)
        return None


_SHOWN = (
    "id, seq, type, object_id, state, attempts, error, created_at, received_at, handled_at,"
    " target_kind, target_id, source, api_version, ignored_reason"
)


async def listed(
    connection: Connection,
    *,
    state: str | None = None,
    type_: str | None = None,
    thing: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Received]:
    """Events, most recently received first, starting after `seq`. `thing` is an event's id, or the
    id of an object it is about or belongs to."""
    wanted = {
        "state = {}": state,
        "type = {}": type_,
        "(id = {0} or target_id = {0} and target_kind <> 'none')": thing,
        "seq < {}": after,
    }
    conditions = {text: value for text, value in wanted.items() if value is not None}
    where = (
        " and ".join(text.format(f"${n}") for n, text in enumerate(conditions, start=2)) or "true"
    )
    rows = await connection.fetch(
        f"select {_SHOWN} from events where {where} order by seq desc limit $1",
        limit,
        *conditions.values(),
    )
    return [Received(**dict(row)) for row in rows]


async def find(connection: Connection, event_id: str) -> tuple[Received, str | None] | None:
    """An event and what Stripe sent, which is None if it has been deleted or was never stored."""
    row = await connection.fetchrow(f"select {_SHOWN}, body from events where id = $1", event_id)
    if row is None:
        return None
    plain = dict(row)
    body: str | None = plain.pop("body")
    return Received(**plain), body


async def resend(connection: Connection, event_id: str) -> Received | None:
    """Relay an event again. Harmless if it was handled. None if it is unknown."""
    row = await connection.fetchrow(
        f"""
        update events set state = 'waiting', not_before = now(), attempts = 0, error = null,
               relayed_at = null, ignored_reason = null, ignored_by = null
         where id = $1 and target_kind <> 'none' returning {_SHOWN}
        """,
        event_id,
    )
    if row is None:
        row = await connection.fetchrow(f"select {_SHOWN} from events where id = $1", event_id)
    return Received(**dict(row)) if row else None


async def resend_failed(connection: Connection) -> int:
    """Relay every failed event again; returns how many."""
    rows = await connection.fetch(
        """
        update events set state = 'waiting', not_before = now(), attempts = 0, error = null,
               relayed_at = null
         where state = 'failed' and target_kind <> 'none' returning 1
        """
    )
    return len(rows)


async def ignore(
    connection: Connection, event_id: str, *, reason: str, actor: int | None
) -> Received | None:
    """Ignore a failed event, with a reason. It can be resent later. None if there is no such failed
    or ignored event."""
    row = await connection.fetchrow(
        f"""
        update events set state = 'ignored', ignored_reason = $2, ignored_by = $3
         where id = $1 and state in ('failed', 'ignored') returning {_SHOWN}
        """,
        event_id,
        reason,
        actor,
    )
    return Received(**dict(row)) if row else None
