"""Many subscribers who are made at once."""

import time
from typing import Any

import pytest

from sandbox import bulk
from sandbox.clock import Clock
from sandbox.schema import Published
from tests.harness import Json
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


def test_lists_by_a_period_find_what_reading_them_all_finds(published: Published) -> None:
    """Also after renewals, after changes of single ones, and on other pages than the first."""
    account = Inside.empty(published)
    bulk.subscribers(account.shop, count=bulk.WAVE * 2, within=900)
    compare(account)
    Clock(account.shop, lambda: None).advance(31 * 86400)
    compare(account)
    for one in everything(account)[:3]:
        account.make(f"subscriptions/{one['id']}", trial_end=int(time.time()) + 86400)
    compare(account)


def compare(account: Inside) -> None:
    """Lists by several ranges of both ends of a period, against all subscriptions."""
    for name in ("current_period_start", "current_period_end"):
        times = {one["id"]: one["items"]["data"][0][name] for one in everything(account)}
        known = sorted(set(times.values()))
        middle = known[len(known) // 2]
        for wanted, fits in (
            ({"gte": known[0], "lte": middle}, lambda at, m=middle: at <= m),
            ({"gt": known[0], "lt": middle}, lambda at, k=known[0], m=middle: k < at < m),
            ({"gt": middle}, lambda at, m=middle: at > m),
            (middle, lambda at, m=middle: at == m),
        ):
            found = everything(account, **{name: wanted})
            assert [one["id"] for one in found] == [key for key, at in times.items() if fits(at)]


def everything(account: Inside, **wanted: Any) -> list[Json]:
    """The subscriptions of such a list, page by page."""
    found: list[Json] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = account.get("subscriptions", status="all", limit=30, **wanted, **after)
        found += page["data"]
        if not page["has_more"]:
            return found
