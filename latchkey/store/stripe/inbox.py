"""The inbox of Stripe's events: stored before they are answered, relayed to Temporal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.contracts import (
    purchase_workflow_id,
    stripe_object_workflow_id,
    subscription_workflow_id,
)
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Connection, Pool
from latchkey.store.stripe.context import Account

LEASE = timedelta(seconds=30)
"""How long a claimed event is left alone before another relay may take it."""

BURST = timedelta(milliseconds=500)
"""An object's first event goes on at once; those that follow within this time wait as long, so that
one nudge and one fetch serve them all. A purchase is such a burst."""

UNHEARD = timedelta(minutes=15)
"""After this long a relayed event that isn't handled is relayed again, after that whenever it has
been on its way for twice as long, at least once in `LONGEST_UNHEARD`."""

LONGEST_UNHEARD = timedelta(days=1)

FEW = 20
"""So many unheard events are taken at a time, beside the waiting ones, that they hold none up."""

_INSERT = """
insert into events (id, account_id, livemode, type, object_id, thin, api_version, created_at,
                    target_kind, target_id, checkout_session, state, body, not_before)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
        case when $9 <> 'none' and exists (
               select from events where target_id = $10 and target_kind <> 'none'
                                    and received_at > now() - $14::interval)
             then now() + $14 else now() end)
on conflict (id) do nothing
returning not_before > now()
"""


@dataclass(frozen=True)
class Arrival:
    """An event as it came in; `body` is exactly what Stripe sent."""

    id: str
    account: Account
    type: str
    object_id: str
    thin: bool
    api_version: str | None
    created_at: datetime
    target: Target
    body: str


@dataclass(frozen=True)
class Waiting:
    """An event on its way to its workflow."""

    id: str
    target: Target
    attempts: int


async def store(pool: Pool, event: Arrival) -> timedelta | None:
    """Put an event into the inbox and say when it is due; None where there is nothing to relay.

    A second delivery of the same id changes nothing.
    """
    waits = await pool.fetchval(
        _INSERT,
        event.id,
        event.account.id,
        event.account.livemode,
        event.type,
        event.object_id,
        event.thin,
        event.api_version,
        event.created_at,
        event.target.kind.value,
        event.target.id,
        event.target.checkout_session,
        "ignored" if event.target.kind is TargetKind.NONE else "waiting",
        event.body,
        BURST,
    )
    if waits is None or event.target.kind is TargetKind.NONE:
        return None
    return BURST if waits else timedelta()


async def claim(pool: Pool, *, limit: int) -> list[Waiting]:
    """Take up to `limit` waiting events for `LEASE`, and a `FEW` relayed ones of which nothing was
    heard; other relays skip them meanwhile."""
    rows = await pool.fetch(
        """
        update events set not_before = now() + $2, attempts = attempts + 1
         where id = any(array(select id from events
                               where state = 'waiting' and not_before <= now()
                               order by not_before limit $1
                                 for update skip locked)
                     || array(select id from events
                               where state = 'relayed' and not_before <= now()
                               order by not_before limit $3
                                 for update skip locked))
        returning id, target_kind, target_id, checkout_session, attempts
        """,
        limit,
        LEASE,
        FEW,
    )
    return [
        Waiting(
            row["id"],
            Target(TargetKind(row["target_kind"]), row["target_id"], row["checkout_session"]),
            row["attempts"],
        )
        for row in rows
    ]


async def begin_reading(
    connection: Connection, kind: TargetKind, target_id: str
) -> tuple[int, list[Waiting]]:
    """A reading's ticket, and the events of the object that wait or are on their way.

    Asked before the object is read: what was stored by then happened before the reading, which
    therefore serves these events too.
    """
    rows = await connection.fetch(
        """
        select taken.ticket, e.id, e.checkout_session, e.attempts
          from (select nextval('reading_tickets') as ticket) taken
          left join events e on e.target_id = $1 and e.target_kind = $2
               and e.target_kind <> 'none' and e.state in ('waiting', 'relayed')
         order by e.received_at
        """,
        target_id,
        kind.value,
    )
    return rows[0]["ticket"], [
        Waiting(row["id"], Target(kind, target_id, row["checkout_session"]), row["attempts"])
        for row in rows
        if row["id"] is not None
    ]


async def served(
    connection: Connection, kind: TargetKind, target_id: str, ids: Sequence[str]
) -> bool:
    """Whether these events are all handled, and no other one of the object waits."""
    found: bool = await connection.fetchval(
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
    return found


async def mark_relayed(pool: Pool, ids: Sequence[str]) -> None:
    """Note that Temporal was told. Where nothing comes of it, it is told again, at growing pauses:
    a run may also be waiting for Stripe, and looks by itself."""
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
    """Leave events for another try in `wait`."""
    await pool.execute(
        """
        update events set not_before = now() + $2, error = $3
         where id = any($1::text[]) and state in ('waiting', 'relayed')
        """,
        list(ids),
        wait,
        error,
    )


async def mark_handled(connection: Connection, ids: Sequence[str]) -> None:
    """Record that the effects of these events are written."""
    if ids:
        await connection.execute(
            """
            update events set state = 'handled', handled_at = now(), error = null
             where id = any($1::text[]) and state <> 'handled'
            """,
            list(ids),
        )


async def adopt(
    connection: Connection,
    ids: Sequence[str],
    kind: TargetKind,
    target_id: str,
    session: str | None,
) -> None:
    """Note that these events turned out to belong to another object than routing could tell: it
    answers for them from now on, and shows them."""
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
    """Record that these events could not be handled and why; they can be resent."""
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
    """An event as pages and API show it; the body stays in the database."""

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
        """The run that looks after the object; a payment's purchase isn't known before."""
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
    """Events, the newest received first, from the one after `seq`. `thing` is an event's own id,
    or that of the object it speaks of or belongs to."""
    wanted = {
        "state = {}": state,
        "type = {}": type_,
        "(id = {0} or target_id = {0} and target_kind <> 'none')": thing,
        "seq < {}": after,
    }
    given = {text: value for text, value in wanted.items() if value is not None}
    where = " and ".join(text.format(f"${n}") for n, text in enumerate(given, start=2)) or "true"
    rows = await connection.fetch(
        f"select {_SHOWN} from events where {where} order by seq desc limit $1",
        limit,
        *given.values(),
    )
    return [Received(**dict(row)) for row in rows]


async def find(connection: Connection, event_id: str) -> tuple[Received, str | None] | None:
    """An event and what Stripe sent, which is None where that is no longer, or was never, kept."""
    row = await connection.fetchrow(f"select {_SHOWN}, body from events where id = $1", event_id)
    if row is None:
        return None
    plain = dict(row)
    body: str | None = plain.pop("body")
    return Received(**plain), body


async def resend(connection: Connection, event_id: str) -> Received | None:
    """Have an event relayed again; harmless for one that was handled. None where unknown."""
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
    """Have every failed event relayed again; returns how many."""
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
    """Put a failed event away, saying why; a resend takes it up again. None where there is no such
    event that failed or was ignored."""
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
