"""Leases of the rate at Stripe, from the row that all processes share."""

from dataclasses import asdict
from datetime import datetime

from latchkey.store.pool import Pool
from latchkey.store.stripe import rate
from latchkey.stripe_rate import BURST_SECONDS, Ask, Lease, Lend


def lender(pool: Pool, limit: float) -> Lend:
    """Lends parts of `limit` calls per second for the whole cluster."""

    async def lend(asked: Ask) -> Lease | None:
        return await lent(pool, limit, asked)

    return lend


async def lent(pool: Pool, limit: float, asked: Ask, *, at: datetime | None = None) -> Lease | None:
    """One lease; None if the row is locked. `at` is the time to count with, by default now."""
    capacity = max(2.0, limit * BURST_SECONDS)
    wanted = asdict(asked) | {"kept": asked.kept * capacity}
    async with pool.acquire() as connection:
        found = await rate.lease(connection, limit=limit, capacity=capacity, at=at, **wanted)
    return None if found is None else Lease(*found)
