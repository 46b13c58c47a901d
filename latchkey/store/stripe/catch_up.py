"""How far Stripe's event list has been read, and storing the missed events found there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account

OVERLAP = timedelta(minutes=10)
"""How long after its creation an event may appear in the list."""

HOUR = timedelta(hours=1)

_AT = "where account_id = $1 and livemode = $2 and part = $3"


@dataclass(frozen=True)
class Position:
    """Where to start reading a part of an account's list: after the event `anchor_id` or, without
    one, from the time `since`. Until `reached`, all events are certainly known."""

    account: Account
    part: str
    since: datetime
    anchor_id: str | None
    anchor_at: datetime | None
    looked_at: datetime | None

    @property
    def reached(self) -> datetime:
        return self.looked_at or self.since


@dataclass(frozen=True)
class ListedEvent:
    """An event in Stripe's list: ids, since its payload may have another API version, and what each
    version says of how it came about (`rules.cancelling.Telling`)."""

    id: str
    type: str
    object_id: str
    api_version: str | None
    created_at: datetime
    target: Target
    requested: bool | None = None
    cancels: bool | None = None


async def due_parts(connection: Connection, parts: Sequence[str], *, account: Account) -> list[str]:
    """The parts to list now; `hourly` ones only if they were last listed an hour ago."""
    rows = await connection.fetch(
        """
        select part from catch_up
         where account_id = $1 and livemode = $2 and looked_at > now() - $3::interval
        """,
        account.id,
        account.livemode,
        HOUR,
    )
    looked = {row["part"] for row in rows}
    return [part for part in parts if not (part.startswith("hourly") and part in looked)]


async def place(
    connection: Connection, part: str, *, account: Account, as_of: datetime
) -> Position:
    """Where to continue. The first run starts at the oldest link, since the import covers
    everything before a link was created."""
    row = await connection.fetchrow(
        """
        insert into catch_up (account_id, livemode, part, since)
        select $1, $2, $3, coalesce(min(created_at), $4) - $5::interval
          from links where removed_at is null and account_id = $1 and livemode = $2
        on conflict (account_id, livemode, part) do update set since = catch_up.since
        returning part, since, anchor_id, anchor_at, looked_at
        """,
        account.id,
        account.livemode,
        part,
        as_of,
        OVERLAP,
    )
    assert row is not None, "the upsert returns its row"
    return Position(account, **dict(row))


async def start_over(connection: Connection, place: Position, *, since: datetime) -> None:
    """Forget the anchor and read from `since` on."""
    await connection.execute(
        f"update catch_up set anchor_id = null, anchor_at = null, since = $4 {_AT}",
        *_key(place),
        since,
    )


async def drop_anchor(connection: Connection, place: Position, anchor: ListedEvent) -> None:
    """Record that all events up to this one are known, including late ones."""
    await connection.execute(
        f"""
        update catch_up set anchor_id = $4, anchor_at = $5
        {_AT} and (anchor_at is null or anchor_at <= $5)
        """,
        *_key(place),
        anchor.id,
        anchor.created_at,
    )


async def looked(connection: Connection, place: Position, *, as_of: datetime) -> None:
    """Record that the part was read to its end at this time."""
    await connection.execute(
        f"""
        update catch_up
           set looked_at = $4, since = case when anchor_id is null then $5 else since end
        {_AT}
        """,
        *_key(place),
        as_of,
        as_of - OVERLAP,
    )


async def store(connection: Connection, place: Position, events: Sequence[ListedEvent]) -> int:
    """Put events that aren't in the inbox there, to be processed like a webhook's; returns how many
    were missing. The caller opens the transaction."""
    await _note_sent(connection, events)
    rows = await connection.fetch(
        """
        insert into events (id, account_id, livemode, type, object_id, thin, api_version,
                            created_at, target_kind, target_id, state, source, requested,
                            cancels)
        select id, $1, $2, type, object_id, false, api_version, created_at, target_kind, target_id,
               case when target_kind = 'none' then 'ignored' else 'waiting' end, 'catch_up',
               requested, cancels
          from jsonb_to_recordset($3::jsonb) as given (
               id text, type text, object_id text, api_version text, created_at timestamptz,
               target_kind text, target_id text, requested boolean, cancels boolean)
         where not exists (select from events known where known.id = given.id)
         order by created_at
        on conflict (id) do nothing
        returning id
        """,
        place.account.id,
        place.account.livemode,
        [_row(event) for event in events],
    )
    if rows:
        await connection.execute(
            f"update catch_up set found = found + $4, found_at = now() {_AT}",
            *_key(place),
            len(rows),
        )
    return len(rows)


def _key(place: Position) -> tuple[str, bool, str]:
    return place.account.id, place.account.livemode, place.part


async def _note_sent(connection: Connection, events: Sequence[ListedEvent]) -> None:
    newest: dict[str, ListedEvent] = {}
    for event in events:
        known = newest.get(event.type)
        if known is None or known.created_at < event.created_at:
            newest[event.type] = event
    await connection.execute(
        """
        insert into sent_events (type, event_id, created_at)
        select * from unnest($1::text[], $2::text[], $3::timestamptz[])
        on conflict (type) do update
           set event_id = excluded.event_id, created_at = excluded.created_at
         where sent_events.created_at < excluded.created_at
        """,
        list(newest),
        [event.id for event in newest.values()],
        [event.created_at for event in newest.values()],
    )


def _row(event: ListedEvent) -> Mapping[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "object_id": event.object_id,
        "api_version": event.api_version,
        "created_at": event.created_at,
        "requested": event.requested,
        "cancels": event.cancels,
        "target_kind": event.target.kind.value,
        "target_id": event.target.id if event.target.kind is not TargetKind.NONE else "",
    }
