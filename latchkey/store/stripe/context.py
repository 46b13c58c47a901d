"""The Stripe account and mode being worked on, and the context of an apply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from latchkey.rules.vocabulary import Cause


@dataclass(frozen=True)
class Account:
    """A Stripe account and mode."""

    id: str
    livemode: bool

    def __str__(self) -> str:
        return f"{self.id} in {'live' if self.livemode else 'test'} mode"


class ReadBy(StrEnum):
    """Who read: the object's own run, a burst, of which the run knows nothing, or another one, such
    as an import, which leaves what is known about the run as it is."""

    RUN = "run"
    BURST = "burst"
    OTHER = "other"


@dataclass(frozen=True)
class ApplyContext:
    """The context of an apply: its reading's ticket (a fencing token), the time to judge at (UTC)
    and the cause. `event_ids` are all the events that it serves; where it reads several objects,
    `events_of` has those of each. `arrivals` says when they arrived, by this process's
    `time.perf_counter`."""

    account: Account
    ticket: int
    as_of: datetime
    cause: Cause
    event_ids: Sequence[str] = ()
    events_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read_by: ReadBy = ReadBy.OTHER
    arrivals: Mapping[str, float] = field(default_factory=dict)

    def event_of(self, object_id: str) -> str | None:
        """The event that caused the reading of an object, None if no event did."""
        ids = self.events_of.get(object_id, ()) if self.events_of else self.event_ids
        return ids[0] if ids else None
