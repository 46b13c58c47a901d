"""Reproducible random choices: the same seed gives the same run.

Every purpose has its own stream, so what happens in one place, or a moment later, doesn't change
what is decided in another. A decision about one delivery depends on that delivery alone.
"""

import os
import random

_AHEAD = 512


class _System(random.SystemRandom):
    """The system's randomness, taken ahead: an id needs dozens of numbers, and each
    would be a system call."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: list[float] = []

    def random(self) -> float:
        if not self._ahead:
            words = memoryview(os.urandom(8 * _AHEAD)).cast("Q")
            self._ahead = [(word >> 11) * 2**-53 for word in words]
        return self._ahead.pop()


class Dice:
    """Random streams by purpose. Without a seed, each run is different."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._salt = ""
        self._streams: dict[str, random.Random] = {}

    def go_on(self, known: int) -> None:
        """Continue after a restart with `known` objects, so that ids don't repeat."""
        self._salt = f"/{known}"
        self._streams.clear()

    def stream(self, purpose: str) -> random.Random:
        """The stream of a purpose. Without a seed, ids come from the system's randomness."""
        found = self._streams.get(purpose)
        if found is None:
            if self._seed is not None:
                found = random.Random(f"{self._seed}{self._salt}/{purpose}")
            else:
                found = _System() if purpose.startswith("ids") else random.Random()
            self._streams[purpose] = found
        return found

    def about(self, purpose: str, subject: str) -> random.Random:
        """A stream for one subject alone, the same whenever it is requested."""
        if self._seed is None:
            return self.stream(purpose)
        return random.Random(f"{self._seed}{self._salt}/{purpose}/{subject}")
