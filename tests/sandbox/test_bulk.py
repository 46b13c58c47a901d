"""Many subscribers who are made at once."""

import pytest

from sandbox import bulk
from sandbox.schema import Published
from tests.sandbox.inside import Inside


@pytest.mark.parametrize(("within", "moments"), [(0, [0]), (900, [0, 300, 600])])
def test_they_come_in_the_course_of_some_time(
    published: Published, within: int, moments: list[int]
) -> None:
    """As many in each second as a wave has."""
    account = Inside.empty(published)
    count = bulk.WAVE * 3
    made = bulk.subscribers(account.shop, count=count, within=within)
    found = list(account.shop.world.table("subscription").values())
    assert len({one["customer"] for one in found}) == len(found) == count
    assert {one["items"]["data"][0]["price"]["id"] for one in found} == {made["monthly"]}
    first = min(one["created"] for one in found)
    since = sorted({one["created"] - first for one in found})
    assert since == pytest.approx(moments, abs=2)
    counts = [sum(one["created"] - first == moment for one in found) for moment in since]
    assert sum(counts) == count
    assert not within or counts == [bulk.WAVE] * 3
