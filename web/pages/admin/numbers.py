"""Numbers: members, recurring revenue, churn, trials and sales over time, and the people behind."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey import languages
from latchkey.languages import _
from latchkey.rules import plurals
from latchkey.rules.figures import Interval, Movement, Period, first_day, next_first_day
from latchkey.store.figures import behind, series
from latchkey.store.figures.behind import FigureQuestion, Kind, Level, PersonBehind, Several
from latchkey.store.figures.series import Cohort, Counted, Figures, Point
from latchkey.store.pool import Connection
from latchkey.store.products import listing as product_listing
from web import periods
from web.pages.admin.billing_lists import amount
from web.pages.admin.figure_charts import PATH, FigureCharts
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page
from web.pages.lists import Query
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.places import place_of, written
from web.site import Site, site_of
from web.wording import figures as words

PAGE = 50
COHORTS = 12
"""How many months of joining the retention table shows."""

SHADES = 10
FILTERS = ("product", "currency", "period", "from", "to")


@dataclass(frozen=True)
class Tile:
    """One figure of the row at the top, with its change against the period before."""

    name: str
    value: str
    change: words.Change | None
    address: str


def routes() -> list[Route]:
    return [
        Route(PATH, show),
        Route(f"{PATH}.csv", export),
        Route(f"{PATH}/people", people),
        Route(f"{PATH}/people.csv", export_people),
    ]


class Asked:
    """What a request asks for: a period, and perhaps a product and a currency. `problem` says what
    is wrong with the dates; the usual period is shown instead."""

    def __init__(self, request: Request, counted: Counted, products: Sequence[str]) -> None:
        self.query = Query(request, FILTERS)
        self.problem: str | None = None
        today = datetime.now(UTC).date()
        dates = self.query["from"] or self.query["to"]
        self.preset = "" if dates else self.query["period"] or periods.USUAL
        if self.preset not in periods.PRESETS and not dates:
            self.preset = periods.USUAL
        self.period = periods.preset(self.preset, today=today, first=counted.first_day)
        if dates:
            try:
                self.period = periods.typed(self.query["from"], self.query["to"], today=today)
            except ValueError as error:
                self.problem = str(error)
        if self.query["product"] and self.query["product"] not in products:
            raise NotFoundError(_("This product doesn't exist."))
        self.product_id = self.query["product"] or None
        self.currency = self.query["currency"].lower() or None

    @property
    def interval(self) -> Interval:
        return self.period.interval

    async def read(self, connection: Connection) -> Figures:
        return await series.read(
            connection,
            self.period,
            self.interval,
            product_id=self.product_id,
            currency=self.currency,
        )


@admin_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        products = await product_listing.names(connection)
        counted = await series.counted(connection)
        asked = Asked(request, counted, [id_ for id_, _ in products])
        figures = await asked.read(connection)
        month = first_day(asked.period.end - timedelta(days=1), Interval.MONTH)
        cohorts = await series.cohorts(
            connection, last_month=month, most=COHORTS, product_id=asked.product_id
        )
    charts = FigureCharts(figures, asked.interval, product_id=asked.product_id)
    return page(
        request,
        "admin/numbers.html",
        422 if asked.problem else 200,
        asked=asked,
        query=asked.query,
        counted=counted,
        figures=figures,
        compared=counted.first_day is not None and counted.first_day < asked.period.start,
        products=products,
        presets=periods.PRESETS,
        tiles=_tiles(charts),
        charts=charts,
        period_name=words.period_name,
        how_many=plurals.counted,
        cohort_name=words.month_name,
        cohorts=cohorts,
        first_paid=lambda cohort: charts.people(Several.FIRST_PAID, _months(cohort, 0)),
        stayed=lambda cohort, n: charts.people(Level.STAYED, _months(cohort, n)),
        share=_share,
        shade=_shade,
    )


def _tiles(charts: FigureCharts) -> list[Tile]:
    figures = charts.figures
    now, before, code = figures.whole, figures.before, figures.currency

    def tile(name: str, value: str, change: words.Change | None, kind: Kind) -> Tile:
        at = figures.parts[-1].period if isinstance(kind, Level) else figures.whole.period
        return Tile(name, value, change, charts.people(kind, at))

    def happened(name: str, *kinds: Movement, good: bool = True) -> Tile:
        count = sum(now.sums.of(kind) for kind in kinds)
        earlier = sum(before.sums.of(kind) for kind in kinds)
        change = words.change(count, earlier, more_is_good=good)
        return tile(name, f"{count:,}", change, kinds[0])

    sold, sold_before = (p.sums.amount(Movement.SOLD) for p in (now, before))
    return [
        tile(
            _("Recurring revenue (MRR)"),
            words.rounded(now.mrr, code),
            words.change(now.mrr, before.mrr),
            Level.SUBSCRIBERS,
        ),
        tile(
            _("Subscribers"),
            languages.written(now.subscribers),
            words.change(now.subscribers, before.subscribers),
            Level.SUBSCRIBERS,
        ),
        tile(
            _("Members"),
            languages.written(now.members),
            words.change(now.members, before.members),
            Level.MEMBERS,
        ),
        happened(_("New subscribers"), Movement.NEW),
        happened(_("Lost subscribers"), Movement.CHURNED, good=False),
        tile(
            _("Subscriber churn"),
            words.rate(now.churn_rate),
            words.points(now.churn_rate, before.churn_rate, more_is_good=False),
            Movement.CHURNED,
        ),
        tile(
            _("Revenue churn"),
            words.rate(now.revenue_churn_rate),
            words.points(now.revenue_churn_rate, before.revenue_churn_rate, more_is_good=False),
            Several.REVENUE_LOST,
        ),
        tile(
            _("Trials paid for"),
            words.rate(now.conversion_rate),
            words.points(now.conversion_rate, before.conversion_rate, more_is_good=True),
            Movement.TRIAL_CONVERTED,
        ),
        tile(
            _("One-time revenue"),
            words.rounded(sold, code),
            words.change(sold, sold_before),
            Movement.SOLD,
        ),
    ]


def _months(cohort: Cohort, n: int) -> Period:
    """From the month of joining to the end of the `n`th month after it."""
    end = cohort.month
    for _month in range(n + 1):
        end = next_first_day(end, Interval.MONTH)
    return Period(cohort.month, end)


def _share(cohort: Cohort, n: int) -> str:
    return f"{round(100 * cohort.paying[n] / cohort.joined)} %"


def _shade(cohort: Cohort, n: int) -> int:
    """How strong a cell's colour is, from 0 to `SHADES`."""
    return round(SHADES * max(0, cohort.paying[n]) / cohort.joined)


_CSV = (
    "from", "to", "members", "joined", "left", "subscribers", "new", "reactivated", "churned",
    "churn_rate", "currency", "mrr", "new_mrr", "reactivation_mrr", "expansion_mrr",
    "contraction_mrr", "churned_mrr", "revenue_churn_rate", "trials", "trials_started",
    "trials_converted", "trials_lost", "conversion_rate", "purchases", "one_time_revenue",
)  # fmt: skip


@admin_page
async def export(request: Request) -> Response:
    """Every series as CSV, a line for each part of the period."""
    async with site_of(request).pool.acquire() as connection:
        counted = await series.counted(connection)
        products = await product_listing.names(connection)
        asked = Asked(request, counted, [id_ for id_, _ in products])
        if asked.problem:
            raise NotFoundError(asked.problem)
        figures = await asked.read(connection)
    text = cells(_CSV) + "".join(cells(_cells(part, figures.currency)) for part in figures.parts)
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="numbers.csv"'},
    )


def _cells(point: Point, code: str) -> list[object]:
    sums, last = point.sums, point.period.end - timedelta(days=1)

    def rate(value: float | None) -> str | None:
        return None if value is None else f"{value:.2f}"

    def money_of(kind: Movement) -> str | None:
        return amount(sums.amount(kind), code)

    return [
        point.period.start, last, point.members, sums.of(Movement.JOINED), sums.of(Movement.LEFT),
        point.subscribers, sums.of(Movement.NEW), sums.of(Movement.REACTIVATED),
        sums.of(Movement.CHURNED), rate(point.churn_rate), code, amount(point.mrr, code),
        money_of(Movement.NEW), money_of(Movement.REACTIVATED), money_of(Movement.EXPANDED),
        money_of(Movement.CONTRACTED), money_of(Movement.CHURNED), rate(point.revenue_churn_rate),
        point.trials, sums.of(Movement.TRIAL_STARTED), sums.of(Movement.TRIAL_CONVERTED),
        sums.of(Movement.TRIAL_LOST), rate(point.conversion_rate), sums.of(Movement.SOLD),
        money_of(Movement.SOLD),
    ]  # fmt: skip


def _question(request: Request) -> tuple[Query, FigureQuestion]:
    """Whom a request asks for. Raises `NotFoundError` for what no figure leads to."""
    query = Query(request, ("kind", "from", "to", "product", "currency"))
    kinds: dict[str, Kind] = {kind.value: kind for kind in (*Movement, *Level, *Several)}
    today: date = datetime.now(UTC).date()
    try:
        kind = kinds[query["kind"]]
        period = periods.typed(query["from"], query["to"], today=today)
    except (KeyError, ValueError):
        raise NotFoundError(_("No figure leads to this list. Open it from Numbers.")) from None
    product_id, currency = query["product"] or None, query["currency"].lower()
    return query, FigureQuestion(kind, period, product_id=product_id, currency=currency)


@admin_page
async def people(request: Request) -> Response:
    """The people behind one point of a chart."""
    query, question = _question(request)
    after = place_of(request.query_params.get("after"))
    async with site_of(request).pool.acquire() as connection:
        rows = await behind.page(connection, question, after=after, limit=PAGE + 1)
        names = dict(await product_listing.names(connection))
    place = written(rows[PAGE - 1].place) if len(rows) > PAGE else None
    return page(
        request,
        "admin/numbers_people.html",
        rows=rows[:PAGE],
        heading=words.people(question),
        days=words.period_name(question.period),
        last_day=words.last_day(question.period),
        at_the_end=isinstance(question.kind, Level),
        product=names.get(question.product_id or ""),
        query=query,
        more=query.address(after=place) if place else None,
        csv_address=query.address().replace(f"{PATH}/people", f"{PATH}/people.csv", 1),
    )


@admin_page
async def export_people(request: Request) -> Response:
    """All of them as CSV."""
    _, question = _question(request)
    return StreamingResponse(
        _lines(site_of(request), question),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{question.kind}.csv"'},
    )


async def _lines(site: Site, question: FigureQuestion) -> AsyncIterator[str]:
    yield cells(("at", "user", "email", "name", "customer", "amount", "currency"))
    async for rows in behind.everyone(site.pool, question):
        yield "".join(cells(_of_person(row)) for row in rows)


def _of_person(row: PersonBehind) -> list[object]:
    return [
        row.at.isoformat(), row.user_id, row.email, row.name, row.customer_id,
        amount(row.amount, row.currency), row.currency,
    ]  # fmt: skip
