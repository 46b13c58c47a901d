"""The figures of a period, divided into days, weeks or months."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from latchkey.rules.figures import (
    MEMBERS,
    REVENUE,
    Interval,
    Movement,
    Period,
    divided,
    share,
)
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Sums:
    """How many people each movement concerned, and its amount in the currency's minor unit. Who or
    what is lost counts positive."""

    people: Mapping[Movement, int] = field(default_factory=dict)
    amounts: Mapping[Movement, int] = field(default_factory=dict)

    def of(self, movement: Movement) -> int:
        return abs(self.people.get(movement, 0))

    def amount(self, movement: Movement) -> int:
        return abs(self.amounts.get(movement, 0))

    def net_people(self, movements: Sequence[Movement]) -> int:
        return sum(self.people.get(movement, 0) for movement in movements)

    def net_amount(self, movements: Sequence[Movement]) -> int:
        return sum(self.amounts.get(movement, 0) for movement in movements)


@dataclass(frozen=True)
class Point:
    """The figures of one period. Numbers of people, `mrr` and `trials` are as of its end; the rest
    is what happened in it.

    `subscribers` pay for a subscription; `mrr` is what they bring in each month. Someone who came
    back counts in `reactivated`, not in `new`.
    """

    period: Period
    members: int
    subscribers: int
    subscribers_before: int
    mrr: int
    mrr_before: int
    trials: int
    sums: Sums

    @property
    def churn_rate(self) -> float | None:
        """Of those who paid at the start and those who began in the period, how many percent were
        lost in it."""
        sums = self.sums
        gained = sums.of(Movement.NEW) + sums.of(Movement.REACTIVATED)
        return share(sums.of(Movement.CHURNED), self.subscribers_before + gained)

    @property
    def revenue_churn_rate(self) -> float | None:
        """How many percent of the recurring revenue at the start were lost: by those who left, and
        by smaller plans."""
        sums = self.sums
        lost = sums.amount(Movement.CHURNED) + sums.amount(Movement.CONTRACTED)
        return share(lost, self.mrr_before)

    @property
    def conversion_rate(self) -> float | None:
        """Of the trials that were decided in the period, how many percent were paid for."""
        converted = self.sums.of(Movement.TRIAL_CONVERTED)
        return share(converted, converted + self.sums.of(Movement.TRIAL_LOST))


@dataclass(frozen=True)
class Figures:
    """A period as a whole, its parts, and the period before it. Amounts are in `currency`, one of
    `currencies` (those used most first); it is empty where nothing was paid yet."""

    whole: Point
    before: Point
    parts: tuple[Point, ...]
    currency: str
    currencies: tuple[str, ...]


async def read(
    connection: Connection,
    period: Period,
    interval: Interval,
    *,
    product_id: str | None = None,
    currency: str | None = None,
) -> Figures:
    """The figures of the site, or of one product, in one currency: the given one, or else the one
    that most subscribers and buyers have used."""
    parts, before = divided(period, interval), period.before
    starts = [before.start, *(part.start for part in parts)]
    rows = await connection.fetch(
        """
        select kind, currency, width_bucket(day, $3::date[]) as bucket,
               sum(people)::bigint as people, sum(amount)::bigint as amount
          from figure_days where product_id = $1 and day < $2 group by kind, currency, bucket
        """,
        product_id or "",
        period.end,
        starts,
    )
    used: dict[str, int] = {}
    for row in rows:
        if row["currency"] and row["people"] > 0:
            used[row["currency"]] = used.get(row["currency"], 0) + row["people"]
    currencies = tuple(sorted(used, key=lambda code: (-used[code], code)))
    chosen = currency or (currencies[0] if currencies else "")
    sums = [Sums({}, {}) for _ in range(len(starts) + 1)]
    for row in rows:
        if row["currency"] in ("", chosen):
            kind, bucket = Movement(row["kind"]), sums[row["bucket"]]
            bucket.people[kind], bucket.amounts[kind] = row["people"], row["amount"]
    points, running = [], sums[0]
    for part, change in zip([before, *parts], sums[1:], strict=True):
        after = _together([running, change])
        points.append(_point(part, running, after, change))
        running = after
    opening = _together(sums[:2])
    whole = _point(period, opening, running, _together(sums[2:]))
    return Figures(whole, points[0], tuple(points[1:]), chosen, currencies)


def _point(period: Period, opening: Sums, closing: Sums, change: Sums) -> Point:
    """The point of a period, from all that happened before it, until its end, and in it."""
    trials = (Movement.TRIAL_STARTED,)
    decided = closing.of(Movement.TRIAL_CONVERTED) + closing.of(Movement.TRIAL_LOST)
    return Point(
        period=period,
        members=closing.net_people(MEMBERS),
        subscribers=closing.net_people(REVENUE),
        subscribers_before=opening.net_people(REVENUE),
        mrr=closing.net_amount(REVENUE),
        mrr_before=opening.net_amount(REVENUE),
        trials=closing.net_people(trials) - decided,
        sums=change,
    )


def _together(several: Sequence[Sums]) -> Sums:
    people: dict[Movement, int] = {}
    amounts: dict[Movement, int] = {}
    for sums in several:
        for kind, n in sums.people.items():
            people[kind] = people.get(kind, 0) + n
        for kind, n in sums.amounts.items():
            amounts[kind] = amounts.get(kind, 0) + n
    return Sums(people, amounts)


@dataclass(frozen=True)
class Cohort:
    """Those who first paid in the month that begins on `month`. `paying` says how many of them pay
    at the end of it and of each month after it."""

    month: date
    joined: int
    paying: tuple[int, ...]


async def cohorts(
    connection: Connection, *, last_month: date, most: int, product_id: str | None = None
) -> list[Cohort]:
    """The last `most` cohorts until the month that begins on `last_month`, the oldest first."""
    rows = await connection.fetch(
        """
        select cohort, month, people, joined from figure_cohorts
         where product_id = $1 and cohort <= $2 and month <= $2
           and cohort > $2 - $3 * interval '1 month'
         order by cohort, month
        """,
        product_id or "",
        last_month,
        most,
    )
    found: dict[date, dict[date, int]] = {}
    joined: dict[date, int] = {}
    for row in rows:
        found.setdefault(row["cohort"], {})[row["month"]] = row["people"]
        joined[row["cohort"]] = joined.get(row["cohort"], 0) + row["joined"]
    return [
        Cohort(month, joined[month], _running(month, last_month, changes))
        for month, changes in found.items()
    ]


def _running(first: date, last: date, changes: Mapping[date, int]) -> tuple[int, ...]:
    paying, running = [], 0
    for part in (*divided(Period(first, last), Interval.MONTH), Period(last, last)):
        running += changes.get(part.start, 0)
        paying.append(running)
    return tuple(paying)


@dataclass(frozen=True)
class Counted:
    """`at` is when the figures were counted. Until `exact_since`, changes of price and quantity
    aren't known. `first_day` is the first one on which something happened. Each is None if there is
    no such moment."""

    at: datetime | None
    exact_since: datetime | None
    first_day: date | None


async def counted(connection: Connection) -> Counted:
    """What the figures are based on."""
    row = await connection.fetchrow(
        """
        select (select counted_at from figure_counts) as at,
               (select max(recorded_at) from recurring_spans where imported) as exact_since,
               (select min(day) from figure_days where product_id = '') as first_day
        """
    )
    assert row is not None, "a query without a table has one row"
    return Counted(**dict(row))
