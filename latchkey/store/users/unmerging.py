"""Undoing a merge of two users: each gets what they would have without it.

What the other user had goes back to them, and so do later purchases by their customers, or by
guests with their address, with the grants, lines and unsent emails of these. Everything else that
has happened since stays with the survivor, in whose account it happened.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.addresses import email_key
from latchkey.languages import A_
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.communities import accounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups
from latchkey.store.users.merging import primary_key, references


class NotUndoableError(Exception):
    """This merge can't be undone. The message says why and what to do."""


@dataclass(frozen=True)
class PastMerge:
    """A merge in effect. `moved` counts the rows that moved, by table and column. `obstacle` says
    why it can't be undone, None if it can."""

    from_user: int
    into_user: int
    email: str
    name: str | None
    reason: str | None
    merged_by: str | None
    merged_at: datetime
    moved: dict[str, int]
    obstacle: str | None


@dataclass(frozen=True)
class Undone:
    """Whose account was restored, and how many rows of each kind went back."""

    user_id: int
    from_user: int
    moved: dict[str, int]


_SELECT = """
select m.from_user, m.into_user, m.email, m.email_key, m.reason, m.merged_at, m.kept,
       by_whom.email as merged_by, u.erased_at is not null as erased,
       (select email from users own where own.email_key in (
           m.email_key, m.kept #>> '{user,email_key}') limit 1) as owner,
       (select user_id from user_addresses a where a.email_key in (
           m.email_key, m.kept #>> '{user,email_key}') limit 1) as holder
  from user_merges m
  join users u on u.id = m.into_user
  left join users by_whom on by_whom.id = m.merged_by
"""


async def merges_of(connection: Connection, user_id: int) -> list[PastMerge]:
    """The users who were merged into this one, newest first."""
    rows = await connection.fetch(
        f"{_SELECT} where m.into_user = $1 order by m.merged_at desc, m.from_user desc",
        user_id,
    )
    return [_shown(row) for row in rows]


async def merge_of(connection: Connection, from_user: int) -> PastMerge | None:
    """The merge of this user into another, if it is in effect."""
    row = await connection.fetchrow(f"{_SELECT} where m.from_user = $1", from_user)
    return _shown(row) if row else None


async def undo(connection: Connection, *, from_user: int, actor: int | None) -> Undone:
    """Undo a merge. The other user gets their id and address back, without a password.

    Raises `NotUndoableError`. The caller opens the transaction and wakes the relay afterwards.
    """
    await _let_applies_end(connection)
    row = await connection.fetchrow(
        f"{_SELECT} where m.from_user = $1 for update of m, u", from_user
    )
    if row is None:
        raise NotUndoableError(A_("This merge has already been undone, or never existed."))
    if obstacle := _obstacle(row):
        raise NotUndoableError(obstacle)
    into, kept = row["into_user"], row["kept"]
    audit_draft.note(target=("user", into), after={"split_off": from_user})
    await _bring_back(connection, kept["user"], into)
    moved = {}
    for table, column in await references(connection):
        name = f"{table}.{column}"
        if keys := kept["moved"].get(name):
            moved[name] = await _move_back(
                connection, table, column, keys, into=into, other=from_user
            )
        if dropped := kept["dropped"].get(name):
            await _restore(connection, table, dropped)
    since = await _came_since(connection, row)
    for name, count in since.items():
        moved[name] = moved.get(name, 0) + count
    await _revive(connection, kept, into=into, other=from_user)
    await connection.execute(
        "update customers set billing_user = $1 where user_id = $1 and billing_user = $2",
        from_user,
        into,
    )
    await connection.execute("delete from user_merges where from_user = $1", from_user)
    await connection.execute(
        "delete from sessions where user_id = $1 and user_id is distinct from $2", into, actor
    )
    await wakeups.add(connection, wakeups.ENDINGS, [""])
    for user_id in (into, from_user):
        await accounts.sync(connection, user_id)
    counts = {name: count for name, count in moved.items() if count}
    await write_facts(
        connection,
        [
            Fact(
                key=f"merge_undone:{from_user}:{row['merged_at']:%Y%m%d%H%M%S%f}",
                type=ActivityType.MERGE_UNDONE,
                at=datetime.now(UTC),
                cause=Cause.ADMIN,
                user_id=into,
                actor_id=actor,
                data={"from_user": from_user, "moved": counts},
            )
        ],
    )
    return Undone(into, from_user, counts)


async def _let_applies_end(connection: Connection) -> None:
    """Wait for running applies and block others until this is done. Otherwise they would assign
    purchases to the survivor. An apply begins by locking the links' rows."""
    await connection.execute("lock table links in exclusive mode")


def _shown(row: Any) -> PastMerge:
    return PastMerge(
        from_user=row["from_user"],
        into_user=row["into_user"],
        email=row["email"],
        name=(row["kept"].get("user") or {}).get("name"),
        reason=row["reason"],
        merged_by=row["merged_by"],
        merged_at=row["merged_at"],
        moved={name: len(keys) for name, keys in row["kept"].get("moved", {}).items()},
        obstacle=_obstacle(row),
    )


def _obstacle(row: Any) -> str | None:
    if row["erased"] or "user" not in row["kept"]:
        return A_("The person has been erased since, with the record of what was whose.")
    if row["kept"]["into"] != row["into_user"]:
        return A_(
            "The user they were merged into has since been merged into this one: undo"
            " that merge first."
        )
    if row["owner"] is not None:
        return A_(
            "%(email)s is now the address of account %(owner)s: give that account another"
            " address first.",
            email=row["email"],
            owner=row["owner"],
        )
    if row["holder"] not in (None, row["into_user"]):
        return A_("Someone else has since proven that %(email)s is theirs.", email=row["email"])
    return None


async def _bring_back(connection: Connection, user: dict[str, Any], into: int) -> None:
    await connection.execute(
        "delete from user_addresses where email_key = $1 and user_id = $2",
        email_key(user["email"]),
        into,
    )
    await connection.execute(
        """
        insert into users (id, email, email_key, name, role, link_epoch, created_at, last_seen_at,
                           proven_at, locale)
        overriding system value
        select id, email, $2, name, role, coalesce(link_epoch, 0) + 1, created_at,
               last_seen_at, proven_at, locale
          from jsonb_to_record($1::jsonb) as kept (id bigint, email text, name text, role text,
               link_epoch integer, created_at timestamptz, last_seen_at timestamptz,
               proven_at timestamptz, locale text)
        """,
        user,
        email_key(user["email"]),
    )


async def _move_back(
    connection: Connection, table: str, column: str, keys: list[Any], *, into: int, other: int
) -> int:
    """Repoint the rows that moved, if they still exist and haven't gone to anyone else since."""
    names = await primary_key(connection, table)
    names.pop(column, None)  # a key names the user before or after the merge
    tests = [f"t.{name} = (k ->> '{name}')::{type_}" for name, type_ in names.items()]
    same = " and ".join(tests or ["true"])
    done = await connection.execute(
        f"""
        update {table} t set {column} = $1 from jsonb_array_elements($3::jsonb) as k
         where t.{column} = $2 and {same}
        """,
        other,
        into,
        keys,
    )
    return int(done.split()[-1])


async def _restore(connection: Connection, table: str, rows: list[Any]) -> None:
    """Restore rows that were dropped because the survivor had an equivalent."""
    await connection.execute(
        f"""
        insert into {table} overriding system value
        select * from jsonb_populate_recordset(null::{table}, $1::jsonb) on conflict do nothing
        """,
        rows,
    )


_CAME_SINCE = """
case when $4::text[] is null then created_at >= date_trunc('second', $3::timestamptz)
     else id <> all($4) end
"""
"""Whether a purchase wasn't the survivor's at the time of the merge, whatever its age: an import
may have added it since. Merges without a list of the survivor's own purchases go by time."""


def _by_another_merge(table: str) -> str:
    """Whether a row came to the survivor through another merge: it goes back with that one."""
    return f"""
        exists (select from user_merges m
                 where m.into_user = $2 and m.from_user <> $1
                   and m.kept -> 'moved' -> '{table}.user_id'
                       @> jsonb_build_array(jsonb_build_object('id', {table}.id)))
    """


async def _came_since(connection: Connection, row: Any) -> dict[str, int]:
    """Give the other user what has come in through their customers and address since the merge."""
    into, other, key = row["into_user"], row["from_user"], row["email_key"]
    kept = row["kept"]
    counts = {
        "customers.user_id": await _count(
            connection,
            f"""
            update customers set user_id = $1
             where user_id = $2 and email_key = $3
               and bound_by in ('email', 'created')
               and id <> all($4::text[]) and not {_by_another_merge("customers")}
            """,
            other,
            into,
            key,
            kept.get("customers") or [],
        ),
        "subscriptions.user_id": await _count(
            connection,
            f"""
            update subscriptions set user_id = $1
             where user_id = $2 and {_CAME_SINCE} and not {_by_another_merge("subscriptions")}
               and customer_id in (select id from customers where user_id = $1)
            """,
            other,
            into,
            row["merged_at"],
            kept.get("subscriptions"),
        ),
        "orders.user_id": await _count(
            connection,
            f"""
            update orders set user_id = $1
             where user_id = $2 and {_CAME_SINCE} and not {_by_another_merge("orders")}
               and (customer_id in (select id from customers where user_id = $1)
                    or customer_id is null and email_key = $5)
            """,
            other,
            into,
            row["merged_at"],
            kept.get("orders"),
            key,
        ),
    }
    theirs = """(select id from subscriptions where user_id = $1
                 union all select id from orders where user_id = $1)"""
    for table, which in (
        ("grants", f"source_id in {theirs}"),
        ("activities", f"(source_id in {theirs} or data ->> 'purchase' in {theirs})"),
        ("mails", f"state <> 'sent' and data ->> 'source_id' in {theirs}"),
    ):
        counts[f"{table}.user_id"] = await _count(
            connection,
            f"update {table} set user_id = $1 where user_id = $2 and {which}",
            other,
            into,
        )
    return counts


async def _count(connection: Connection, statement: str, *values: Any) -> int:
    return int((await connection.execute(statement, *values)).split()[-1])


async def _revive(connection: Connection, kept: dict[str, Any], *, into: int, other: int) -> None:
    """If both had the same complimentary access and the merge ended one of the two, give it back to
    both, unless the remaining one has been ended since."""
    await connection.execute(
        """
        update grants e set ended_at = null, due_at = null, end_reason = null
         where e.id = any($1::bigint[]) and e.end_reason = $4
           and (e.until is null or e.until > now())
           and exists (select from grants c
                        where c.user_id = case e.user_id when $2 then $3 else $2 end
                          and c.product_id = e.product_id and c.source = e.source
                          and c.source_id = e.source_id and c.ended_at is null)
           and not exists (select from grants o
                            where o.user_id = e.user_id and o.product_id = e.product_id
                              and o.source = e.source and o.source_id = e.source_id
                              and o.ended_at is null)
        """,
        kept["manual"],
        into,
        other,
        Reason.MERGED.value,
    )
    await connection.execute(
        """
        update collection_holders e set ended_at = null
         where e.id = any($1::bigint[]) and (e.until is null or e.until > now())
           and exists (select from collection_holders c
                        where c.user_id = case e.user_id when $2 then $3 else $2 end
                          and c.collection_id = e.collection_id and c.ended_at is null)
           and not exists (select from collection_holders o
                            where o.user_id = e.user_id and o.collection_id = e.collection_id
                              and o.ended_at is null)
        """,
        kept.get("holders") or [],
        into,
        other,
    )
