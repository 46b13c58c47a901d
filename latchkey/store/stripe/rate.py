"""The rate at Stripe that all processes share: a bucket in one row, lent out by the handful."""

from datetime import datetime

from latchkey.store.pool import Connection

RECOVERY_SECONDS = 60.0
"""How long the rate takes to come back from nothing after Stripe has limited calls."""

LOWEST = 0.05
"""The part of the rate that is left at least."""

_LEASE = """
with clock as (select coalesce($1::timestamptz, clock_timestamp()) as now),
found as (
    select r.level, r.paused_until, c.now,
           r.limited_at <= c.now - interval '1 second' as may_fall,
           greatest(0, extract(epoch from c.now - r.refilled_at)::float8) as idle,
           least(1, r.factor + extract(epoch from c.now - r.limited_at)::float8 / $8) as factor
      from stripe_rate r, clock c for update of r skip locked
),
refilled as (
    select now, least($3, level + idle * $2 * factor) as level,
           $7::float8 is not null and may_fall as falls,
           case when $7::float8 is not null and may_fall then greatest($9, factor / 2)
                else factor end as factor,
           greatest(paused_until, now + make_interval(secs => $7)) as paused_until
      from found
),
granted as (
    select now, falls, factor, paused_until,
           case when falls then least(level, 1) else level end - $5 as level,
           case when falls or paused_until > now then 0
                else greatest(0, least($4, floor(level - $5 - $6)))::int end as permits
      from refilled
)
update stripe_rate r
   set level = greatest(g.level - g.permits, -4 * $3),
       refilled_at = greatest(r.refilled_at, g.now),
       factor = case when g.falls then g.factor else r.factor end,
       limited_at = case when g.falls then g.now else r.limited_at end,
       paused_until = g.paused_until
  from granted g
returning g.permits, g.factor,
          greatest(0, extract(epoch from g.paused_until - g.now))::float8 as pause,
          greatest(0, 1 + $6 - r.level) / ($2 * g.factor) as wait,
          (select count(*)::int from processes
            where kind = 'worker' and seen_at > now() - interval '2 minutes') as processes
"""


async def lease(
    connection: Connection,
    *,
    limit: float,
    capacity: float,
    want: int,
    owed: int,
    kept: float,
    limited: float | None,
    at: datetime | None = None,
) -> tuple[int, float, float, float, int] | None:
    """Take up to `want` permits, settle `owed` ones, and leave `kept` in the bucket. None at once
    if somebody else has the row locked.

    `limit` is in calls per second, `capacity` what the bucket holds. `limited` says that Stripe has
    refused a call for its rate and wants none for so many seconds: the rate is halved, at most once
    in a second, and grows again over a minute. Returns the permits, the part of the rate that is
    left, for how many seconds nobody may call, in how many seconds there may be a permit, and how
    many workers run.
    """
    row = await connection.fetchrow(
        _LEASE, at, limit, capacity, want, owed, kept, limited, RECOVERY_SECONDS, LOWEST
    )
    return None if row is None else tuple(row)
