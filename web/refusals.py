"""Counts refused webhooks in memory and stores the counts periodically.

A flood of forged requests costs the database one statement per second, not one per request.
"""

from collections import Counter

from latchkey.store.pool import Pool
from latchkey.store.stripe import refused_webhooks


class Refusals:
    """The counters of one web process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, code: str) -> None:
        self._counts[code] += 1

    async def flush(self, pool: Pool) -> None:
        """Store the counts since the last flush. If that fails, they are kept for the next one."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            async with pool.acquire() as connection:
                await refused_webhooks.add(connection, counts)
        except BaseException:
            self._counts.update(counts)
            raise
