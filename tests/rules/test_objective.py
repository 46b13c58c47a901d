"""What is promised to buyers, and how much of it is kept."""

import pytest

from latchkey.rules.objective import InTime


@pytest.mark.parametrize(
    ("total", "in_time", "allowed", "left", "met"),
    [
        (0, 0, 0, 0, True),
        (99, 99, 0, 0, True),
        (99, 98, 0, 0, False),
        (1000, 1000, 10, 10, True),
        (1000, 990, 10, 0, True),
        (1000, 989, 10, 0, False),
    ],
)
def test_one_purchase_in_a_hundred_can_be_late(
    total: int, in_time: int, allowed: int, left: int, met: bool
) -> None:
    kept = InTime(total, in_time)
    assert (kept.allowed, kept.left, kept.met) == (allowed, left, met)


def test_the_share_is_unknown_where_nothing_was_bought() -> None:
    assert InTime(0, 0).share is None
    assert InTime(200, 199).share == 99.5
