"""Email digests: for those who want to know what happened, in one email."""

from datetime import UTC, datetime
from typing import Any

from latchkey.languages import A_
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection, Pool

PERIODS = {"hour": A_("Every hour"), "day": A_("Every day")}
"""How often a digest can come."""

_DUE = """
    select id, created_by, every, digested_at from webhook_endpoints
     where format = 'digest' and created_by is not null and paused_at is null
       and digested_at <= now() - case every when 'hour' then interval '1 hour'
                                             else interval '1 day' end
"""


async def write_due(pool: Pool) -> int:
    """Queue the digests that are due; returns how many. Nothing is sent if nothing happened.

    A digest counts what happened by type and product. It names nobody, so erasing a person doesn't
    have to find it.
    """
    async with pool.acquire() as connection:
        if not await connection.fetchval(f"select exists ({_DUE})"):
            return 0
        async with connection.transaction():
            due = await connection.fetch(f"{_DUE} for update skip locked")
            return sum([await _write(connection, row) for row in due])


async def _write(connection: Connection, row: Any) -> int:
    counts = await connection.fetch(
        """
        with told as (
            update webhook_deliveries
               set state = 'delivered', attempts = attempts + 1, done_at = now(),
                   first_tried_at = coalesce(first_tried_at, now())
             where endpoint_id = $1 and state = 'waiting' returning event_id
        )
        select v.type, p.name as product, count(*) as count
          from told join webhook_events v on v.id = told.event_id
          left join products p on p.id = v.product_id
         group by 1, 2 order by 1, 2
        """,
        row["id"],
    )
    await connection.execute(
        """
        update webhook_endpoints
           set digested_at = now(),
               delivered_at = case when $2 then now() else delivered_at end
         where id = $1
        """,
        row["id"],
        bool(counts),
    )
    if not counts:
        return 0
    mail = Mail(
        key=f"webhook_digest:{row['id']}:{datetime.now(UTC):%Y%m%d%H%M%S%f}",
        kind="webhook_digest",
        user_id=row["created_by"],
        data={
            "every": row["every"],
            "since": row["digested_at"].isoformat(),
            "counts": [[each["type"], each["product"], each["count"]] for each in counts],
        },
    )
    await write_mails(connection, [mail])
    return 1
