"""Deletes expired data: old events and their bodies, old lines of the feed, records of old
comparisons and refusals."""

from datetime import timedelta

from latchkey.rules.vocabulary import ActivityType
from latchkey.store.communities import accounts
from latchkey.store.feed.facts import DIGEST
from latchkey.store.pool import Pool
from latchkey.store.products import abandoned_checkouts, checkout_attempts
from latchkey.store.purchases import tombstones
from latchkey.store.webhooks import events

BATCH, MOST_EVENTS = 1000, 200_000
MOST_LINES = 200_000
RECORDS_LIFE = timedelta(days=90)
ALWAYS_KEPT = frozenset(
    {
        ActivityType.LINK_CREATED,
        ActivityType.LINK_REMOVED,
        ActivityType.POLICY_CHANGED,
        ActivityType.SUBSCRIPTION_CANCELLED,
        ActivityType.SIGNED_IN_AS,
        ActivityType.SIGNED_OUT_AS,
        ActivityType.EMAIL_CHANGED,
        ActivityType.ROLE_CHANGED,
        ActivityType.FACTOR_CHANGED,
        ActivityType.OWNER_RECOVERED,
        ActivityType.TOKEN_REPLAYED,
        ActivityType.PURCHASE_CLAIMED,
        ActivityType.USERS_MERGED,
        ActivityType.MERGE_UNDONE,
        ActivityType.USER_EXPORTED,
        ActivityType.USER_ERASED,
    }
)
"""Lines that are few, and are records: of what staff did and of who is who, and by whom a
subscription was cancelled."""
NEVER_REASONS = frozenset(
    {
        ActivityType.SIGNED_IN,
        ActivityType.SIGNED_OUT_BY_TEAM,
        ActivityType.MAIL_SENT,
        ActivityType.PAYMENT_PENDING,
        ActivityType.PAYMENT_FAILED,
        ActivityType.PAYMENT_RECOVERED,
        ActivityType.UNKNOWN_STATUS,
        ActivityType.REPAIRED,
    }
)
"""Lines that don't say why somebody has access. The others stay as long as what they are about
gives it."""


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


_OLD_LINES = f"""
with next as (
    select id, recorded_at < now() - $3::interval as over from activities
     where id > $1 order by id limit $2
), gone as (
    delete from activities a using next
     where a.id = next.id and next.over and a.type <> all($4::text[])
       and (a.type = any($5::text[])
            or not exists (select from live_grants g where g.source_id = a.source_id)
               and not exists (select from live_grants g
                                where g.user_id = a.user_id and g.product_id = a.product_id)
               and not exists (select from subscriptions s
                                where s.id = a.source_id and s.ended_at is null))
       and a.id is distinct from (select max(id) from activities where type = $6)
    returning a.fact
), noted as (
    insert into forgotten_facts (digest) select {DIGEST.format("fact")} from gone
    on conflict do nothing
)
select (select max(id) from next having bool_and(over) and count(*) = $2) as reached,
       (select count(*) from gone) as gone
"""


async def forget_lines(pool: Pool, *, older_than: timedelta) -> int:
    """Delete lines of the feed that were written before `older_than` ago, in batches, with what is
    `ALWAYS_KEPT` and what says why somebody has access left out. The newest purchase stays.

    Looks at `MOST_LINES` at most, from where it stopped on, and begins again at the end, since what
    a line is about may have ended in between. Returns how many were deleted.
    """
    total = looked = 0
    while looked < MOST_LINES:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into chores (name) values ('lines') on conflict (name) do nothing"
            )
            start = await connection.fetchval(
                "select position from chores where name = 'lines' for update"
            )
            row = await connection.fetchrow(
                _OLD_LINES,
                start,
                BATCH,
                older_than,
                list(ALWAYS_KEPT),
                list(NEVER_REASONS),
                ActivityType.PRODUCT_PURCHASED,
            )
            assert row is not None, "an aggregate returns a row"
            await connection.execute(
                "update chores set position = $1, done_at = now() where name = 'lines'",
                row["reached"] or 0,
            )
        total += int(row["gone"])
        looked += BATCH
        if row["reached"] is None:
            break
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
