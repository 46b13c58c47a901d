"""The audit log: who did what, from where, and with what result. Lines are only ever added."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.vocabulary import AuditAction, AuditActor, AuditOutcome
from latchkey.store.pool import Connection, Pool
from latchkey.texts import made_storable

CHUNK = 2000
FORGET = 5000
LONGEST_AGENT = 200
LONGEST_VALUE = 200
MOST_VALUES = 40


@dataclass(frozen=True)
class Actor:
    """Who did something: the id is a user's or an API token's. `on_behalf_of` is the member that an
    admin saw the site as."""

    kind: AuditActor
    id: int | None = None
    on_behalf_of: int | None = None


@dataclass(frozen=True)
class AuditOrigin:
    """Where a request came from: its IP address and the user agent; for a command, its name."""

    ip: str | None = None
    agent: str | None = None


@dataclass(frozen=True)
class AuditTarget:
    """What something was done to, such as `("product", "p_…")`."""

    kind: str
    id: str


@dataclass(frozen=True)
class AuditEntry:
    """One line to be written. `count` is how often it happened within a minute; `at` is now where
    it isn't given. `before` and `after` hold no secrets and no email addresses."""

    action: AuditAction
    outcome: AuditOutcome
    actor: Actor
    origin: AuditOrigin = AuditOrigin()
    target: AuditTarget | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    count: int = 1
    at: datetime | None = None


@dataclass(frozen=True)
class AuditLine:
    """One line of the log. `email` and `token_name` say who the actor is today, if they are still
    known."""

    id: int
    at: datetime
    action: str
    outcome: str
    actor_kind: str
    actor_id: int | None
    on_behalf_of: int | None
    ip: str | None
    agent: str | None
    target_kind: str | None
    target_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    count: int
    email: str | None
    token_name: str | None


@dataclass(frozen=True)
class AuditFilter:
    """Which lines to show; None means any. `actor_id` needs `actor_kind`."""

    actor_kind: AuditActor | None = None
    actor_id: int | None = None
    action: AuditAction | None = None
    outcome: AuditOutcome | None = None
    since: datetime | None = None
    until: datetime | None = None


async def write(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Add lines, in the transaction of what they record. The one writer of the log."""
    if not entries:
        return
    await connection.execute(
        """
        insert into audit_log (at, action, outcome, actor_kind, actor_id, on_behalf_of, ip, agent,
                               target_kind, target_id, before, after, count)
        select coalesce(at, now()), action, outcome, actor_kind, actor_id, on_behalf_of, ip, agent,
               target_kind, target_id, before, after, count
          from jsonb_to_recordset($1::jsonb) as given (
            at timestamptz, action text, outcome text, actor_kind text, actor_id bigint,
            on_behalf_of bigint, ip text, agent text, target_kind text, target_id text,
            before jsonb, after jsonb, count integer)
        """,
        [_row(entry) for entry in entries],
    )


async def changed(connection: Connection) -> bool:
    """Whether the running transaction has changed anything so far."""
    found: bool = await connection.fetchval("select pg_current_xact_id_if_assigned() is not null")
    return found


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "action": entry.action,
        "outcome": entry.outcome,
        "actor_kind": entry.actor.kind,
        "actor_id": entry.actor.id,
        "on_behalf_of": entry.actor.on_behalf_of,
        "ip": entry.origin.ip,
        "agent": _shortened(entry.origin.agent, LONGEST_AGENT) if entry.origin.agent else None,
        "target_kind": entry.target.kind if entry.target else None,
        "target_id": _shortened(entry.target.id, LONGEST_VALUE) if entry.target else None,
        "before": _small(entry.before),
        "after": _small(entry.after),
        "count": entry.count,
    }


def _small(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not values:
        return None
    return {key: _short(value) for key, value in list(values.items())[:MOST_VALUES]}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return _shortened(value, LONGEST_VALUE)
    if isinstance(value, list | tuple):
        return [_short(item) for item in value[:MOST_VALUES]]
    if isinstance(value, Mapping):
        return _small(value)
    return value


def _shortened(text: str, longest: int) -> str:
    """The text as Postgres can store it, cut off after `longest` characters."""
    plain = made_storable(text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


_COLUMNS = """
l.id, l.at, l.action, l.outcome, l.actor_kind, l.actor_id, l.on_behalf_of, l.ip, l.agent,
l.target_kind, l.target_id, l.before, l.after, l.count, u.email, t.name as token_name
"""


async def listed(
    connection: Connection, wanted: AuditFilter, *, after: int | None = None, limit: int = 50
) -> list[AuditLine]:
    """Lines, latest first, starting after the one with id `after`."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from audit_log l
          left join user_merges m on l.actor_kind = 'user' and m.from_user = l.actor_id
          left join users u on l.actor_kind = 'user' and u.id = coalesce(m.into_user, l.actor_id)
          left join api_tokens t on l.actor_kind = 'token' and t.id = l.actor_id
         where ($1::bigint is null or l.id < $1)
           and ($2::text is null or l.actor_kind = $2) and ($3::bigint is null or l.actor_id = $3)
           and ($4::text is null or l.action = $4) and ($5::text is null or l.outcome = $5)
           and ($6::timestamptz is null or l.at >= $6) and ($7::timestamptz is null or l.at < $7)
         order by l.id desc limit $8
        """,
        after,
        wanted.actor_kind,
        wanted.actor_id,
        wanted.action,
        wanted.outcome,
        wanted.since,
        wanted.until,
        limit,
    )
    return [AuditLine(**dict(row)) for row in rows]


async def all_lines(pool: Pool, wanted: AuditFilter) -> AsyncIterator[list[AuditLine]]:
    """The whole filtered log in chunks, latest first. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await listed(connection, wanted, after=after, limit=CHUNK)
        if not rows:
            return
        yield rows
        after = rows[-1].id


async def forget(pool: Pool, *, older_than: timedelta) -> int:
    """Delete lines older than that, in batches. Returns how many."""
    total = 0
    while gone := await pool.fetchval("select audit_forget($1, $2)", older_than, FORGET):
        total += int(gone)
    return total
