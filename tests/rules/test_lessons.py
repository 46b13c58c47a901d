"""When lessons open, and which one comes next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.lessons import MOST_DAYS, LessonStep, following, opening, opens_at

BEGAN = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
moments = st.integers(-(10**7), 10**7).map(lambda n: BEGAN + timedelta(seconds=n))
days = st.integers(0, MOST_DAYS)


@st.composite
def courses(draw: st.DrawFn) -> list[LessonStep]:
    count = draw(st.integers(0, 6))
    return [
        LessonStep(
            str(n), f"Lesson {n}", draw(st.none() | moments), draw(st.none() | st.just(BEGAN))
        )
        for n in range(count)
    ]


@given(moments, days)
def test_a_lesson_opens_whole_days_after_access_began_and_never_before(
    began: datetime, after: int
) -> None:
    moment = opens_at(began, after)
    assert moment == (began + timedelta(hours=24 * after) if after else None)
    step = LessonStep("1", "One", moment, None)
    assert step.is_open(began) is (after == 0)
    assert step.is_open(began + timedelta(days=after))
    assert not after or not step.is_open(began + timedelta(days=after, microseconds=-1))


@given(moments, days, days)
def test_what_opens_later_never_opens_sooner(began: datetime, one: int, other: int) -> None:
    early, late = sorted((one, other))
    step = LessonStep("1", "One", opens_at(began, late), None)
    assert not step.is_open(began) or late == 0
    first, last = opens_at(began, early) or began, opens_at(began, late) or began
    assert first <= last


@given(days)
def test_where_the_beginning_isnt_known_everything_is_open(after: int) -> None:
    assert opens_at(None, after) is None


@given(courses(), moments, st.none() | st.integers(0, 6).map(str))
def test_the_next_lesson_is_open_and_not_done(
    steps: list[LessonStep], now: datetime, after: str | None
) -> None:
    found = following(steps, now, after=after)
    candidates = [s for s in steps if s.is_open(now) and s.done_at is None and s.id != after]
    if found is None:
        assert candidates == []
        return
    assert found in candidates
    later = [step for step in candidates if after is not None and int(step.id) > int(after)]
    known = after in {step.id for step in steps}
    assert found == (later[0] if known and later else candidates[0])


@given(courses(), moments)
def test_what_opens_next_is_the_earliest_that_is_closed(
    steps: list[LessonStep], now: datetime
) -> None:
    found = opening(steps, now)
    closed = sorted(s.opens_at for s in steps if s.opens_at is not None and s.opens_at > now)
    assert (found.opens_at if found else None) == (closed[0] if closed else None)
