"""When a lesson opens for a member, and which one they continue with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_DAYS = 3650


@dataclass(frozen=True)
class LessonStep:
    """A lesson as one reader has it. `opens_at` is aware and in UTC; None: it is open from the
    beginning. `done_at` is when they marked it as done."""

    id: str
    title: str
    opens_at: datetime | None
    done_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        return self.opens_at is None or self.opens_at <= now

    @property
    def done(self) -> bool:
        return self.done_at is not None


def opens_at(began: datetime | None, after_days: int) -> datetime | None:
    """When a lesson opens for somebody whose access began then: `after_days` times 24 hours later,
    at the same time of day in UTC. None: from the beginning, also where it isn't known when access
    began, as that of visitors."""
    if began is None or after_days <= 0:
        return None
    return began + timedelta(days=after_days)


def following(
    steps: Sequence[LessonStep], now: datetime, *, after: str | None = None
) -> LessonStep | None:
    """The lesson to continue with: the first one after `after` that is open and not done, else the
    first such one of all; None if there is none."""
    todo = [step for step in steps if step.is_open(now) and not step.done and step.id != after]
    ids = [step.id for step in steps]
    if after in ids:
        place = ids.index(after)
        later = [step for step in todo if ids.index(step.id) > place]
        todo = later or todo
    return todo[0] if todo else None


def opening(steps: Sequence[LessonStep], now: datetime) -> LessonStep | None:
    """The lesson that opens next; None if all are open."""
    closed = [step for step in steps if step.opens_at is not None and not step.is_open(now)]
    return min(closed, key=lambda step: step.opens_at or now, default=None)
