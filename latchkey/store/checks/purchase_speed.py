"""How fast purchases opened what was bought, from the feed and the inbox."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from latchkey.rules.objective import WITHIN_SECONDS, InTime
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.pool import Connection

WINDOWS = (1, 7, 28)
"""Days that are counted together."""

SLOWEST = 10

_QUERY = """
with opened as materialized (
    select a.id, a.recorded_at, a.user_id, a.product_id, a.event_id,
           extract(epoch from a.recorded_at - case e.source when 'webhook' then e.received_at
                                              else e.created_at end)::float8 as seconds
      from activities a left join events e on e.id = a.event_id
     where a.type = $1 and a.cause = $2 and a.at > now() - $3 * interval '1 day'),
windows as (
    select w.days, count(o.id) as total, count(*) filter (where o.seconds <= $4) as in_time
      from unnest($5::int[]) as w (days)
      left join opened o on o.recorded_at > now() - w.days * interval '1 day'
     group by w.days),
days as (
    select (recorded_at at time zone 'UTC')::date as day, count(*) as total,
           count(*) filter (where seconds <= $4) as in_time,
           percentile_cont(0.5) within group (order by seconds) as half,
           percentile_cont(0.95) within group (order by seconds) as most
      from opened group by 1),
slowest as (
    select o.recorded_at, o.seconds, o.event_id, u.id as user_id, u.email, p.id as product_id,
           p.name as product
      from (select * from opened where seconds > $4 or seconds is null
             order by seconds desc nulls last, id desc limit $6) o
      left join users u on u.id = o.user_id
      left join products p on p.id = o.product_id)
select (select jsonb_agg(windows order by days) from windows) as windows,
       (select jsonb_agg(days order by day desc) from days) as days,
       (select jsonb_agg(slowest order by seconds desc nulls last) from slowest) as slowest
"""


@dataclass(frozen=True)
class Day:
    """A day in UTC. Half of its purchases took at most `half` seconds, 95 % at most `most`; None
    where no event reported them."""

    day: date
    kept: InTime
    half: float | None
    most: float | None


@dataclass(frozen=True)
class SlowPurchase:
    """A purchase that didn't open in time. `seconds` is None if no event reported it, and a
    comparison found it."""

    at: datetime
    seconds: float | None
    event_id: str | None
    user_id: int | None
    email: str | None
    product_id: str | None
    product: str | None


@dataclass(frozen=True)
class Speed:
    """`windows` are by their number of days, `days` and `slowest` begin with the latest and the
    slowest."""

    windows: dict[int, InTime]
    days: list[Day]
    slowest: list[SlowPurchase]


async def read(connection: Connection) -> Speed:
    """How fast the purchases of the last four weeks opened what was bought.

    It is counted from the moment at which the purchase's event arrived; if no webhook delivered it,
    from when Stripe made it. Imports aren't purchases.
    """
    row = await connection.fetchrow(
        _QUERY,
        ActivityType.PRODUCT_PURCHASED,
        Cause.CUSTOMER,
        max(WINDOWS),
        WITHIN_SECONDS,
        list(WINDOWS),
        SLOWEST,
    )
    assert row is not None, "it has no condition"
    return Speed(
        windows={found["days"]: _kept(found) for found in row["windows"]},
        days=[
            Day(date.fromisoformat(found["day"]), _kept(found), found["half"], found["most"])
            for found in row["days"] or []
        ],
        slowest=[_slow(found) for found in row["slowest"] or []],
    )


def _kept(found: dict[str, Any]) -> InTime:
    return InTime(found["total"], found["in_time"])


def _slow(found: dict[str, Any]) -> SlowPurchase:
    at = datetime.fromisoformat(found.pop("recorded_at"))
    return SlowPurchase(at=at, **found)
