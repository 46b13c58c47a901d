"""The web and worker processes that run, as each of them reports itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.store.pool import Connection

REPORT_SECONDS = 20.0
GONE = timedelta(minutes=2)
"""A process that hasn't reported for that long is counted no more."""


@dataclass(frozen=True)
class RunningProcess:
    """`kind` is web or worker; `stuck` names its background loops that make no progress."""

    id: str
    kind: str
    release: str
    started_at: datetime
    seen_at: datetime
    stuck: list[str]


async def report(
    connection: Connection, process_id: str, *, kind: str, release: str, stuck: Sequence[str]
) -> None:
    """Say that a process runs and how its loops do. Forgets those that are long gone."""
    await connection.execute(
        """
        with gone as (delete from processes where seen_at < now() - interval '1 day')
        insert into processes (id, kind, release, stuck) values ($1, $2, $3, $4::text[])
        on conflict (id) do update set seen_at = now(), stuck = excluded.stuck
        """,
        process_id,
        kind,
        release,
        list(stuck),
    )


async def leave(connection: Connection, process_id: str) -> None:
    """A process ends as it should."""
    await connection.execute("delete from processes where id = $1", process_id)


async def running(connection: Connection) -> list[RunningProcess]:
    """Those that reported lately, web first."""
    rows = await connection.fetch(
        "select * from processes where seen_at > now() - $1::interval order by kind, started_at",
        GONE,
    )
    return [RunningProcess(**dict(row)) for row in rows]
