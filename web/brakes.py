"""Slows down requests that come too often from one network, without locking out others in it."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Brake:
    """How long repeated tries from one network wait.

    The first `free` tries, within the period that the caller counts, pass at once. Each further one
    waits `step` seconds longer than the one before, up to `longest`. At most `most` of a network's
    tries wait at the same time.
    """

    free: int
    step: float
    longest: float
    most: int
    _waiting: Counter[str] = field(default_factory=Counter)

    def pause(self, tries: int) -> float:
        """How many seconds the last of this many tries waits."""
        return min(max(tries - self.free, 0) * self.step, self.longest)

    async def wait(self, network: str, tries: int) -> bool:
        """Wait for the pause. Returns False at once if too many tries are waiting already. Don't
        hold a database connection meanwhile."""
        seconds = self.pause(tries)
        if not seconds:
            return True
        if self._waiting[network] >= self.most:
            return False
        self._waiting[network] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]
        return True
