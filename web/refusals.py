"""Counts refused webhooks in memory and writes them down now and then.

A flood of forged requests costs the database one statement a second, not one each.
"""

from collections import Counter

from latchkey.store.pool import Pool
from latchkey.store.stripe import refused_webhooks


class Refusals:
    """The counts of one web process."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, code: str) -> None:
        self._counts[code] += 1

    async def flush(self, pool: Pool) -> None:
        """Write down what was counted since; it is counted on where that fails."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            async with pool.acquire() as connection:
                await refused_webhooks.add(connection, counts)
        except BaseException:
            self._counts.update(counts)
            raise
