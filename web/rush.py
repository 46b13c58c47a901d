"""Whether objects come so fast that they had better be handed over together, before many wait."""

from typing import Literal

ONE_BY_ONE = 1.5
"""How many times the threshold of bursts can be read one by one in a second, about."""

AHEAD = 0.5
"""How much of the threshold may have come beyond that."""


class Rush:
    """A bucket that is filled by what comes, and that leaks as fast as objects can be read one by
    one.

    Where the threshold of bursts waits to be read, each of them has waited for all those before it.
    This tells it earlier, from how fast they come.
    """

    def __init__(self, burst_from: int | Literal["off"]) -> None:
        self._burst_from = burst_from
        self._level = 0.0
        self._at = 0.0

    def came(self, count: int, *, at: float) -> bool:
        """Note that so many objects have come at a moment, in seconds of a clock that isn't set
        back. Whether that is a rush."""
        if self._burst_from == "off":
            return False
        leaked = (at - self._at) * ONE_BY_ONE * self._burst_from
        self._level = min(max(0.0, self._level - leaked) + count, self._burst_from)
        self._at = at
        return self._level > AHEAD * self._burst_from
