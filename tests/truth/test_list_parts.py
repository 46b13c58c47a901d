"""How a burst divides the part of a list in which its objects stand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from activities.burst_source import PAGE, _parts

BEGAN = datetime(2026, 11, 30, tzinfo=UTC)
MOMENTS = st.lists(st.integers(0, 100), min_size=1, max_size=300)


def group(seconds: list[int]) -> dict[str, datetime]:
    return {f"sub_{n}": BEGAN + timedelta(seconds=at) for n, at in enumerate(seconds)}


@given(MOMENTS)
def test_each_object_stands_in_one_part_and_no_time_is_left_out(seconds: list[int]) -> None:
    given_ = group(seconds)
    parts = _parts(given_)
    assert sorted(key for part in parts for key in part.ids) == sorted(given_)
    for part in parts:
        assert all(part.since <= given_[key].timestamp() <= part.until for key in part.ids)
    assert all(before.until + 1 == after.since for before, after in pairwise(parts))
    assert parts[0].since == min(given_.values()).timestamp()
    assert parts[-1].until == max(given_.values()).timestamp()


@given(MOMENTS)
def test_a_part_fits_on_a_page_unless_one_moment_does_not(seconds: list[int]) -> None:
    for part in _parts(group(seconds)):
        assert len(part.ids) <= PAGE or part.since == part.until


def test_as_few_pages_are_read_as_hold_them() -> None:
    assert [len(part.ids) for part in _parts(group(list(range(250))))] == [84, 84, 82]
    assert [len(part.ids) for part in _parts(group(list(range(PAGE))))] == [PAGE]
    waves = [0] * 70 + [7] * 100 + [14] * 80
    assert [len(part.ids) for part in _parts(group(waves))] == [70, 100, 80]
