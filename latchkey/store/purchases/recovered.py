"""Money that came back: failed payments that were paid in the end, after an email and without."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.mails import REMINDER
from latchkey.store.pool import Connection
from latchkey.store.purchases.subscription_list import COSTS

MONTHS = 12


@dataclass(frozen=True)
class RecoveredMonth:
    """What came back in one month (which begins at `month`, in UTC), of one currency and mode.

    `count` of the payments and their `amount` together, in the minor unit; of these, `mailed` and
    `mailed_amount` after at least one email about them was sent. The amount is that of one period
    at the present price; payments whose price varies add none.
    """

    month: datetime
    currency: str | None
    livemode: bool
    count: int
    amount: int
    mailed: int
    mailed_amount: int


async def by_month(connection: Connection) -> list[RecoveredMonth]:
    """What came back this month and in the ones before it, the latest first. A payment counts once,
    however many products its subscription is for."""
    rows = await connection.fetch(
        f"""
        with back as (
            select distinct on (source_id, split_part(fact, ':', 4)) source_id, at
              from activities
             where type = $1 and cause = $2
               and at >= date_trunc('month', now(), 'UTC') - make_interval(months => $3)
             order by source_id, split_part(fact, ':', 4), at
        ), paid as (
            select date_trunc('month', b.at, 'UTC') as month, costs.currency, s.livemode,
                   costs.amount::numeric as amount,
                   exists (select from activities m
                            where m.source_id = b.source_id and m.type = $4 and m.at <= b.at
                              and m.data ->> 'kind' = any($5::text[])
                              and m.at >= (select max(f.at) from activities f
                                            where f.source_id = b.source_id and f.type = $6
                                              and f.at <= b.at)) as mailed
              from back b join subscriptions s on s.id = b.source_id cross join {COSTS}
        )
        select month, currency, livemode, count(*) as count,
               least(coalesce(sum(amount), 0), 9223372036854775807)::bigint as amount,
               count(*) filter (where mailed) as mailed,
               least(coalesce(sum(amount) filter (where mailed), 0),
                     9223372036854775807)::bigint as mailed_amount
          from paid group by month, currency, livemode
         order by month desc, livemode desc, count(*) desc, currency
        """,
        ActivityType.PAYMENT_RECOVERED,
        Cause.STRIPE,
        MONTHS - 1,
        ActivityType.MAIL_SENT,
        (REMINDER, "payment_problem"),
        ActivityType.PAYMENT_FAILED,
    )
    return [RecoveredMonth(**dict(row)) for row in rows]
