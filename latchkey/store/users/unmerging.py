"""Taking a merge of two users back: each gets what they would have without it.

What was the other's goes back to them, and so does what came by it since: purchases by their
customers, or by guests with their address, with the grants, lines and unsent mails of these.
Everything else that happened since stays with the survivor, whose account it happened in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.rules.identity import email_key
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups
from latchkey.store.users.merging import primary_key, references


class NotUndoableError(Exception):
    """This merge can't be taken back; the message says why and what to do."""


@dataclass(frozen=True)
class PastMerge:
    """A merge that stands. `moved` counts what went with it, by table and column; `obstacle` says
    why it can't be taken back, None where it can."""

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
    """Whose account is there again, and how many rows of which kind went back."""

    user_id: int
    from_user: int
    moved: dict[str, int]


_SELECT = """
select m.from_user, m.into_user, m.email, m.reason, m.merged_at, m.kept,
       by_whom.email as merged_by, u.erased_at is not null as erased,
       (select email from users own where own.email_key = lower(m.email)) as owner,
       (select user_id from user_addresses a where a.email_key = lower(m.email)) as holder
  from user_merges m
  join users u on u.id = m.into_user
  left join users by_whom on by_whom.id = m.merged_by
"""


async def merges_of(connection: Connection, user_id: int) -> list[PastMerge]:
    """The users who became part of this one, the last one first."""
    rows = await connection.fetch(
        f"{_SELECT} where m.into_user = $1 order by m.merged_at desc", user_id
    )
    return [_shown(row) for row in rows]


async def merge_of(connection: Connection, from_user: int) -> PastMerge | None:
    """The merge by which this id went, where it stands."""
    row = await connection.fetchrow(f"{_SELECT} where m.from_user = $1", from_user)
    return _shown(row) if row else None


async def undo(connection: Connection, *, from_user: int, actor: int | None) -> Undone:
    """Take a merge back. The other user gets their id and address again, and no password.

    Raises `NotUndoableError`. The caller opens the transaction and wakes the relay after it.
    """
    await _let_applies_end(connection)
    row = await connection.fetchrow(
        f"{_SELECT} where m.from_user = $1 for update of m, u", from_user
    )
    if row is None:
        raise NotUndoableError("This merge was taken back already, or never was.")
    if obstacle := _obstacle(row):
        raise NotUndoableError(obstacle)
    into, kept = row["into_user"], row["kept"]
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
    await connection.execute("delete from user_merges where from_user = $1", from_user)
    await connection.execute(
        "delete from sessions where user_id = $1 and user_id is distinct from $2", into, actor
    )
    await wakeups.add(connection, wakeups.ENDINGS, [""])
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
    """Wait for purchases that are being applied, and keep others back until this is over: whoever
    they found to be the buyer would else be the survivor. An apply begins with the links' rows."""
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
        return "The person was erased since, and what was whose with them."
    if row["kept"]["into"] != row["into_user"]:
        return (
            "The user they were merged into was merged into this one since: take that back first."
        )
    if row["owner"] is not None:
        return (
            f"{row['email']} is the address of the account {row['owner']} by now: give that account"
            " another one first."
        )
    if row["holder"] not in (None, row["into_user"]):
        return f"Somebody else has proven since that {row['email']} is theirs."
    return None


async def _bring_back(connection: Connection, user: dict[str, Any], into: int) -> None:
    await connection.execute(
        "delete from user_addresses where email_key = $1 and user_id = $2",
        email_key(user["email"]),
        into,
    )
    await connection.execute(
        """
        insert into users (id, email, name, role, created_at, last_seen_at)
        overriding system value
        select id, email, name, role, created_at, last_seen_at
          from jsonb_to_record($1::jsonb) as kept (id bigint, email text, name text, role text,
               created_at timestamptz, last_seen_at timestamptz)
        """,
        user,
    )


async def _move_back(
    connection: Connection, table: str, column: str, keys: list[Any], *, into: int, other: int
) -> int:
    """Repoint the rows that moved, as far as they are there and nobody else's since."""
    names = await primary_key(connection, table)
    same = " and ".join(f"t.{name} = (k ->> '{name}')::{type_}" for name, type_ in names.items())
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
    """What was dropped since the survivor had the same in their own way."""
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
"""Whether a purchase wasn't the survivor's when the merge was made, however old it is: an import
may have brought it since. Merges that kept no list of the survivor's own go by its time."""


def _by_another_merge(table: str) -> str:
    """Whether a row became the survivor's by another merge: it goes back with that one."""
    return f"""
        exists (select from user_merges m
                 where m.into_user = $2 and m.from_user <> $1
                   and m.kept -> 'moved' -> '{table}.user_id'
                       @> jsonb_build_array(jsonb_build_object('id', {table}.id)))
    """


async def _came_since(connection: Connection, row: Any) -> dict[str, int]:
    """Give the other user what came by their customers and address since the merge."""
    into, other, key = row["into_user"], row["from_user"], email_key(row["email"])
    kept = row["kept"]
    counts = {
        "customers.user_id": await _count(
            connection,
            f"""
            update customers set user_id = $1
             where user_id = $2 and lower(email) = $3 and bound_by in ('email', 'created')
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
                    or customer_id is null and lower(email) = $5)
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
        ("activities", f"source_id in {theirs}"),
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
    """Where both had the same access by hand and one of the two was ended for it: both have it
    again, unless the one that stayed has been ended since."""
    await connection.execute(
        """
        update grants e set ended_at = null, end_reason = null
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
