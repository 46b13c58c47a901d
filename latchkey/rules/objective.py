"""The promise to buyers, and how much of it is kept: what they bought opens within a second."""

from dataclasses import dataclass

WITHIN_SECONDS = 1.0
GOAL_PER_MILLE = 990
"""So many purchases of a thousand open in time."""


@dataclass(frozen=True)
class InTime:
    """How many purchases of a time there were, and how many opened in time."""

    total: int
    in_time: int

    @property
    def late(self) -> int:
        return self.total - self.in_time

    @property
    def share(self) -> float | None:
        """The share that opened in time, as a percentage; None where nothing was bought."""
        return 100 * self.in_time / self.total if self.total else None

    @property
    def allowed(self) -> int:
        """How many could be late: the error budget."""
        return self.total * (1000 - GOAL_PER_MILLE) // 1000

    @property
    def met(self) -> bool:
        return self.late <= self.allowed

    @property
    def left(self) -> int:
        """How many more can be late; 0 where the budget is spent."""
        return max(0, self.allowed - self.late)
