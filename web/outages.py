"""Notices that a server is away, so that what waits for it isn't tried one by one all the time."""

import time
from dataclasses import dataclass

AFTER = 16
"""How many tries in a row have to fail. Fewer may be about single objects."""

PAUSE_SECONDS = 1.0


@dataclass
class Outage:
    """Whether a server is away, by the tries of one process, and when it may be tried again."""

    failures: int = 0
    tried_at: float = 0.0

    @property
    def lasts(self) -> bool:
        return self.failures >= AFTER

    @property
    def may_try(self) -> bool:
        """False during an outage, but for one moment in each pause."""
        return not self.lasts or time.monotonic() - self.tried_at >= PAUSE_SECONDS

    def failed(self) -> None:
        self.failures += 1
        self.tried_at = time.monotonic()

    def ended(self) -> bool:
        """Note that a try succeeded. True if that ends an outage."""
        lasted, self.failures = self.lasts, 0
        return lasted
