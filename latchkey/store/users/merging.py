"""Merging two users: everything the other user had goes to the survivor.

The merge records what was where, so that `unmerging` can undo it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from latchkey.languages import _
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.access import collections
from latchkey.store.communities import accounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases import other_payers

_NOT_MOVED = frozenset(
    {("sessions", "user_id"), ("sessions", "acting_as"), ("matches", "other_id")}
    | {(table, "user_id") for table in ("authenticator_apps", "recovery_codes")}
    | {(table, "user_id") for table in ("passkeys", "passkey_challenges")}
    | {(table, "user_id") for table in ("oauth_authorizations", "oauth_consents")}
)
"""Sessions end so that they don't open another account; a match between the two is settled. The
survivor keeps its own second factors; those of the other go with its row. So does what other sites
were given for the other: they know it by its own id."""


class NotMergeableError(Exception):
    """These two users can't be merged. The message says why."""


@dataclass(frozen=True)
class Merged:
    """The result of a merge: how many rows of each kind moved."""

    into_user: int
    from_user: int
    moved: dict[str, int]


async def merge(
    connection: Connection,
    *,
    into: int,
    other: int,
    reason: str | None,
    actor: int | None,
    cause: Cause = Cause.ADMIN,
    proven: bool = False,
) -> Merged:
    """Merge `other` into `into`: grants, purchases, emails, lines, customers and addresses.

    `proven` says whether a link to the address of `other` was followed for this. If not, the
    survivor isn't shown the billing of the Stripe customers that move.

    The address of `other` becomes an additional one of the survivor, and the id of `other` stands
    for the survivor from then on, in references, in `/access` and on pages. Raises
    `NotMergeableError`. The caller opens the transaction.
    """
    await collections.lock_held(connection, [into, other])
    rows = await connection.fetch(
        "select * from users where id = any($1::bigint[]) order by id for update", [into, other]
    )
    people = {row["id"]: row for row in rows}
    check(people, into=into, other=other)
    person = people[other]
    await _revoke_tokens(connection, other)
    await accounts.merge(connection, into=into, other=other)
    kept: dict[str, Any] = {
        "user": _plain(person),
        "into": into,
        "customers": await _ids_of(connection, "customers", into),
        "subscriptions": await _ids_of(connection, "subscriptions", into),
        "orders": await _ids_of(connection, "orders", into),
        "manual": await _settle_manual(connection, into=into, other=other),
        "holders": await _settle_holders(connection, into=into, other=other),
        **await _move_all(connection, into=into, other=other),
    }
    await _drop(connection, into=into, other=other)
    await accounts.sync(connection, into)
    await _remember(connection, person, into, kept, reason=reason, actor=actor)
    if proven:
        await connection.execute(
            "update customers set billing_user = $1 where billing_user = $2", into, other
        )
        await other_payers.proven(connection, into, person["email"])
    counts = {name: len(keys) for name, keys in kept["moved"].items()}
    audit_draft.note(target=("user", into), after={"merged": other, "moved": counts})
    await write_facts(
        connection,
        [
            Fact(
                key=f"users_merged:{other}:{datetime.now(UTC):%Y%m%d%H%M%S%f}",
                type=ActivityType.USERS_MERGED,
                at=datetime.now(UTC),
                cause=cause,
                user_id=into,
                actor_id=actor,
                data={"from_user": other, "moved": counts},
            )
        ],
    )
    return Merged(into, other, counts)


async def _revoke_tokens(connection: Connection, user_id: int) -> None:
    """Revoke the API tokens that somebody made while they were on the team, so that they don't work
    again with the survivor's role."""
    await connection.execute(
        "update api_tokens set revoked_at = now() where created_by = $1 and revoked_at is null",
        user_id,
    )


async def _move_all(
    connection: Connection, *, into: int, other: int
) -> dict[str, dict[str, list[Any]]]:
    """Repoint every column that references a user. Returns the keys of the rows that `moved`, and
    the rows that were `dropped`, by table and column."""
    moved, dropped = {}, {}
    for table, column in await references(connection):
        if (table, column) in _NOT_MOVED:
            continue
        keys, rows = await _move(connection, table, column, into=into, other=other)
        if keys:
            moved[f"{table}.{column}"] = keys
        if rows:
            dropped[f"{table}.{column}"] = rows
    return {"moved": moved, "dropped": dropped}


async def _drop(connection: Connection, *, into: int, other: int) -> None:
    """Delete the emptied user with their sessions and the matches of both, and end the links that
    were emailed to the survivor before."""
    await connection.execute("delete from sessions where user_id = $1 or acting_as = $1", other)
    await connection.execute(
        """
        update matches set state = 'settled', decided_at = now()
         where state = 'open' and (other_id = $1 or user_id = $2 and other_id = $2)
        """,
        other,
        into,
    )
    await connection.execute("update matches set other_id = $2 where other_id = $1", other, into)
    await connection.execute("delete from users where id = $1", other)
    await connection.execute("update users set link_epoch = link_epoch + 1 where id = $1", into)


def check(people: dict[int, Any], *, into: int, other: int) -> None:
    """Raises `NotMergeableError` for users who can't be merged; `people` are their rows."""
    if into == other:
        raise NotMergeableError(_("This is already the same user."))
    missing = [user_id for user_id in (into, other) if user_id not in people]
    if missing:
        raise NotMergeableError(_("There is no user %(missing)s.", missing=missing[0]))
    if people[other]["role"] != "member":
        raise NotMergeableError(
            _(
                "The user to merge is on the site's team: keep that one and merge the other, or"
                " remove the role first."
            )
        )
    if any(person["erased_at"] is not None for person in people.values()):
        raise NotMergeableError(
            _("One of the two has been erased, so there is nothing left to merge.")
        )


def _plain(row: Any) -> dict[str, Any]:
    """What an undo may need from the other user's row, without the password."""
    names = (
        "id", "email", "name", "role", "link_epoch", "created_at", "last_seen_at", "proven_at",
        "locale",
    )  # fmt: skip
    return {
        name: value.isoformat() if isinstance(value := row[name], datetime) else value
        for name in names
    }


async def _settle_manual(connection: Connection, *, into: int, other: int) -> list[int]:
    """If both have the same complimentary access, keep the longer one and end the other."""
    rows = await connection.fetch(
        """
        select mine.id as mine, theirs.id as theirs, theirs.until,
               theirs.until is null
                 or (mine.until is not null and theirs.until > mine.until) as longer
          from grants mine join grants theirs
            on theirs.product_id = mine.product_id and theirs.source = mine.source
           and theirs.source_id = mine.source_id and theirs.ended_at is null
         where mine.user_id = $1 and theirs.user_id = $2 and mine.ended_at is null
        """,
        into,
        other,
    )
    ended = [row["mine"] if row["longer"] else row["theirs"] for row in rows]
    await connection.execute(
        "update grants set ended_at = now(), end_reason = $2 where id = any($1::bigint[])",
        ended,
        Reason.MERGED.value,
    )
    return ended


async def _settle_holders(connection: Connection, *, into: int, other: int) -> list[int]:
    """The same for collections."""
    theirs = await connection.fetch(
        """
        update collection_holders theirs set ended_at = now() from collection_holders mine
         where mine.user_id = $1 and theirs.user_id = $2 and mine.ended_at is null
           and theirs.ended_at is null and mine.collection_id = theirs.collection_id
           and (mine.until is null or theirs.until <= mine.until)
        returning theirs.id
        """,
        into,
        other,
    )
    mine = await connection.fetch(
        """
        update collection_holders mine set ended_at = now() from collection_holders theirs
         where mine.user_id = $1 and theirs.user_id = $2 and mine.ended_at is null
           and theirs.ended_at is null and mine.collection_id = theirs.collection_id
        returning mine.id
        """,
        into,
        other,
    )
    return [row["id"] for row in [*theirs, *mine]]


async def _ids_of(connection: Connection, table: str, user_id: int) -> list[str]:
    rows = await connection.fetch(f"select id from {table} where user_id = $1", user_id)
    return [row["id"] for row in rows]


async def references(connection: Connection) -> list[tuple[str, str]]:
    """All columns of all tables that reference a user."""
    rows = await connection.fetch(
        """
        select c.conrelid::regclass::text as table_name, a.attname as column_name
          from pg_constraint c
          join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
         where c.contype = 'f' and c.confrelid = 'users'::regclass
         order by 1, 2
        """
    )
    return [(row["table_name"], row["column_name"]) for row in rows]


async def _move(
    connection: Connection, table: str, column: str, *, into: int, other: int
) -> tuple[list[Any], list[Any]]:
    """Repoint a column's rows, dropping those that the survivor has an equivalent of. Returns both
    by primary key, and dropped ones in full."""
    keys = await primary_key(connection, table)
    key = ", ".join(f"'{name}', {name}" for name in keys)
    update = (
        f"update {table} set {column} = $1 where {column} = $2"
        f" returning jsonb_build_object({key}) as key"
    )
    try:
        async with connection.transaction():
            rows = await connection.fetch(update, into, other)
            return [row["key"] for row in rows], []
    except asyncpg.UniqueViolationError:
        return await _move_singly(connection, table, column, into=into, other=other)


async def _move_singly(
    connection: Connection, table: str, column: str, *, into: int, other: int
) -> tuple[list[Any], list[Any]]:
    moved: list[Any] = []
    dropped: list[Any] = []
    rows = await connection.fetch(
        f"select ctid::text as place, to_jsonb(t) as row from {table} t where {column} = $1", other
    )
    for row in rows:
        try:
            async with connection.transaction():
                await connection.execute(
                    f"update {table} set {column} = $1 where ctid = $2::text::tid",
                    into,
                    row["place"],
                )
            moved.append(row["row"])
        except asyncpg.UniqueViolationError:
            await connection.execute(
                f"delete from {table} where ctid = $1::text::tid", row["place"]
            )
            dropped.append(row["row"])
    return moved, dropped


async def primary_key(connection: Connection, table: str) -> dict[str, str]:
    """The columns of a table's primary key with their types."""
    rows = await connection.fetch(
        """
        select a.attname, format_type(a.atttypid, a.atttypmod) as type from pg_index i
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
         where i.indrelid = $1::text::regclass and i.indisprimary
        """,
        table,
    )
    return {row["attname"]: row["type"] for row in rows}


async def _remember(
    connection: Connection,
    person: Any,
    into: int,
    kept: dict[str, Any],
    *,
    reason: str | None,
    actor: int | None,
) -> None:
    await connection.execute(
        """
        insert into user_addresses (email_key, email, user_id, source)
        values ($1, $2, $3, 'merge')
        on conflict (email_key) do update set user_id = excluded.user_id
        """,
        person["email_key"],
        person["email"],
        into,
    )
    await connection.execute(
        """
        insert into user_merges (from_user, into_user, email, email_key, reason, kept, merged_by)
        values ($1, $2, $3, $4, $5, $6::jsonb, $7)
        """,
        person["id"],
        into,
        person["email"],
        person["email_key"],
        reason,
        kept,
        actor,
    )
