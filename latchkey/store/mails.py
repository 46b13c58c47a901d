"""The outbox: claimed by one sender at a time, sent once, readable by admins."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.store.pool import Connection

LEASE = timedelta(minutes=2)
MOST_TRIES = 8


@dataclass(frozen=True)
class OutMail:
    """A mail with what its text needs."""

    id: int
    key: str
    kind: str
    user_id: int
    email: str
    name: str | None
    product_id: str | None
    product_name: str | None
    product_slug: str | None
    data: dict[str, Any]
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    sent_at: datetime | None


_SELECT = """
select m.id, m.key, m.kind, m.user_id, u.email, u.name, m.product_id, p.name as product_name,
       p.slug as product_slug, m.data, m.state, m.attempts, m.error, m.created_at, m.sent_at
  from mails m join users u on u.id = m.user_id left join products p on p.id = m.product_id
"""


async def claim(connection: Connection, *, limit: int) -> list[OutMail]:
    """Take due mails for `LEASE`. One whose sender died before it said what became of it is
    taken again afterwards; its Message-ID stays the same."""
    rows = await connection.fetch(
        """
        update mails set state = 'sending', claimed_at = now(), due_at = now() + $2,
               attempts = attempts + 1
         where id in (select id from mails
                       where state in ('queued', 'sending') and due_at <= now()
                       order by due_at limit $1 for update skip locked)
        returning id
        """,
        limit,
        LEASE,
    )
    return await _fetch(
        connection, "m.id = any($1::bigint[]) order by m.id", [row["id"] for row in rows]
    )


async def mark_sent(connection: Connection, mail_id: int) -> None:
    await connection.execute(
        "update mails set state = 'sent', sent_at = now(), error = null where id = $1", mail_id
    )


async def mark_failed(connection: Connection, mail: OutMail, *, error: str, for_good: bool) -> None:
    """Try again later, ever more rarely, or give up."""
    give_up = for_good or mail.attempts >= MOST_TRIES
    await connection.execute(
        "update mails set state = $2, error = $3, due_at = now() + $4 where id = $1",
        mail.id,
        "failed" if give_up else "queued",
        error,
        timedelta(seconds=min(30 * 2**mail.attempts, 3600)),
    )


async def resend(connection: Connection, mail_id: int) -> bool:
    """Queue a mail again, whatever became of it."""
    return bool(
        await connection.fetchval(
            """
            update mails set state = 'queued', due_at = now(), attempts = 0, error = null
             where id = $1 returning true
            """,
            mail_id,
        )
    )


async def listed(
    connection: Connection, *, after: int | None = None, limit: int = 50, state: str | None = None
) -> list[OutMail]:
    """Mails, newest first, from the one after id `after`."""
    return await _fetch(
        connection,
        """
        ($1::bigint is null or m.id < $1) and ($3::text is null or m.state = $3)
        order by m.id desc limit $2
        """,
        after,
        limit,
        state,
    )


async def find(connection: Connection, mail_id: int) -> OutMail | None:
    found = await _fetch(connection, "m.id = $1", mail_id)
    return found[0] if found else None


async def _fetch(connection: Connection, where: str, *values: object) -> list[OutMail]:
    rows = await connection.fetch(f"{_SELECT} where {where}", *values)
    return [OutMail(**dict(row)) for row in rows]
