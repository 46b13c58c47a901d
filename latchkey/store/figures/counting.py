"""Counts all movements by day and by cohort, so that pages read a few rows."""

from datetime import timedelta

from latchkey.store.figures.movements import movements, values
from latchkey.store.pool import Connection, Pool

SECONDS = 60.0
"""How old the counts become at most, on a site where counting takes less than a second."""

SHARE = 100
"""Counting may take one part in so many of the time."""

LONGEST_SECONDS = 600.0
"""How long each of its two statements may take."""

_DAYS = f"""
with {movements()},
fresh as materialized (
    select product_id, (at at time zone 'UTC')::date as day, kind, currency,
           sum(people) as people, sum(amount) as amount
      from moves group by product_id, day, kind, currency),
gone as (
    delete from figure_days d
     where not exists (
           select from fresh f
            where (f.product_id, f.day, f.kind, f.currency)
                = (d.product_id, d.day, d.kind, d.currency)))
insert into figure_days as d (product_id, day, kind, currency, people, amount)
select * from fresh
on conflict (product_id, day, kind, currency) do update
   set people = excluded.people, amount = excluded.amount
 where (d.people, d.amount) is distinct from (excluded.people, excluded.amount)
"""

_COHORTS = f"""
with {values()},
edges as (
    select product_id, customer_id, at, sum(n) as n
      from (select product_id, customer_id, since as at, 1 as n
              from scoped where not trial and monthly > 0
            union all
            select product_id, customer_id, until, -1
              from scoped where not trial and monthly > 0 and until is not null) e
     group by product_id, customer_id, at having sum(n) <> 0),
levels as (
    select product_id, customer_id, at, n, sum(n) over w as after,
           min(at) over (partition by product_id, customer_id) as first
      from edges window w as (partition by product_id, customer_id order by at)),
fresh as materialized (
    select product_id, date_trunc('month', first at time zone 'UTC')::date as cohort,
           date_trunc('month', at at time zone 'UTC')::date as month,
           sum(case when after = 0 then -1 else 1 end) as people,
           count(*) filter (where at = first) as joined
      from levels where after = 0 or after = n group by 1, 2, 3),
gone as (
    delete from figure_cohorts c
     where not exists (
           select from fresh f
            where (f.product_id, f.cohort, f.month) = (c.product_id, c.cohort, c.month)))
insert into figure_cohorts as c (product_id, cohort, month, people, joined)
select * from fresh
on conflict (product_id, cohort, month) do update
   set people = excluded.people, joined = excluded.joined
 where (c.people, c.joined) is distinct from (excluded.people, excluded.joined)
"""


async def count(connection: Connection) -> None:
    """Count everything again; writes only what changed. Concurrent counts wait for each other."""
    async with connection.transaction():
        await connection.execute("select from figure_counts for update")
        await connection.execute(_DAYS, timeout=LONGEST_SECONDS)
        await connection.execute(_COHORTS, timeout=LONGEST_SECONDS)
        await connection.execute(
            "update figure_counts set counted_at = now(), took = clock_timestamp() - now()"
        )


async def count_if_due(pool: Pool) -> bool:
    """Count if the last count is `SECONDS` old, and so old that counting takes up at most one part
    in `SHARE` of the time. Only one process counts. Returns False: there is never more to do."""
    async with pool.acquire() as connection, connection.transaction():
        due = await connection.fetchrow(
            """
            select from figure_counts
             where counted_at is null
                or counted_at < now() - greatest($1::interval, took * $2::integer)
               for update skip locked
            """,
            timedelta(seconds=SECONDS),
            SHARE,
        )
        if due is not None:
            await count(connection)
    return False
