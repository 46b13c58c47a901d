"""The members' accounts at communities such as Discord, and what they were given there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.rules.vocabulary import COMMUNITY_SYNC, ActivityType, Cause, WebhookFormat
from latchkey.store import audit_draft
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection, Pool
from latchkey.store.webhooks import events

AWAY_AGAIN = timedelta(hours=1)
PRESENT_AGAIN = timedelta(days=1)
"""After how long an account that wasn't in the community is looked at again, and one that was."""
ERASED_LIFE = timedelta(days=30)
"""How long the account of an erased user is kept whose roles can't be taken back."""


class AccountTakenError(Exception):
    """The account is connected to another user here."""


@dataclass(frozen=True)
class ConnectedAccount:
    """A member's account as pages and the API show it. `roles` are the names of what it was given
    and may keep. `away_since` is when it was first missed in the community."""

    id: int
    community_id: str
    kind: WebhookFormat
    community: str
    external_id: str
    name: str | None
    bound_at: datetime
    away_since: datetime | None
    settled_at: datetime | None
    roles: Sequence[str]


@dataclass(frozen=True)
class DueAccount:
    """An account to bring in line: what it should have by the access of now, with the reason for
    each, and what it was given."""

    id: int
    external_id: str
    bound: bool
    wanted: dict[str, str]
    given: frozenset[str]


async def bind(
    connection: Connection, community_id: str, *, user_id: int, external_id: str, name: str
) -> None:
    """Connect an account, in place of another one of the user's, and have it looked at.

    Raises `AccountTakenError`, and `LookupError` if the user was erased meanwhile. The caller opens
    the transaction and wakes the relay afterwards.
    """
    known = await connection.fetchval(
        "select true from users where id = $1 and erased_at is null for no key update", user_id
    )
    if not known:
        raise LookupError("the user was erased")
    bound = await connection.fetchval(
        """
        insert into community_accounts as a (endpoint_id, user_id, external_id, name)
        values ($1, $2, $3, $4)
        on conflict (endpoint_id, external_id) do update
           set user_id = excluded.user_id, name = excluded.name, unbound_at = null,
               bound_at = case when a.unbound_at is null then a.bound_at else now() end,
               away_since = null
         where a.unbound_at is not null or a.user_id = excluded.user_id
        returning id
        """,
        community_id,
        user_id,
        external_id,
        name,
    )
    if bound is None:
        raise AccountTakenError
    await connection.execute(
        """
        update community_accounts set unbound_at = now(), name = null
         where endpoint_id = $1 and user_id = $2 and id <> $3 and unbound_at is null
        """,
        community_id,
        user_id,
        bound,
    )
    await _write_fact(connection, community_id, user_id, ActivityType.COMMUNITY_JOINED)
    audit_draft.note(target=("user", user_id), after={"community": community_id})
    await events.write_to(connection, community_id, COMMUNITY_SYNC, [user_id])


async def unbind(connection: Connection, account_id: int, *, user_id: int) -> bool:
    """Disconnect an account of the user's and have its roles taken; False if there is none. The
    caller opens the transaction and wakes the relay afterwards."""
    community_id = await connection.fetchval(
        """
        update community_accounts set unbound_at = now(), name = null
         where id = $1 and user_id = $2 and unbound_at is null returning endpoint_id
        """,
        account_id,
        user_id,
    )
    if community_id is None:
        return False
    await _write_fact(connection, community_id, user_id, ActivityType.COMMUNITY_LEFT)
    audit_draft.note(target=("user", user_id), before={"community": community_id})
    await events.write_to(connection, community_id, COMMUNITY_SYNC, [user_id])
    return True


async def _write_fact(
    connection: Connection, community_id: str, user_id: int, type_: ActivityType
) -> None:
    row = await connection.fetchrow(
        "select format, host from webhook_endpoints where id = $1", community_id
    )
    assert row is not None, "an account belongs to a community"
    now = datetime.now(UTC)
    fact = Fact(
        key=f"{type_}:{community_id}:{user_id}:{now:%Y%m%d%H%M%S%f}",
        type=type_,
        at=now,
        cause=Cause.CUSTOMER,
        user_id=user_id,
        data={"kind": row["format"], "community": row["host"]},
    )
    await write_facts(connection, [fact])


async def of_users(
    connection: Connection, user_ids: Sequence[int]
) -> dict[int, list[ConnectedAccount]]:
    """The connected accounts by user, for each of these users."""
    rows = await connection.fetch(
        """
        select a.user_id, a.id, a.endpoint_id as community_id, e.format as kind,
               e.host as community, a.external_id, a.name, a.bound_at, a.away_since, a.settled_at,
               array(select distinct r.role_name from community_given g
                       join community_roles r on r.role_id = g.role_id
                                             and r.endpoint_id = a.endpoint_id
                      where g.account_id = a.id order by 1) as roles
          from community_accounts a join webhook_endpoints e on e.id = a.endpoint_id
         where a.user_id = any($1::bigint[]) and a.unbound_at is null order by a.id
        """,
        user_ids,
    )
    found: dict[int, list[ConnectedAccount]] = {user_id: [] for user_id in user_ids}
    for row in rows:
        values = dict(row)
        user_id = values.pop("user_id")
        found[user_id].append(ConnectedAccount(**values | {"kind": WebhookFormat(values["kind"])}))
    return found


async def sync(connection: Connection, user_id: int) -> None:
    """Have all accounts of a user looked at. The caller opens the transaction and wakes the relay
    afterwards."""
    rows = await connection.fetch(
        "select distinct endpoint_id from community_accounts where user_id = $1", user_id
    )
    for row in rows:
        await events.write_to(connection, row["endpoint_id"], COMMUNITY_SYNC, [user_id])


async def write_due(pool: Pool, *, limit: int = 200) -> int:
    """Have accounts looked at again that weren't for long: somebody may have joined, or have lost a
    role, or was given none because every attempt failed. Returns how many users."""
    due = """
        select a.endpoint_id, a.user_id from community_accounts a
          join communities c on c.endpoint_id = a.endpoint_id and c.leaving_at is null
          join webhook_endpoints e on e.id = a.endpoint_id
         where e.paused_at is null and e.off_at is null and coalesce(a.settled_at, a.bound_at)
               < now() - case when a.away_since is null then $1::interval else $2::interval end
           and not exists (select from webhook_deliveries d where d.endpoint_id = a.endpoint_id
                              and d.user_id = a.user_id and d.state = 'waiting')
         limit $3
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(due, PRESENT_AGAIN, AWAY_AGAIN, limit)
        for community_id in sorted({row["endpoint_id"] for row in rows}):
            users = {row["user_id"] for row in rows if row["endpoint_id"] == community_id}
            await events.write_to(
                connection, community_id, COMMUNITY_SYNC, sorted(users), bulk=True
            )
    return len(rows)


async def merge(connection: Connection, *, into: int, other: int) -> None:
    """Keep one account of two at the same community: the survivor's. The other's roles are taken.
    The caller opens the transaction, and calls `sync` once the rows have moved."""
    await connection.execute(
        """
        update community_accounts theirs set unbound_at = now(), name = null
          from community_accounts mine
         where mine.user_id = $1 and theirs.user_id = $2 and mine.endpoint_id = theirs.endpoint_id
           and mine.unbound_at is null and theirs.unbound_at is null
        """,
        into,
        other,
    )


async def due(connection: Connection, community_id: str, user_id: int) -> list[DueAccount]:
    """A user's accounts at a community, with what each should have now: access is the union of
    grants, and a disconnected account should have nothing."""
    rows = await connection.fetch(
        """
        select a.id, a.external_id, a.unbound_at is null as bound,
               (select coalesce(jsonb_object_agg(w.role_id, w.products), '{}') from (
                    select r.role_id, string_agg(distinct p.name, ', ') as products
                      from community_roles r join products p on p.id = r.product_id
                     where r.endpoint_id = a.endpoint_id and a.unbound_at is null
                       and exists (select from live_grants g
                                    where g.user_id = a.user_id and g.product_id = r.product_id)
                     group by 1) w) as wanted,
               array(select role_id from community_given where account_id = a.id) as given
          from community_accounts a where a.endpoint_id = $1 and a.user_id = $2 order by a.id
        """,
        community_id,
        user_id,
    )
    return [DueAccount(**dict(row) | {"given": frozenset(row["given"])}) for row in rows]


async def note_given(connection: Connection, account_id: int, role_id: str) -> None:
    await connection.execute(
        "insert into community_given (account_id, role_id) values ($1, $2) on conflict do nothing",
        account_id,
        role_id,
    )


async def note_taken(connection: Connection, account_id: int, role_ids: Sequence[str]) -> None:
    await connection.execute(
        "delete from community_given where account_id = $1 and role_id = any($2::text[])",
        account_id,
        role_ids,
    )


async def note_settled(connection: Connection, account_id: int, *, away: bool) -> None:
    """Note that an account has what it should have. One that is disconnected and has nothing is
    forgotten."""
    await connection.execute(
        """
        update community_accounts
           set settled_at = now(), away_since = case when $2 then coalesce(away_since, now()) end
         where id = $1
        """,
        account_id,
        away,
    )
    await connection.execute(
        """
        delete from community_accounts a where id = $1 and unbound_at is not null
           and not exists (select from community_given where account_id = a.id)
        """,
        account_id,
    )


async def forget_erased(connection: Connection) -> None:
    """Delete the accounts of users who were erased long ago and whose roles couldn't be taken."""
    await connection.execute(
        """
        delete from community_accounts a using users u
         where u.id = a.user_id and u.erased_at < now() - $1::interval
        """,
        ERASED_LIFE,
    )
