"""When objects come so fast that they are handed over together."""

from itertools import pairwise
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from web.rush import AHEAD, ONE_BY_ONE, Rush

THRESHOLD = 20
SLOWEST = 1 / (ONE_BY_ONE * THRESHOLD)
"""How far apart objects come that can just be read one by one, in seconds."""


def rushes(moments: list[float], burst_from: int | Literal["off"] = THRESHOLD) -> list[bool]:
    rush = Rush(burst_from)
    return [rush.came(1, at=at) for at in moments]


@given(st.lists(st.floats(1.001 * SLOWEST, 60), max_size=60))
def test_what_can_be_read_one_by_one_is_no_rush(pauses: list[float]) -> None:
    moments = [sum(pauses[:n]) for n in range(len(pauses))]
    assert not any(rushes(moments))


def test_half_the_threshold_at_once_is_no_rush_and_more_is_one() -> None:
    half = int(AHEAD * THRESHOLD)
    assert rushes([0.0] * (half + 1)) == [False] * half + [True]
    assert Rush(THRESHOLD).came(half + 1, at=5.0)
    assert not Rush(THRESHOLD).came(half, at=5.0)


def test_what_comes_steadily_but_too_fast_becomes_a_rush_and_stays_one() -> None:
    found = rushes([n / 40 for n in range(80)])
    assert 0 < found.index(True) < 45
    assert all(before <= after for before, after in pairwise(found))


def test_a_rush_is_soon_over_however_many_came() -> None:
    rush = Rush(THRESHOLD)
    assert rush.came(5000, at=0.0)
    assert rush.came(1, at=0.1)
    assert not rush.came(1, at=1.0)


def test_a_threshold_of_one_is_always_a_rush_and_off_never() -> None:
    assert all(rushes([0.0, 100.0], burst_from=1))
    assert not any(rushes([0.0] * 100, burst_from="off"))
    assert rushes([0.0, 0.0], burst_from=2) == [False, True]
