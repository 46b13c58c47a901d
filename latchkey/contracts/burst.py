"""Inputs and results of `Burst` and `Lifecycles`."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BurstObject:
    """One object of a burst, and the events that it was handed over for. `kind` is `subscription`
    or `purchase`."""

    kind: str
    id: str
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None


@dataclass(frozen=True)
class BurstInput:
    """Read these objects and apply them together."""

    objects: list[BurstObject]


@dataclass(frozen=True)
class BurstResult:
    """How many objects were applied, and how many were left to their own runs; `reads` counts the
    calls to Stripe. The others had been read by somebody else."""

    applied: int
    aside: int
    reads: int


def event_ids(objects: Sequence[BurstObject]) -> list[str]:
    """The events of all these objects."""
    return [event_id for found in objects for event_id in found.event_ids]
