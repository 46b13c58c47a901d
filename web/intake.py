"""Stores webhooks that arrive at the same time by one statement."""

import asyncio
from datetime import timedelta

import asyncpg

from latchkey.store.pool import Pool
from latchkey.store.stripe import inbox

WRITERS = 4
"""How many statements are under way at most. What arrives meanwhile shares the next one."""

MOST = 50
"""How many events share one at most."""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""Errors that aren't about any of the events."""

_Arrived = tuple[inbox.Arrival, "asyncio.Future[timedelta | None]"]


class Intake:
    """The inbox of one web process. A quiet site stores each event by itself, and at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._arrived: list[_Arrived] = []
        self._writers: set[asyncio.Task[None]] = set()

    async def store(self, event: inbox.Arrival) -> timedelta | None:
        """What `inbox.store` does, with what arrives at the same time. It has been committed when
        this returns, and its errors are those of this event alone, unless the database is away."""
        stored: asyncio.Future[timedelta | None] = asyncio.get_running_loop().create_future()
        self._arrived.append((event, stored))
        if len(self._writers) < WRITERS:
            writer = asyncio.create_task(self._write())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await stored

    async def _write(self) -> None:
        while self._arrived:
            together, self._arrived = self._arrived[:MOST], self._arrived[MOST:]
            await self._stored(together)

    async def _stored(self, together: list[_Arrived]) -> None:
        try:
            due = await inbox.store(self._pool, [event for event, _ in together])
        except BaseException as error:
            if len(together) > 1 and isinstance(error, Exception) and not isinstance(error, _AWAY):
                for one in together:
                    await self._stored([one])
                return
            _fail(together, error)
            if not isinstance(error, Exception):
                raise
        else:
            for event, stored in together:
                if not stored.done():
                    stored.set_result(due.get(event.id))


def _fail(together: list[_Arrived], error: BaseException) -> None:
    for _, stored in together:
        if not stored.done():
            stored.set_exception(error)
