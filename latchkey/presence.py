"""A process reports itself to the database, so that Health and doctor see its loops."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from latchkey.store.checks import processes
from latchkey.store.pool import DATABASE_FAILED, Pool
from latchkey.supervision import LoopSupervisor


@asynccontextmanager
async def reported(pool: Pool, supervisor: LoopSupervisor, *, kind: str) -> AsyncIterator[None]:
    """Report this process (`kind` is web or worker) until the block ends."""
    process_id = f"{kind}-{secrets.token_hex(6)}"
    release = version("latchkey")

    async def report() -> bool:
        async with pool.acquire() as connection:
            await processes.report(
                connection,
                process_id,
                kind=kind,
                release=release,
                stuck=[loop.name for loop in supervisor.stuck],
            )
        return False

    reporting = asyncio.create_task(
        supervisor.repeat("presence", report, every=processes.REPORT_SECONDS)
    )
    try:
        yield
    finally:
        supervisor.stop()
        await asyncio.wait([reporting], timeout=10)
        with suppress(*DATABASE_FAILED):
            async with pool.acquire() as connection:
                await processes.leave(connection, process_id)
