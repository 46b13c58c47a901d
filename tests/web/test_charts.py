"""Where lines, bars and grid lines of a chart lie."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from web import charts
from web.charts import HEIGHT, WIDTH, Chart, Series

amounts = st.one_of(st.integers(-(10**12), 10**12), st.integers(-5, 5))


def drawn(*series: Series) -> Chart:
    n = len(series[0].values)
    return charts.bars(
        [replace(one, addresses=[f"/{one.name}/{k}" for k in range(n)]) for one in series],
        labels=[f"label {k}" for k in range(n)],
        addresses=[f"/{k}" for k in range(n)],
        show=str,
        tick=str,
    )


@given(values=st.lists(amounts, max_size=8))
def test_an_axis_holds_every_value_in_a_few_even_steps(values: list[int]) -> None:
    scale = charts.axis(values)
    assert scale.ticks[0] >= max([0, *values])
    assert scale.ticks[-1] <= min([0, *values])
    assert 0 in scale.ticks
    assert 2 <= len(scale.ticks) <= 7
    steps = {round(a - b, 3) for a, b in zip(scale.ticks, scale.ticks[1:], strict=False)}
    assert len(steps) == 1


@given(rows=st.lists(st.tuples(amounts, amounts), min_size=1, max_size=6))
def test_bars_are_stacked_from_zero_and_stay_inside(rows: list[tuple[int, int]]) -> None:
    chart = drawn(
        Series("a", "good", [a for a, _ in rows]), Series("b", "bad", [b for _, b in rows])
    )
    assert sum(1 for row in rows for value in row if value) == len(chart.bars)
    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH + 0.01
        assert bar.y >= 0
        assert bar.y + bar.height <= HEIGHT + 0.01
    for n, row in enumerate(rows):
        own = [
            bar
            for bar in chart.bars
            if n * WIDTH / len(rows) <= bar.x < (n + 1) * WIDTH / len(rows)
        ]
        tall = (chart.zero - min([bar.y for bar in own], default=chart.zero)) / HEIGHT
        top, bottom = float(chart.ticks[0]), float(chart.ticks[-1])
        assert abs(tall * (top - bottom) - sum(v for v in row if v > 0)) <= (top - bottom) / 1000


def test_a_line_has_gaps_and_lone_points() -> None:
    chart = charts.lines(
        [Series("rate", "bad", [1, 2, None, 4, None])],
        labels=list("abcde"),
        addresses=list("abcde"),
        show="{:g} %".format,
        tick=str,
    )
    assert chart.lines[0].path == "M100 180L300 120"
    assert chart.lines[0].area == "M100 180L300 120V240H100Z"
    assert chart.lines[0].dots == ((700, 0),)
    assert [slot.text for slot in chart.slots] == [
        "a: rate 1 %", "b: rate 2 %", "c: nothing", "d: rate 4 %", "e: nothing",
    ]  # fmt: skip
    assert chart.dates == ("a", "c", "e")


def test_a_chart_of_nothing_has_an_axis() -> None:
    chart = drawn(Series("a", "good", [0, 0]))
    assert chart.ticks == ("1", "0")
    assert chart.bars == ()


def test_each_bar_says_what_it_is_and_leads_to_its_people() -> None:
    chart = drawn(Series("new", "good", [2, 0]), Series("lost", "bad", [-1, -3]))
    assert [(bar.text, bar.address) for bar in chart.bars] == [
        ("label 0: new 2", "/new/0"),
        ("label 0: lost -1", "/lost/0"),
        ("label 1: lost -3", "/lost/1"),
    ]
