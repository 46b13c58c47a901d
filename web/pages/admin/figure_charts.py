"""The charts of Numbers, each with the table behind it and the people behind its points."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from latchkey.languages import N_, _, listed, ngettext, written
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
            _("Monthly recurring revenue"),
            _(
                "From %(amounts)s to %(amounts2)s in this period.",
                amounts=amounts(now.mrr_before),
                amounts2=amounts(now.mrr),
            ),
            charts.lines(
                [Series("MRR", "main", [part.mrr for part in self._parts])],
                labels=self._labels,
                addresses=self._addresses(Level.SUBSCRIBERS),
                show=amounts,
                tick=self._short_amounts,
            ),
            (
                Column("MRR", lambda point: amounts(point.mrr), Level.SUBSCRIBERS),
                Column(_("Subscribers"), lambda point: f"{point.subscribers:,}", Level.SUBSCRIBERS),
            ),
        )

    def members(self) -> ShownChart:
        before, now = self.figures.before, self._now
        return ShownChart(
            "members",
            _("Members"),
            ngettext(
                "From %(before)s to %(count)s person.",
                "From %(before)s to %(count)s people.",
                now.members,
                before=written(before.members),
            ),
            charts.lines(
                [Series("members", "main", [part.members for part in self._parts])],
                labels=self._labels,
                addresses=self._addresses(Level.MEMBERS),
                show=_whole,
                tick=words.short,
            ),
            (
                Column(_("Members"), lambda point: f"{point.members:,}", Level.MEMBERS),
                self._counted(_("Joined"), Movement.JOINED),
                self._counted(_("Left"), Movement.LEFT),
            ),
        )

    def _movements(self) -> ShownChart:
        sums, amounts = self._sums, self._amounts
        return ShownChart(
            "movements",
            _("Where recurring revenue came from and went"),
            _(
                "%(amounts)s new, %(amounts2)s lost.",
                amounts=amounts(sums.amount(Movement.NEW)),
                amounts2=amounts(sums.amount(Movement.CHURNED)),
            ),
            self._bars(
                [
                    self._money(_("new"), "new", Movement.NEW),
                    self._money(_("came back"), "back", Movement.REACTIVATED),
                    self._money(_("pay more"), "grew", Movement.EXPANDED),
                    self._money(_("pay less"), "less", Movement.CONTRACTED, sign=-1),
                    self._money(_("lost"), "lost", Movement.CHURNED, sign=-1),
                ],
                Movement.NEW,
                amounts,
                self._short_amounts,
            ),
            (
                self._paid(_("New"), Movement.NEW),
                self._paid(_("Came back"), Movement.REACTIVATED),
                self._paid(_("Pay more"), Movement.EXPANDED),
                self._paid(_("Pay less"), Movement.CONTRACTED),
                self._paid(_("Lost"), Movement.CHURNED),
            ),
        )

    def _subscribers(self) -> ShownChart:
        sums = self._sums
        return ShownChart(
            "subscribers",
            _("New and lost subscribers"),
            _(
                "%(sums)s new, %(sums2)s came back, %(sums3)s lost.",
                sums=written(sums.of(Movement.NEW)),
                sums2=written(sums.of(Movement.REACTIVATED)),
                sums3=written(sums.of(Movement.CHURNED)),
            ),
            self._bars(
                [
                    self._people(_("new"), "new", Movement.NEW),
                    self._people(_("came back"), "back", Movement.REACTIVATED),
                    self._people(_("lost"), "lost", Movement.CHURNED, sign=-1),
                ],
                Movement.NEW,
                _unsigned,
                _short_unsigned,
            ),
            (
                self._counted(_("New"), Movement.NEW),
                self._counted(_("Came back"), Movement.REACTIVATED),
                self._counted(_("Lost"), Movement.CHURNED),
            ),
        )

    def _churn(self) -> ShownChart:
        parts = self._parts
        return ShownChart(
            "churn",
            _("Churn"),
            _lost(self._now),
            charts.lines(
                [
                    Series(_("subscribers"), "lost", [part.churn_rate for part in parts]),
                    Series(_("revenue"), "less", [part.revenue_churn_rate for part in parts]),
                ],
                labels=self._labels,
                addresses=self._addresses(Several.REVENUE_LOST),
                show=words.rate,
                tick=words.rate,
            ),
            (
                Column(
                    _("Subscribers"), lambda point: words.rate(point.churn_rate), Movement.CHURNED
                ),
                Column(
                    _("Revenue"),
                    lambda point: words.rate(point.revenue_churn_rate),
                    Several.REVENUE_LOST,
                ),
            ),
        )

    def _trials(self) -> ShownChart:
        sums = self._sums
        return ShownChart(
            "trials",
            _("Trials"),
            _(
                "%(sums)s began, %(sums2)s were paid for, %(sums3)s ended unpaid. %(now)s run now.",
                sums=written(sums.of(Movement.TRIAL_STARTED)),
                sums2=written(sums.of(Movement.TRIAL_CONVERTED)),
                sums3=written(sums.of(Movement.TRIAL_LOST)),
                now=written(self._now.trials),
            ),
            self._bars(
                [
                    self._people(_("paid for"), "new", Movement.TRIAL_CONVERTED),
                    self._people(_("ended unpaid"), "lost", Movement.TRIAL_LOST, sign=-1),
                ],
                Movement.TRIAL_CONVERTED,
                _unsigned,
                _short_unsigned,
            ),
            (
                self._counted(_("Began"), Movement.TRIAL_STARTED),
                self._counted(_("Paid for"), Movement.TRIAL_CONVERTED),
                self._counted(_("Ended unpaid"), Movement.TRIAL_LOST),
                Column(
                    _("Share paid for"),
                    lambda point: words.rate(point.conversion_rate),
                    Movement.TRIAL_CONVERTED,
                ),
            ),
        )

    def _sales(self) -> ShownChart:
        sums, amounts = self._sums, self._amounts
        return ShownChart(
            "sales",
            _("One-time revenue"),
            ngettext(
                "%(amount)s from %(count)s purchase, less what was refunded.",
                "%(amount)s from %(count)s purchases, less what was refunded.",
                sums.of(Movement.SOLD),
                amount=amounts(sums.amount(Movement.SOLD)),
            ),
            self._bars(
                [self._money(_("revenue"), "main", Movement.SOLD)],
                Movement.SOLD,
                amounts,
                self._short_amounts,
            ),
            (self._paid(_("Revenue"), Movement.SOLD), self._counted(_("Purchases"), Movement.SOLD)),
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
        return Column(name, lambda point: written(point.sums.of(kind)), kind)

    def _paid(self, name: str, kind: Movement) -> Column:
        return Column(name, lambda point: self._amounts(point.sums.amount(kind)), kind)

    def _addresses(self, kind: Kind) -> list[str]:
        return [self.people(kind, part.period) for part in self._parts]

    def _short_amounts(self, value: float) -> str:
        code = self.figures.currency
        return words.short_money(value, code) if code else words.short(value)


def _whole(value: float) -> str:
    return written(int(value))


def _unsigned(value: float) -> str:
    return _whole(abs(value))


def _short_unsigned(value: float) -> str:
    return words.short(abs(value))


def _lost(now: Point) -> str:
    """What was lost, as far as there was something to lose."""
    parts = [
        _(said, rate=words.rate(rate))
        for rate, said in (
            (now.churn_rate, N_("%(rate)s of subscribers")),
            (now.revenue_churn_rate, N_("%(rate)s of the recurring revenue at the start")),
        )
        if rate is not None
    ]
    if not parts:
        return _("Lost in this period: nothing.")
    return _("Lost in this period: %(parts)s.", parts=listed(parts))
