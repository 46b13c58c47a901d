"""Tombstones of readings that weren't recorded.

A subscription that has ended without giving access, or that has no linked product, isn't recorded.
But an import, or a worker presumed dead, may hold an older reading that shows it running with a
linked product. Without a trace of the later reading, the older one would give access forever.
"""

from collections.abc import Sequence

from latchkey.store.pool import Connection


async def hold(connection: Connection, ids: Sequence[str], *, ticket: int) -> set[str]:
    """Lock these objects against other readings until the transaction ends. Returns those with a
    tombstone later than `ticket`."""
    await connection.execute(
        """
        select pg_advisory_xact_lock(hashtextextended(id, 0))
          from (select unnest($1::text[]) as id order by 1) as ordered
        """,
        list(ids),
    )
    rows = await connection.fetch(
        "select id from passed_over where id = any($1::text[]) and ticket > $2", list(ids), ticket
    )
    return {row["id"] for row in rows}


async def remember(connection: Connection, ids: Sequence[str], *, ticket: int) -> None:
    """Record that these objects gave no access when they were read under `ticket`."""
    await connection.execute(
        """
        insert into passed_over (id, ticket) select unnest($1::text[]), $2
        on conflict (id) do update
           set ticket = greatest(passed_over.ticket, excluded.ticket), at = now()
        """,
        list(ids),
        ticket,
    )


async def forget_old(connection: Connection) -> None:
    """Delete tombstones that no running import or timed-out attempt can still need."""
    await connection.execute(
        """
        delete from passed_over
         where not exists (select from links where state = 'importing')
           and at < now() - interval '1 hour'
        """
    )
