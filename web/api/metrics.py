"""Members, recurring revenue, churn, trials and sales over time."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

from pydantic import Field

from latchkey.rules.figures import Interval, Movement, Period
from latchkey.store.figures import series
from latchkey.store.figures.series import Point
from web import periods
from web.api.lookup import product_of
from web.api.problems import ApiError
from web.api.registry import Call, Output, endpoint
from web.inputs import Day, Input

MOST_PARTS = 1000


class MetricSearch(Input):
    since: Day | None = Field(
        None, description="first day in UTC; by default a year before `until`"
    )
    until: Day | None = Field(None, description="last day in UTC; by default today")
    interval: Literal["day", "week", "month"] | None = Field(
        None, description="what the period is divided into; by default what suits its length"
    )
    product: str | None = Field(None, description="slug or id of a product of the site")
    currency: str | None = Field(
        None,
        pattern="^[a-zA-Z]{3}$",
        description="currency of subscribers and amounts; by default the one paid in most",
    )


class Metrics(Output):
    """The figures of the days from `since` to `until`. Numbers of members, subscribers and trials,
    and `mrr`, are as of the end of the last day; all else happened in these days. Amounts are in
    the currency's minor unit, rates in percent (null where there was nothing to count)."""

    since: date
    until: date
    members: int
    members_joined: int
    members_left: int
    subscribers: int
    subscribers_new: int
    subscribers_reactivated: int
    subscribers_churned: int
    subscriber_churn_rate: float | None
    mrr: int
    mrr_new: int
    mrr_reactivated: int
    mrr_expanded: int
    mrr_contracted: int
    mrr_churned: int
    revenue_churn_rate: float | None
    trials: int
    trials_started: int
    trials_converted: int
    trials_lost: int
    trial_conversion_rate: float | None
    purchases: int
    one_time_revenue: int


class MetricSeries(Output):
    """`total` is the whole period, `before` the one just as long before it, `data` its parts.
    `currencies` are all that were paid in. The figures were counted at `counted_at`; null: not yet.
    Until `exact_since`, changes of price and quantity of imported subscriptions aren't known."""

    currency: str | None
    currencies: list[str]
    interval: Literal["day", "week", "month"]
    total: Metrics
    before: Metrics
    data: list[Metrics]
    counted_at: datetime | None
    exact_since: datetime | None


@endpoint("GET", "/metrics", query=MetricSearch, answer=MetricSeries)
async def get_metrics(call: Call) -> MetricSeries:
    """Get members, recurring revenue, churn, trials and one-time revenue over time."""
    search: MetricSearch = call.query
    period = _period(search)
    interval = Interval(search.interval) if search.interval else period.interval
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, search.product) if search.product else None
        found = await series.read(
            connection,
            period,
            interval,
            product_id=product.id if product else None,
            currency=search.currency.lower() if search.currency else None,
        )
        counted = await series.counted(connection)
    return MetricSeries(
        currency=found.currency or None,
        currencies=list(found.currencies),
        interval=interval.value,
        total=_metrics(found.whole),
        before=_metrics(found.before),
        data=[_metrics(part) for part in found.parts],
        counted_at=counted.at,
        exact_since=counted.exact_since,
    )


def _period(search: MetricSearch) -> Period:
    today = datetime.now(UTC).date()
    try:
        period = periods.between(search.since, search.until, today=today)
    except ValueError as error:
        raise ApiError(422, "invalid", str(error)) from None
    if search.interval == "day" and period.days > MOST_PARTS:
        detail = f"`interval` day takes at most {MOST_PARTS} days: choose week or month"
        raise ApiError(422, "invalid", detail)
    return period


def _metrics(point: Point) -> Metrics:
    sums = point.sums
    return Metrics(
        since=point.period.start,
        until=point.period.end - timedelta(days=1),
        members=point.members,
        members_joined=sums.of(Movement.JOINED),
        members_left=sums.of(Movement.LEFT),
        subscribers=point.subscribers,
        subscribers_new=sums.of(Movement.NEW),
        subscribers_reactivated=sums.of(Movement.REACTIVATED),
        subscribers_churned=sums.of(Movement.CHURNED),
        subscriber_churn_rate=point.churn_rate,
        mrr=point.mrr,
        mrr_new=sums.amount(Movement.NEW),
        mrr_reactivated=sums.amount(Movement.REACTIVATED),
        mrr_expanded=sums.amount(Movement.EXPANDED),
        mrr_contracted=sums.amount(Movement.CONTRACTED),
        mrr_churned=sums.amount(Movement.CHURNED),
        revenue_churn_rate=point.revenue_churn_rate,
        trials=point.trials,
        trials_started=sums.of(Movement.TRIAL_STARTED),
        trials_converted=sums.of(Movement.TRIAL_CONVERTED),
        trials_lost=sums.of(Movement.TRIAL_LOST),
        trial_conversion_rate=point.conversion_rate,
        purchases=sums.of(Movement.SOLD),
        one_time_revenue=sums.amount(Movement.SOLD),
    )
