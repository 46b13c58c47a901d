"""Chance that can be fixed: one seed, one run.

Every purpose has its own stream, so that what happens in one place (or comes a moment later)
doesn't change what is decided in another; a decision about one delivery is its own, whenever it
falls.
"""

import random


class Dice:
    """Streams of chance. Without a seed each run is another one."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._salt = ""
        self._streams: dict[str, random.Random] = {}

    def go_on(self, known: int) -> None:
        """After a restart with `known` things: not the same ids again."""
        self._salt = f"/{known}"
        self._streams.clear()

    def stream(self, purpose: str) -> random.Random:
        """The stream of a purpose; ids (of a prefix) come from the system where there is no
        seed."""
        found = self._streams.get(purpose)
        if found is None:
            if self._seed is not None:
                found = random.Random(f"{self._seed}{self._salt}/{purpose}")
            else:
                found = random.SystemRandom() if purpose.startswith("ids") else random.Random()
            self._streams[purpose] = found
        return found

    def about(self, purpose: str, subject: str) -> random.Random:
        """A stream for one subject alone, the same whenever it is asked for."""
        if self._seed is None:
            return self.stream(purpose)
        return random.Random(f"{self._seed}{self._salt}/{purpose}/{subject}")
