"""The Stripe account and mode being worked on, and the context of an apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import Cause


@dataclass(frozen=True)
class Account:
    """A Stripe account and mode."""

    id: str
    livemode: bool

    def __str__(self) -> str:
        return f"{self.id} in {'live' if self.livemode else 'test'} mode"


@dataclass(frozen=True)
class ApplyContext:
    """The context of an apply: its reading's ticket (a fencing token), the time to judge at (UTC)
    and the cause."""

    account: Account
    ticket: int
    as_of: datetime
    cause: Cause
    event_ids: Sequence[str] = ()

    @property
    def event_id(self) -> str | None:
        return self.event_ids[0] if self.event_ids else None
