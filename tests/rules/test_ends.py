"""The two moments of an end: it is done after its grant began and after it was due."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.ends import end_of

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
moments = st.integers(-(10**6), 10**6).map(lambda n: BEGIN + timedelta(seconds=n))


@given(moments, st.none() | moments, st.none() | moments, moments)
def test_an_end_is_done_after_its_grant_and_not_before_it_was_due(
    since: datetime, until: datetime | None, due: datetime | None, as_of: datetime
) -> None:
    end = end_of(since=since, until=until, due=due, as_of=as_of)
    assert end.done >= since
    assert end.due is None or end.due <= end.done
    assert end.done in (since, until, as_of)
    assert end.due in (None, due, end.done)


def test_what_is_noticed_late_was_open_until_then() -> None:
    noticed = BEGIN + timedelta(hours=3)
    due = BEGIN + timedelta(hours=1)
    late = end_of(since=BEGIN, until=None, due=due, as_of=noticed)
    assert (late.done, late.due) == (noticed, due)
    by_clock = end_of(since=BEGIN, until=due, due=due, as_of=noticed)
    assert (by_clock.done, by_clock.due) == (due, due), "the door closed by itself"
