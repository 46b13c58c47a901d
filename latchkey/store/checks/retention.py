"""Deletes expired data: old events and their bodies, records of old comparisons and refusals."""

from datetime import timedelta

from latchkey.store.communities import accounts
from latchkey.store.pool import Pool
from latchkey.store.products import abandoned_checkouts, checkout_attempts
from latchkey.store.purchases import tombstones
from latchkey.store.webhooks import events

BATCH, MOST_EVENTS = 1000, 200_000
RECORDS_LIFE = timedelta(days=90)


async def forget_bodies(pool: Pool, *, older_than: timedelta) -> int:
    """Delete the bodies of events received before `older_than` ago, in batches, and keep their
    rows. It resumes where it stopped, so each event is checked once. Returns how many were
    deleted."""
    total: int = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into chores (name) values ('bodies') on conflict (name) do nothing"
            )
            start = await connection.fetchval(
                "select position from chores where name = 'bodies' for update"
            )
            row = await connection.fetchrow(
                """
                with old as (
                    select id, seq, received_at < now() - $3::interval as over from events
                     where seq > $1 order by seq limit $2
                ), reached as (
                    select coalesce(min(seq) filter (where not over) - 1, max(seq)) as seq from old
                ), gone as (
                    update events e set body = null from old
                     where e.id = old.id and old.seq <= (select seq from reached)
                       and e.body is not null
                    returning 1
                )
                select (select seq from reached) as reached, (select count(*) from gone) as gone
                """,
                start,
                BATCH,
                older_than,
            )
            assert row is not None, "an aggregate returns a row"
            reached = row["reached"]
            if reached is not None:
                await connection.execute(
                    "update chores set position = $1, done_at = now() where name = 'bodies'",
                    reached,
                )
        total += int(row["gone"])
        if reached is None or reached < start + 1 or reached - start < BATCH:
            return total


async def forget_events(pool: Pool, *, older_than: timedelta) -> int:
    """Delete handled and ignored events received before `older_than` ago, in batches, and at most
    `MOST_EVENTS`, so that years of them don't hold up the rest. The newest event stays. Returns how
    many were deleted.

    Stripe sends and lists events for 30 days: one that comes again later than that is a new one.
    """
    total = reached = 0
    while total < MOST_EVENTS:
        row = await pool.fetchrow(
            """
            with next as (
                select id, seq, received_at < now() - $3::interval as over,
                       state in ('handled', 'ignored') as settled
                  from events where seq > $1 and seq < (select max(seq) from events)
                 order by seq limit $2
            ), gone as (
                delete from events e using next
                 where e.id = next.id and next.over and next.settled
                returning 1
            )
            select (select max(seq) from next having bool_and(over)) as reached,
                   (select count(*) from gone) as gone
            """,
            reached,
            BATCH,
            older_than,
        )
        assert row is not None, "an aggregate returns a row"
        total += int(row["gone"])
        if row["reached"] is None:
            break
        reached = row["reached"]
    return total


async def forget_records(pool: Pool) -> None:
    """Delete comparisons and counts of refused webhooks older than `RECORDS_LIFE`, tombstones of
    readings that no older reading can follow any more, attempts to buy that are over, and old
    outgoing webhooks."""
    async with pool.acquire() as connection:
        await tombstones.forget_old(connection)
        await checkout_attempts.forget_old(connection)
        await events.forget_old(connection)
        await abandoned_checkouts.forget_old(connection)
        await accounts.forget_erased(connection)
    await pool.execute(
        "delete from webhook_refusals where hour < now() - $1::interval", RECORDS_LIFE
    )
    await pool.execute(
        """
        delete from reconciliations
         where created_at < now() - $1::interval and state in ('done', 'failed')
        """,
        RECORDS_LIFE,
    )
