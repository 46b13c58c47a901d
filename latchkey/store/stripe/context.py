"""The Stripe account and mode at hand, and why an apply happens now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import Cause


@dataclass(frozen=True)
class Account:
    """The Stripe account and mode that everything at hand belongs to."""

    id: str
    livemode: bool

    def __str__(self) -> str:
        return f"{self.id} in {'live' if self.livemode else 'test'} mode"


@dataclass(frozen=True)
class ApplyContext:
    """Why an apply happens now: its reading's ticket, the judged moment (UTC) and the cause."""

    account: Account
    ticket: int
    as_of: datetime
    cause: Cause
    event_ids: Sequence[str] = ()

    @property
    def event_id(self) -> str | None:
        return self.event_ids[0] if self.event_ids else None
