"""Signing keys: which signs, which are published, and when the next one is made."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.signing import AHEAD, KEPT, SIGNS, KeyTime, plan

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def test_a_site_without_keys_makes_one_that_signs_at_once() -> None:
    assert plan([], START).next_from == START
    first = plan([KeyTime("a", START)], START)
    assert (first.current, first.published, first.next_from) == ("a", ("a",), None)


def test_the_next_key_is_published_before_it_signs() -> None:
    due = START + SIGNS - AHEAD
    keys = [KeyTime("a", START)]
    assert plan(keys, due - SECOND).next_from is None
    assert plan(keys, due).next_from == START + SIGNS
    both = [*keys, KeyTime("b", START + SIGNS)]
    meanwhile = plan(both, due)
    assert (meanwhile.current, meanwhile.published) == ("a", ("a", "b"))
    assert meanwhile.next_from is None


def test_a_key_that_is_made_late_is_published_as_long_before_it_signs() -> None:
    late = START + SIGNS * 3
    wanted = plan([KeyTime("a", START)], late)
    assert (wanted.current, wanted.next_from) == ("a", late + AHEAD)


def test_an_old_key_stays_until_nothing_that_it_signed_is_valid() -> None:
    keys = [KeyTime("a", START), KeyTime("b", START + SIGNS)]
    end = START + SIGNS + KEPT
    assert plan(keys, end - SECOND).published == ("a", "b")
    after = plan(keys, end)
    assert (after.current, after.published, after.over) == ("b", ("b",), ("a",))


@given(st.lists(st.floats(0, 400), min_size=1, max_size=6), st.floats(0, 900))
def test_there_is_always_a_key_that_signs_and_it_is_published(
    begins: list[float], now: float
) -> None:
    keys = [KeyTime(str(n), at(begin)) for n, begin in enumerate(begins)]
    wanted = plan(keys, at(now))
    assert {*wanted.published, *wanted.over} == {key.id for key in keys}
    if wanted.current is None:
        assert wanted.next_from == at(now)
    else:
        assert wanted.current in wanted.published
        assert wanted.next_from is None or wanted.next_from >= at(now) + AHEAD
