"""Refused webhook requests, counted by reason and hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Refused:
    code: str
    count: int
    last_at: datetime


async def add(connection: Connection, counts: Mapping[str, int]) -> None:
    """Add to this hour's counts."""
    await connection.execute(
        """
        insert into webhook_refusals (code, hour, count, last_at)
        select code, date_trunc('hour', now()), count, now()
          from unnest($1::text[], $2::bigint[]) as given (code, count) order by code
        on conflict (code, hour) do update
           set count = webhook_refusals.count + excluded.count, last_at = excluded.last_at
        """,
        list(counts),
        list(counts.values()),
    )


async def lately(connection: Connection, *, within: timedelta) -> list[Refused]:
    """Refusals by reason, most frequent first."""
    rows = await connection.fetch(
        """
        select code, sum(count)::bigint as count, max(last_at) as last_at from webhook_refusals
         where hour >= date_trunc('hour', now() - $1::interval)
         group by code order by 2 desc, code
        """,
        within,
    )
    return [Refused(**dict(row)) for row in rows]
