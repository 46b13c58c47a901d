"""Inputs and results of `PolicyChange` and `GrantEndings`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PolicyStep(StrEnum):
    """What a policy change is applied to, in this order."""

    SUBSCRIPTIONS = "subscriptions"
    ORDERS = "orders"
    DONE = "done"


@dataclass
class PolicyChangeState:
    """The progress of a policy change, carried through continue-as-new."""

    change_id: int
    step: PolicyStep = PolicyStep.SUBSCRIPTIONS
    cursor: str | None = None
    checked: int = 0
    granted: int = 0
    ended: int = 0


@dataclass(frozen=True)
class PolicyPageInput:
    """Apply the policy to the page after `cursor`. The counts exclude this page, so applying it
    again doesn't count anything twice."""

    change_id: int
    step: PolicyStep
    as_of: datetime
    cursor: str | None = None
    checked: int = 0
    granted: int = 0
    ended: int = 0


@dataclass(frozen=True)
class PolicyPageResult:
    """Where the next page starts, and the counts including this one."""

    step: PolicyStep
    cursor: str | None
    checked: int
    granted: int
    ended: int


@dataclass
class GrantEndingsState:
    """`nudged`: an end has been set since the last look."""

    nudged: bool = True


@dataclass(frozen=True)
class DueGrantsInput:
    """End complimentary access that is due by `as_of`."""

    as_of: datetime


@dataclass(frozen=True)
class DueGrantsResult:
    """How many grants ended, and when the next one is due (None if no end is set)."""

    ended: int
    next_at: datetime | None
