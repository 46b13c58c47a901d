"""The people behind a figure: who joined, left, paid or bought in a period, or was there at its
end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

from latchkey.rules.figures import Movement, Period
from latchkey.store.figures.movements import HELD, ONE_PRODUCT, movements, values
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.billing_lists import ListPlace

CHUNK = 1000
SPARE, FURTHER = 2, 8
"""How many times as many stretches as people are wanted the search for subscribers reads first, and
how much further it goes each time if those were too few."""


class Level(StrEnum):
    """What is counted at the end of a period, rather than in it. `STAYED` are those who first paid
    in the month that begins with the period, and pay at its end."""

    MEMBERS = "members"
    SUBSCRIBERS = "subscribers"
    TRIALS = "trials"
    STAYED = "stayed"


class Several(StrEnum):
    """What no single movement tells: whose recurring revenue was lost, all or a part of it, and who
    paid for a subscription for the first time, in whatever currency."""

    REVENUE_LOST = "revenue_lost"
    FIRST_PAID = "first_paid"


Kind = Movement | Level | Several


@dataclass(frozen=True)
class FigureQuestion:
    """Whom a point stands for: those of movements in the period, or those who are there at its
    end. None as `product_id` means the whole site; `currency` matters where there are amounts."""

    kind: Kind
    period: Period
    product_id: str | None = None
    currency: str = ""


@dataclass(frozen=True)
class PersonBehind:
    """Someone behind a figure: when it happened (or since when it is so), and the amount in the
    currency's minor unit; less revenue is negative. `id` tells their rows of a list apart."""

    id: str
    at: datetime
    user_id: int | None
    email: str | None
    name: str | None
    customer_id: str | None
    amount: int
    currency: str

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.at, self.id)


_ASKED = """
asked as (
    select $1::text as product_id, $2::timestamptz as since, $3::timestamptz as until,
           $4::text as kind, $5::text as currency)
"""
_TOUCHED = """
s.customer_id in (
    select t.customer_id from subscriptions t join recurring_spans r on r.subscription_id = t.id
     where r.since >= $2 and r.since < $3
    union
    select t.customer_id from subscriptions t join recurring_spans r on r.subscription_id = t.id
     where r.until >= $2 and r.until < $3
    union select p.customer_id from past_spans p where p.since >= $2 and p.since < $3
    union select p.customer_id from past_spans p where p.until >= $2 and p.until < $3)
"""
_BEGAN = """
s.customer_id in (
    select t.customer_id from subscriptions t join recurring_spans b on b.subscription_id = t.id
     where b.since >= $2 and b.since < $3
    union select p.customer_id from past_spans p where p.since >= $2 and p.since < $3)
"""
_TOUCHED_USERS = """
g.user_id in (
    select t.user_id from grants t where t.since >= $2 and t.since < $3
    union select t.user_id from grants t where t.bought_at >= $2 and t.bought_at < $3
    union select t.user_id from grants t where t.ended_at >= $2 and t.ended_at < $3
    union select t.user_id from grants t where t.until >= $2 and t.until < $3)
"""
_PAID = "o.paid_at >= $2 and o.paid_at < $3"
_MOVEMENTS = movements(customers=_TOUCHED, users=_TOUCHED_USERS, orders=_PAID, scope=ONE_PRODUCT)
_MOVED = f"""
with {_ASKED}, {_MOVEMENTS},
found as (
    select id, at, user_id, customer_id, amount, currency from moves
     where product_id = $1 and at >= $2 and at < $3 and kind = any(string_to_array($4, ','))
       and currency in ('', $5))
"""
_OPEN = "r.since < {0} and coalesce(r.until >= {0}, true)"
_OPEN_VALUES = values(
    customers=f"s.customer_id = any($9::text[]) and {_OPEN.format('$3')}", scope=ONE_PRODUCT
)
_WALKED = """
and r.since < $1 and r.since <= $2 and not r.trial
and ($3 = '' or r.stripe_product in (
         select l.stripe_product from counting_links l where l.product_id = $3))
and (select coalesce(p.currency, '') from prices p where p.id = r.price_id) = $4
order by r.since desc limit $5
"""
_WALK = f"""
select * from (
    (select s.customer_id, r.since from recurring_spans r, subscriptions s
      where s.id = r.subscription_id and coalesce(r.until >= $1, true) {_WALKED})
    union all
    (select r.customer_id, r.since
       from (select * from past_spans where until >= $1 and since < $1 offset 0) r
      where true {_WALKED})) w
 order by since desc limit $5
"""
"""Who has something open at `$1`, the latest first, from what began at `$2`. Of what had ended
before it was known little is open, so that is found by its ends."""

_ON_TRIAL = """
select subscription_id from recurring_spans where trial and (until is null or until >= $1)
union select subscription_id from recurring_spans where not trial and since >= $1
union select subscription_id from past_spans where trial and until >= $1
union select subscription_id from past_spans where not trial and since >= $1
"""
_OF_SUBSCRIPTIONS = "s.id = any($9::text[])"
_FIRST_PAID = f"""
{values(customers=_BEGAN, scope=ONE_PRODUCT)},
paying as (
    select customer_id, min(since) as first,
           bool_or(since < $3 and coalesce(until >= $3, true)) as stays
      from scoped
     where product_id = $1 and not trial and monthly > 0 and coalesce(until > since, true)
     group by customer_id)
"""
_IN_ITS_MONTH = """
first >= $2 and first < ($2 at time zone 'UTC' + interval '1 month') at time zone 'UTC'
"""
_OF_PAYING = """
found as (
    select customer_id as id, first as at, null::bigint as user_id, customer_id, 0 as amount,
           '' as currency
      from paying where {0})
"""
_HELD = HELD.format(users="($1 = '' or g.product_id = $1)")
_NOBODY = "false"
_TRIALS = movements(customers=_OF_SUBSCRIPTIONS, users=_NOBODY, orders=_NOBODY, scope=ONE_PRODUCT)

_AT_THE_END = {
    Level.MEMBERS: f"""
with {_ASKED}, {_HELD},
found as (
    select user_id::text as id, min(since) as at, user_id, null::text as customer_id, 0 as amount,
           '' as currency
      from held where since < $3 and (ended is null or ended >= $3)
     group by user_id)
""",
    Level.SUBSCRIBERS: f"""
with {_ASKED}, {_OPEN_VALUES},
found as (
    select customer_id as id, min(since) as at, null::bigint as user_id, customer_id,
           sum(monthly) as amount, currency
      from scoped where product_id = $1 and not trial and monthly > 0 and currency = $5
     group by customer_id, currency)
""",
    Level.TRIALS: f"""
with {_ASKED}, {_TRIALS},
found as (
    select subscription_id as id, began as at, null::bigint as user_id, customer_id, 0 as amount,
           '' as currency
      from trials
     where product_id = $1 and began < $3 and coalesce(coalesce(paid, ended) >= $3, true))
""",
    Level.STAYED: f"""
with {_ASKED}, {_FIRST_PAID}, {_OF_PAYING.format(_IN_ITS_MONTH + " and stays")}
""",
}
_PAGE = """
select f.id, f.at, u.id as user_id, coalesce(u.email, c.email) as email,
       coalesce(u.name, c.name) as name, f.customer_id, f.amount::bigint as amount, f.currency
  from (select * from found
         where $6::timestamptz is null or (at, id) < ($6, $7::text)
         order by at desc, id desc limit $8) f
  left join customers c on c.id = f.customer_id
  left join users u on u.id = coalesce(f.user_id, c.user_id)
 order by f.at desc, f.id desc
"""


_TOGETHER = (Movement.CHURNED, Movement.CONTRACTED)


def _found(kind: Kind) -> str:
    """The query up to `found`, the table of those whom a kind stands for."""
    match kind:
        case Level():
            return _AT_THE_END[kind]
        case Several.FIRST_PAID:
            return (
                f"with {_ASKED}, {_FIRST_PAID}, {_OF_PAYING.format('first >= $2 and first < $3')}"
            )
        case _:
            return _MOVED


async def page(
    connection: Connection, wanted: FigureQuestion, *, after: ListPlace | None = None, limit: int
) -> list[PersonBehind]:
    """The first people, the latest first, from the one after `after`."""
    if wanted.kind is Level.SUBSCRIBERS:
        return await _subscribers(connection, wanted, after=after, limit=limit)
    ids = None
    if wanted.kind is Level.TRIALS:
        found = await connection.fetch(_ON_TRIAL, _midnight(wanted.period.end))
        ids = [row["subscription_id"] for row in found]
    return await _read(connection, wanted, after=after, limit=limit, ids=ids)


async def _subscribers(
    connection: Connection, wanted: FigureQuestion, *, after: ListPlace | None, limit: int
) -> list[PersonBehind]:
    """Subscribers, found by walking back through what they pay for until there are enough: whoever
    began later than where the walk ended has been met on it."""
    steps = limit * SPARE
    while True:
        walked = await connection.fetch(
            _WALK,
            _midnight(wanted.period.end),
            after.at if after else _midnight(wanted.period.end),
            wanted.product_id or "",
            wanted.currency,
            steps,
        )
        met = list(dict.fromkeys(row["customer_id"] for row in walked))
        people = await _read(connection, wanted, after=after, limit=limit, ids=met)
        if len(walked) < steps:
            return people
        sure = [person for person in people if person.at > walked[-1]["since"]]
        if len(sure) == limit:
            return sure
        steps *= FURTHER


async def _read(
    connection: Connection,
    wanted: FigureQuestion,
    *,
    after: ListPlace | None,
    limit: int,
    ids: list[str] | None,
) -> list[PersonBehind]:
    """One query; `ids` are the customers or subscriptions that it may look at, None for all."""
    rows = await connection.fetch(
        _found(wanted.kind) + _PAGE,
        wanted.product_id or "",
        _midnight(wanted.period.start),
        _midnight(wanted.period.end),
        ",".join(_TOGETHER) if wanted.kind is Several.REVENUE_LOST else wanted.kind,
        wanted.currency,
        after.at if after else None,
        after.id if after else None,
        limit,
        *([] if ids is None else [ids]),
    )
    return [PersonBehind(**dict(row)) for row in rows]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


async def everyone(pool: Pool, wanted: FigureQuestion) -> AsyncIterator[list[PersonBehind]]:
    """All of them in chunks. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            people = await page(connection, wanted, after=after, limit=CHUNK)
        if not people:
            return
        yield people
        after = people[-1].place
