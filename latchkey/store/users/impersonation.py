"""An admin viewing the site as a member: one session, at most an hour, logged."""

from datetime import UTC, datetime, timedelta

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.users.sessions import digest

LONGEST = timedelta(hours=1)


async def start(connection: Connection, token: str, *, user_id: int, actor: int) -> bool:
    """Let a session view the site as a member; False if that user is on the team.

    The caller opens the transaction.
    """
    now = datetime.now(UTC)
    session = await connection.fetchval(
        """
        update sessions s set acting_as = u.id, acting_until = $3
          from users u
         where s.token_hash = $1 and u.id = $2 and u.role = 'member' and u.erased_at is null
        returning s.id
        """,
        digest(token),
        user_id,
        now + LONGEST,
    )
    if session is None:
        return False
    fact = Fact(
        key=f"signed_in_as:{session}:{now.isoformat()}",
        type=ActivityType.SIGNED_IN_AS,
        at=now,
        cause=Cause.ADMIN,
        user_id=user_id,
        actor_id=actor,
        data={"until": (now + LONGEST).isoformat()},
    )
    await write_facts(connection, [fact])
    return True


async def stop(connection: Connection, token: str) -> int | None:
    """End impersonation; returns the id of the member.

    The caller opens the transaction.
    """
    row = await connection.fetchrow(
        """
        with before as (
            select id, user_id, acting_as, acting_until > now() as running
              from sessions where token_hash = $1 for update)
        update sessions s set acting_as = null, acting_until = null
          from before b where s.id = b.id and b.acting_as is not null
        returning b.id, b.user_id, b.acting_as, b.running
        """,
        digest(token),
    )
    if row is None:
        return None
    if row["running"]:
        now = datetime.now(UTC)
        fact = Fact(
            key=f"signed_out_as:{row['id']}:{now.isoformat()}",
            type=ActivityType.SIGNED_OUT_AS,
            at=now,
            cause=Cause.ADMIN,
            user_id=row["acting_as"],
            actor_id=row["user_id"],
        )
        await write_facts(connection, [fact])
    member: int = row["acting_as"]
    return member
