"""Complimentary access: to one person or many, to a product or a collection, and its end.

Stripe events never change it. The caller opens the transaction and wakes the relay afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.addresses import email_key, shown
from latchkey.contracts import GRANT_ENDINGS_WORKFLOW_ID
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.feed import bulk
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups


@dataclass(frozen=True)
class ComplimentaryGrant:
    """Access for one address, until `until` (aware) or without an end."""

    email: str
    until: datetime | None = None
    reason: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class GiveResult:
    """The result of giving access: `grants` holds the ids by address key, including changed
    ones."""

    granted: int
    changed: int
    users_created: int
    grants: dict[str, int]


async def give(
    connection: Connection,
    product_id: str,
    wanted: Sequence[ComplimentaryGrant],
    *,
    actor: int | None,
    mail: bool = True,
    bulk_id: str | None = None,
) -> GiveResult:
    """Give everyone in `wanted` access to a product, creating unknown users.

    Giving it again changes its end and reason. If an address is given twice, its last entry counts.
    With `mail`, people who had no access get an email if the product's email is on. `bulk_id` is
    the bulk change that this is part of; without one, several people are one by themselves.
    """
    last = {email_key(grant.email): grant for grant in wanted}
    bulk_id = bulk_id or bulk.id_for(len(last))
    users, created = await users_of(connection, last, actor=actor, bulk_id=bulk_id)
    rows = [
        {"user_id": users[key], "until": grant.until, "reason": grant.reason}
        for key, grant in sorted(last.items())
    ]
    made = await connection.fetch(
        """
        with given as (
            select * from jsonb_to_recordset($1::jsonb) as g (
                user_id bigint, until timestamptz, reason text)
        ), had as (
            select distinct user_id from live_grants
             where product_id = $2 and user_id in (select user_id from given)
        )
        insert into grants as g (user_id, product_id, source, source_id, since, until, cause,
                                 reason, granted_by)
        select distinct on (user_id) user_id, $2, 'manual', '', now(), until, $4, reason,
               $3::bigint
          from given order by user_id
        on conflict (user_id, product_id, source, source_id) where ended_at is null
           do update set until = excluded.until, reason = excluded.reason
        returning id, user_id, (xmax = 0) as inserted,
                  g.user_id in (select user_id from had) as had_access
        """,
        rows,
        product_id,
        actor,
        bulk.cause_of(bulk_id),
    )
    fresh = [row for row in made if row["inserted"]]
    audit_draft.note(
        target=("product", product_id), after={"users": sorted(row["user_id"] for row in made)}
    )
    await write_facts(connection, [_granted(row, product_id, actor, bulk_id) for row in fresh])
    if bulk_id:
        counts = BulkCounts(granted=len(fresh), changed=len(made) - len(fresh), created=created)
        await bulk.add(connection, bulk_id, counts, product_id=product_id, actor=actor)
    if mail and await _wants_mail(connection, product_id):
        await write_mails(
            connection, [_mail(row, product_id, bulk_id) for row in fresh if not row["had_access"]]
        )
    if any(grant.until for grant in last.values()):
        await wakeups.add(connection, wakeups.ENDINGS, [""])
    by_user = {row["user_id"]: row["id"] for row in made}
    return GiveResult(
        granted=len(fresh),
        changed=len(made) - len(fresh),
        users_created=created,
        grants={key: by_user[users[key]] for key in last},
    )


async def end_due(connection: Connection, as_of: datetime, *, limit: int) -> int:
    """End complimentary access that is due by `as_of`, at most `limit` grants; returns how many."""
    rows = await connection.fetch(
        """
        update grants set ended_at = greatest(until, since), due_at = until, end_reason = $2
         where id in (select id from grants
                       where source in ('manual', 'collection') and ended_at is null
                         and until <= $1
                       order by until limit $3 for update)
        returning id, user_id, product_id, source_id, ended_at, due_at
        """,
        as_of,
        Reason.UNTIL_REACHED.value,
        limit,
    )
    await connection.execute(
        """
        update collection_holders set ended_at = until where ended_at is null and until <= $1
        """,
        as_of,
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{row['id']}",
                type=ActivityType.ACCESS_ENDED,
                at=row["ended_at"],
                due_at=row["due_at"],
                cause=Cause.TIMER,
                user_id=row["user_id"],
                product_id=row["product_id"],
                source_id=row["source_id"] or None,
                workflow_id=GRANT_ENDINGS_WORKFLOW_ID,
                data={"reason": Reason.UNTIL_REACHED, "grant": row["id"]},
            )
            for row in rows
        ],
    )
    return len(rows)


async def next_end(connection: Connection) -> datetime | None:
    """When complimentary access ends next."""
    found: datetime | None = await connection.fetchval(
        """
        select min(until) from grants
         where ended_at is null and until is not null and source in ('manual', 'collection')
        """
    )
    return found


async def users_of(
    connection: Connection,
    wanted: dict[str, ComplimentaryGrant],
    *,
    actor: int | None,
    bulk_id: str | None,
) -> tuple[dict[str, int], int]:
    """The user ids by address key, and how many users are new."""
    created = await connection.fetch(
        """
        insert into users (email, email_key, name)
        select g.email, g.key, g.name
          from unnest($1::text[], $2::text[], $3::text[]) as g (key, email, name)
         where not exists (select from user_addresses a where a.email_key = g.key)
        on conflict (email_key) do nothing returning id
        """,
        list(wanted),
        [shown(grant.email) for grant in wanted.values()],
        [grant.name for grant in wanted.values()],
    )
    await write_facts(
        connection,
        [
            _fact(
                f"user_created:{r['id']}", ActivityType.USER_CREATED, r["id"], None, actor, bulk_id
            )
            for r in created
        ],
    )
    rows = await connection.fetch(
        """
        select email_key, id as user_id from users where email_key = any($1::text[])
        union all
        select email_key, user_id from user_addresses where email_key = any($1::text[])
        """,
        list(wanted),
    )
    return {row["email_key"]: row["user_id"] for row in reversed(rows)}, len(created)


async def _wants_mail(connection: Connection, product_id: str) -> bool:
    found: bool = await connection.fetchval(
        "select access_mail and status = 'live' from products where id = $1", product_id
    )
    return found


def _granted(row: Any, product_id: str, actor: int | None, bulk_id: str | None) -> Fact:
    data = {"grant": row["id"]}
    return _fact(
        f"access_granted:{row['id']}",
        ActivityType.MANUAL_GRANT,
        row["user_id"],
        product_id,
        actor,
        bulk_id,
        data,
    )


def _mail(row: Any, product_id: str, bulk_id: str | None) -> Mail:
    return Mail(
        key=f"product_access:{row['user_id']}:{product_id}:manual:{row['id']}",
        kind="product_access",
        user_id=row["user_id"],
        product_id=product_id,
        data={"grant": row["id"], **({"bulk": bulk_id} if bulk_id else {})},
    )


def _fact(
    key: str,
    type_: ActivityType,
    user_id: int,
    product_id: str | None,
    actor: int | None,
    bulk_id: str | None,
    data: dict[str, Any] | None = None,
) -> Fact:
    return Fact(
        key=key,
        type=type_,
        at=datetime.now(UTC),
        cause=bulk.cause_of(bulk_id),
        user_id=user_id,
        product_id=product_id,
        source_id=bulk_id,
        actor_id=actor,
        data=data or {},
    )
