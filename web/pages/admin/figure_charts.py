"""The charts of Numbers, each with the table behind it and the people behind its points."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from latchkey.rules import plurals
from latchkey.rules.figures import Interval, Movement, Period
from latchkey.store.figures.behind import Kind, Level, Several
from latchkey.store.figures.series import Figures, Point
from web import charts
from web.charts import Chart, Series
from web.wording import figures as words

PATH = "/admin/numbers"


@dataclass(frozen=True)
class Column:
    """One column of a chart's table: its text for a point, and whom the text leads to."""

    name: str
    text: Callable[[Point], str]
    kind: Kind


@dataclass(frozen=True)
class ShownChart:
    """A chart with its heading, what it says in a sentence, and the table behind it."""

    id: str
    heading: str
    summary: str
    chart: Chart
    columns: tuple[Column, ...]


class FigureCharts:
    """The charts of some figures, of the whole site or of one product."""

    def __init__(
        self, figures: Figures, interval: Interval, *, product_id: str | None = None
    ) -> None:
        self.figures, self.interval = figures, interval
        self._product_id = product_id
        self._parts, self._now, self._sums = figures.parts, figures.whole, figures.whole.sums
        self._labels = [self.part_name(part.period) for part in figures.parts]
        self._amounts = words.writer(figures.currency)

    def part_name(self, part: Period) -> str:
        return words.part_name(part, self.interval)

    def people(self, kind: Kind, period: Period) -> str:
        """The address of the people behind a figure."""
        last = period.end - timedelta(days=1)
        product = f"&product={quote(self._product_id)}" if self._product_id else ""
        return (
            f"{PATH}/people?kind={kind}&from={period.start}&to={last}{product}"
            f"&currency={quote(self.figures.currency)}"
        )

    def all(self) -> list[ShownChart]:
        return [
            self.mrr(),
            self._movements(),
            self.members(),
            self._subscribers(),
            self._churn(),
            self._trials(),
            self._sales(),
        ]

    def mrr(self) -> ShownChart:
        now, amounts = self._now, self._amounts
        return ShownChart(
            "mrr",
            "Monthly recurring revenue",
            f"From {amounts(now.mrr_before)} to {amounts(now.mrr)} in this period.",
            charts.lines(
                [Series("MRR", "main", [part.mrr for part in self._parts])],
                labels=self._labels,
                addresses=self._addresses(Level.SUBSCRIBERS),
                show=amounts,
                tick=self._short_amounts,
            ),
            (
                Column("MRR", lambda point: amounts(point.mrr), Level.SUBSCRIBERS),
                Column("Subscribers", lambda point: f"{point.subscribers:,}", Level.SUBSCRIBERS),
            ),
        )

    def members(self) -> ShownChart:
        before, now = self.figures.before, self._now
        return ShownChart(
            "members",
            "Members",
            f"From {before.members:,} to {plurals.counted(now.members, 'person', 'people')}.",
            charts.lines(
                [Series("members", "main", [part.members for part in self._parts])],
                labels=self._labels,
                addresses=self._addresses(Level.MEMBERS),
                show=_whole,
                tick=words.short,
            ),
            (
                Column("Members", lambda point: f"{point.members:,}", Level.MEMBERS),
                self._counted("Joined", Movement.JOINED),
                self._counted("Left", Movement.LEFT),
            ),
        )

    def _movements(self) -> ShownChart:
        sums, amounts = self._sums, self._amounts
        return ShownChart(
            "movements",
            "Where recurring revenue came from and went",
            f"{amounts(sums.amount(Movement.NEW))} new,"
            f" {amounts(sums.amount(Movement.CHURNED))} lost.",
            self._bars(
                [
                    self._money("new", "new", Movement.NEW),
                    self._money("came back", "back", Movement.REACTIVATED),
                    self._money("pay more", "grew", Movement.EXPANDED),
                    self._money("pay less", "less", Movement.CONTRACTED, sign=-1),
                    self._money("lost", "lost", Movement.CHURNED, sign=-1),
                ],
                Movement.NEW,
                amounts,
                self._short_amounts,
            ),
            (
                self._paid("New", Movement.NEW),
                self._paid("Came back", Movement.REACTIVATED),
                self._paid("Pay more", Movement.EXPANDED),
                self._paid("Pay less", Movement.CONTRACTED),
                self._paid("Lost", Movement.CHURNED),
            ),
        )

    def _subscribers(self) -> ShownChart:
        sums = self._sums
        return ShownChart(
            "subscribers",
            "New and lost subscribers",
            f"{sums.of(Movement.NEW):,} new, {sums.of(Movement.REACTIVATED):,} came back,"
            f" {sums.of(Movement.CHURNED):,} lost.",
            self._bars(
                [
                    self._people("new", "new", Movement.NEW),
                    self._people("came back", "back", Movement.REACTIVATED),
                    self._people("lost", "lost", Movement.CHURNED, sign=-1),
                ],
                Movement.NEW,
                _unsigned,
                _short_unsigned,
            ),
            (
                self._counted("New", Movement.NEW),
                self._counted("Came back", Movement.REACTIVATED),
                self._counted("Lost", Movement.CHURNED),
            ),
        )

    def _churn(self) -> ShownChart:
        parts = self._parts
        return ShownChart(
            "churn",
            "Churn",
            _lost(self._now),
            charts.lines(
                [
                    Series("subscribers", "lost", [part.churn_rate for part in parts]),
                    Series("revenue", "less", [part.revenue_churn_rate for part in parts]),
                ],
                labels=self._labels,
                addresses=self._addresses(Several.REVENUE_LOST),
                show=words.rate,
                tick=words.rate,
            ),
            (
                Column("Subscribers", lambda point: words.rate(point.churn_rate), Movement.CHURNED),
                Column(
                    "Revenue",
                    lambda point: words.rate(point.revenue_churn_rate),
                    Several.REVENUE_LOST,
                ),
            ),
        )

    def _trials(self) -> ShownChart:
        sums = self._sums
        return ShownChart(
            "trials",
            "Trials",
            f"{sums.of(Movement.TRIAL_STARTED):,} began, {sums.of(Movement.TRIAL_CONVERTED):,} were"
            f" paid for, {sums.of(Movement.TRIAL_LOST):,} ended unpaid. {self._now.trials:,} run"
            " now.",
            self._bars(
                [
                    self._people("paid for", "new", Movement.TRIAL_CONVERTED),
                    self._people("ended unpaid", "lost", Movement.TRIAL_LOST, sign=-1),
                ],
                Movement.TRIAL_CONVERTED,
                _unsigned,
                _short_unsigned,
            ),
            (
                self._counted("Began", Movement.TRIAL_STARTED),
                self._counted("Paid for", Movement.TRIAL_CONVERTED),
                self._counted("Ended unpaid", Movement.TRIAL_LOST),
                Column(
                    "Share paid for",
                    lambda point: words.rate(point.conversion_rate),
                    Movement.TRIAL_CONVERTED,
                ),
            ),
        )

    def _sales(self) -> ShownChart:
        sums, amounts = self._sums, self._amounts
        return ShownChart(
            "sales",
            "One-time revenue",
            f"{amounts(sums.amount(Movement.SOLD))} from"
            f" {plurals.counted(sums.of(Movement.SOLD), 'purchase')}, less what was refunded.",
            self._bars(
                [self._money("revenue", "main", Movement.SOLD)],
                Movement.SOLD,
                amounts,
                self._short_amounts,
            ),
            (self._paid("Revenue", Movement.SOLD), self._counted("Purchases", Movement.SOLD)),
        )

    def _bars(
        self,
        series: list[Series],
        otherwise: Kind,
        show: Callable[[float], str],
        tick: Callable[[float], str],
    ) -> Chart:
        """Stacked bars; a place without one leads to the people of `otherwise`."""
        return charts.bars(
            series,
            labels=self._labels,
            addresses=self._addresses(otherwise),
            show=show,
            tick=tick,
        )

    def _people(self, name: str, tone: str, kind: Movement, *, sign: int = 1) -> Series:
        values = [sign * part.sums.of(kind) for part in self._parts]
        return Series(name, tone, values, self._addresses(kind))

    def _money(self, name: str, tone: str, kind: Movement, *, sign: int = 1) -> Series:
        values = [sign * part.sums.amount(kind) for part in self._parts]
        return Series(name, tone, values, self._addresses(kind))

    def _counted(self, name: str, kind: Movement) -> Column:
        return Column(name, lambda point: f"{point.sums.of(kind):,}", kind)

    def _paid(self, name: str, kind: Movement) -> Column:
        return Column(name, lambda point: self._amounts(point.sums.amount(kind)), kind)

    def _addresses(self, kind: Kind) -> list[str]:
        return [self.people(kind, part.period) for part in self._parts]

    def _short_amounts(self, value: float) -> str:
        code = self.figures.currency
        return words.short_money(value, code) if code else words.short(value)


def _whole(value: float) -> str:
    return f"{int(value):,}"


def _unsigned(value: float) -> str:
    return _whole(abs(value))


def _short_unsigned(value: float) -> str:
    return words.short(abs(value))


def _lost(now: Point) -> str:
    """What was lost, as far as there was something to lose."""
    parts = [
        f"{words.rate(rate)} of {name}"
        for rate, name in (
            (now.churn_rate, "subscribers"),
            (now.revenue_churn_rate, "the recurring revenue at the start"),
        )
        if rate is not None
    ]
    return f"Lost in this period: {' and '.join(parts) or 'nothing'}."
