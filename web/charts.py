"""Charts drawn on the server: where lines, bars and grid lines lie in an SVG that is stretched to
the width of the page. Text isn't part of the SVG, so it keeps its size on a phone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000, 240
"""The SVG's own units."""

GAP = 0.25
"""The part of its place that a bar leaves empty."""


@dataclass(frozen=True)
class Series:
    """One line, or one kind of bar. `tone` is a class of charts.css. A line has a gap where a value
    is None; bars with negative values hang from zero, and each leads to its address."""

    name: str
    tone: str
    values: Sequence[float | None]
    addresses: Sequence[str] = ()


@dataclass(frozen=True)
class Axis:
    """Evenly spaced values from the top to the bottom, zero among them."""

    ticks: tuple[float, ...]

    def y(self, value: float) -> float:
        """How far below the top a value lies."""
        top, bottom = self.ticks[0], self.ticks[-1]
        return round((top - value) / (top - bottom) * HEIGHT, 2)


@dataclass(frozen=True)
class Line:
    """A path through the values, and the area below it; `dots` are points with no neighbour."""

    tone: str
    path: str
    area: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bar:
    tone: str
    x: float
    y: float
    width: float
    height: float
    text: str
    address: str


@dataclass(frozen=True)
class Slot:
    """The part of a chart that belongs to one point: what it says, and where it leads."""

    x: float
    width: float
    text: str
    address: str


@dataclass(frozen=True)
class Chart:
    """`ticks` are the texts of the axis from the top down, `grid` how far down each of them is,
    `dates` the texts below it from left to right."""

    series: tuple[Series, ...]
    ticks: tuple[str, ...]
    grid: tuple[float, ...]
    zero: float
    dates: tuple[str, ...]
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    slots: tuple[Slot, ...]


def axis(values: Sequence[float]) -> Axis:
    """An axis that holds these values and zero, in steps of 1, 2 or 5 times a power of ten."""
    top, bottom = max([0, *values]), min([0, *values])
    step = _step((top - bottom) / 4)
    first, last = int(-(-top // step)), int(bottom // step)
    if first == last:
        first = last + 1
    return Axis(tuple(n * step for n in range(first, last - 1, -1)))


def _step(least: float) -> int:
    power = 10 ** max(0, math.floor(math.log10(least))) if least > 0 else 1
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least)


def lines(
    series: Sequence[Series],
    *,
    labels: Sequence[str],
    addresses: Sequence[str],
    show: Callable[[float], str],
    tick: Callable[[float], str],
) -> Chart:
    """A chart with a line for each series."""
    scale = axis([value for one in series for value in one.values if value is not None])
    drawn = tuple(_line(one, scale) for one in series)
    return _chart(series, scale, labels, addresses, show, tick, drawn=drawn)


def bars(
    series: Sequence[Series],
    *,
    labels: Sequence[str],
    addresses: Sequence[str],
    show: Callable[[float], str],
    tick: Callable[[float], str],
) -> Chart:
    """A chart whose bars are stacked: positive values up from zero, negative ones down. A place
    without a bar leads to its address in `addresses`."""
    stacks = [_stack(series, n) for n in range(len(labels))]
    scale = axis([end for stack in stacks for _, start, end in stack for end in (start, end)])
    width = WIDTH / max(1, len(labels))
    drawn = tuple(
        Bar(
            tone=one.tone,
            x=round((n + GAP / 2) * width, 2),
            y=scale.y(max(start, end)),
            width=round(width * (1 - GAP), 2),
            height=round(abs(scale.y(start) - scale.y(end)), 2),
            text=_text(labels[n], [one], n, show),
            address=one.addresses[n],
        )
        for n, stack in enumerate(stacks)
        for one, start, end in stack
    )
    return _chart(series, scale, labels, addresses, show, tick, bars=drawn)


def _stack(series: Sequence[Series], n: int) -> list[tuple[Series, float, float]]:
    """The bars of one place: whose each is, its start and its end."""
    up = down = 0.0
    stack = []
    for one in series:
        value = one.values[n] or 0
        if value > 0:
            stack.append((one, up, up + value))
            up += value
        elif value < 0:
            stack.append((one, down, down + value))
            down += value
    return stack


def _line(series: Series, scale: Axis) -> Line:
    width = WIDTH / max(1, len(series.values))
    runs: list[list[tuple[float, float]]] = [[]]
    for n, value in enumerate(series.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((round((n + 0.5) * width, 2), scale.y(value)))
    zero = scale.y(0)
    long = [run for run in runs if len(run) > 1]
    return Line(
        tone=series.tone,
        path=" ".join(_path(run) for run in long),
        area=" ".join(f"{_path(run)}V{zero:g}H{run[0][0]:g}Z" for run in long),
        dots=tuple(run[0] for run in runs if len(run) == 1),
    )


def _path(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in run)


def _chart(
    series: Sequence[Series],
    scale: Axis,
    labels: Sequence[str],
    addresses: Sequence[str],
    show: Callable[[float], str],
    tick: Callable[[float], str],
    *,
    drawn: tuple[Line, ...] = (),
    bars: tuple[Bar, ...] = (),
) -> Chart:
    width = WIDTH / max(1, len(labels))
    return Chart(
        series=tuple(series),
        ticks=tuple(tick(value) for value in scale.ticks),
        grid=tuple(scale.y(value) for value in scale.ticks),
        zero=scale.y(0),
        dates=_dates(labels),
        lines=drawn,
        bars=bars,
        slots=tuple(
            Slot(round(n * width, 2), round(width, 2), _text(label, series, n, show), address)
            for n, (label, address) in enumerate(zip(labels, addresses, strict=True))
        ),
    )


def _text(label: str, series: Sequence[Series], n: int, show: Callable[[float], str]) -> str:
    parts = []
    for one in series:
        value = one.values[n]
        if value is not None:
            parts.append(f"{one.name} {show(value)}")
    return f"{label}: {', '.join(parts) or 'nothing'}"


def _dates(labels: Sequence[str]) -> tuple[str, ...]:
    """The first, the middle and the last label; fewer where there are fewer."""
    if len(labels) < 3:
        return tuple(labels)
    return labels[0], labels[len(labels) // 2], labels[-1]
