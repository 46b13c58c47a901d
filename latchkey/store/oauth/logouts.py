"""Notices to clients that somebody has signed out here. Triggers write them, with the end of a
session, of which they tell (migration 0131)."""

from dataclasses import dataclass
from datetime import timedelta

from latchkey.store.pool import Connection

LEASE = timedelta(minutes=2)
"""After this, another process tries: longer than one try takes."""
KEPT = timedelta(days=30)
"""How long admins see a notice that was given up."""


@dataclass(frozen=True)
class LogoutNotice:
    """To tell `client_id` at `address` that the session `sid` of `subject` has ended. `attempts`
    counts this one, too."""

    id: int
    client_id: str
    address: str
    subject: str
    sid: str
    attempts: int


async def claim(connection: Connection, *, limit: int) -> list[LogoutNotice]:
    """Take notices that are due. Those of clients that have no address any more go."""
    await connection.execute(
        """
        delete from oauth_logouts l using oauth_clients c
         where c.id = l.client_id and c.backchannel_logout_uri is null and l.due_at <= now()
        """
    )
    rows = await connection.fetch(
        """
        with due as (
            select id from oauth_logouts where due_at <= now() order by due_at limit $1
               for update skip locked)
        update oauth_logouts l set due_at = now() + $2::interval, attempts = l.attempts + 1
          from due, oauth_clients c
         where l.id = due.id and c.id = l.client_id
        returning l.id, l.client_id, c.backchannel_logout_uri as address, l.subject,
                  l.sid::text as sid, l.attempts
        """,
        limit,
        LEASE,
    )
    return [LogoutNotice(**dict(row)) for row in rows]


async def delivered(connection: Connection, notice_id: int) -> None:
    await connection.execute("delete from oauth_logouts where id = $1", notice_id)


async def failed(
    connection: Connection, notice_id: int, error: str, *, again: timedelta | None
) -> None:
    """Try again later, or give up if `again` is None."""
    await connection.execute(
        "update oauth_logouts set due_at = now() + $2::interval, error = $3 where id = $1",
        notice_id,
        again,
        error,
    )
    if again is None:
        await connection.execute(
            "delete from oauth_logouts where due_at is null and created_at < now() - $1::interval",
            KEPT,
        )
