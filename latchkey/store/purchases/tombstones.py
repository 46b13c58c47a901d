"""Readings that were left unrecorded.

A subscription that is over and never gave anything, or of which no product is linked, is not
recorded. An import, or a worker that was given up for dead, may hold an older reading that still
shows it running, with a linked product: without a trace of the later one, the older would grant
access for good.
"""

from collections.abc import Sequence

from latchkey.store.pool import Connection


async def hold(connection: Connection, ids: Sequence[str], *, ticket: int) -> set[str]:
    """Keep other readings of these objects out until the transaction ends. Returns those that a
    later reading than `ticket` has passed over."""
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
    """Note that these objects granted nothing when they were read under `ticket`."""
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
    """Drop what no running import, and no attempt that lost its heartbeat, can still need."""
    await connection.execute(
        """
        delete from passed_over
         where not exists (select from links where state = 'importing')
           and at < now() - interval '1 hour'
        """
    )
