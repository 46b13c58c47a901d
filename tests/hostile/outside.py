"""How the engine reaches a running Latchkey: through its API, its database and its sandbox."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import httpx

from latchkey.store.pool import Connection, Pool
from tests.hostile.truth import Json, Truth

Found = TypeVar("Found")

AWAY = (OSError, TimeoutError, httpx.TransportError, asyncpg.PostgresError, asyncpg.InterfaceError)


class AwayError(Exception):
    """The web process isn't available at the moment."""


@dataclass
class Outside:
    """A running Latchkey. `catch_up` makes it look for missed events at once.

    While processes are killed, calls are repeated for up to `patience` seconds.
    """

    api: httpx.AsyncClient
    pool: Pool
    truth: Truth
    catch_up: Callable[[], Awaitable[None]]
    patience: float = 0.0

    async def call(
        self,
        method: str,
        path: str,
        *,
        done: tuple[int, ...] = (),
        refused: tuple[int, ...] = (),
        **given: Any,
    ) -> Json:
        """Call the JSON API. The statuses in `done` mean that an earlier attempt succeeded; those
        in `refused` are answers too, and empty ones.
        """
        attempts = 0

        async def once() -> Json:
            nonlocal attempts
            attempts += 1
            answer = await self.api.request(method, path, **given)
            if self.patience and answer.status_code in (500, 502, 503):
                raise AwayError
            if answer.status_code in (*refused, *(done if attempts > 1 else ())):
                return {}
            assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else {}

        return await self._patiently(once)

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        async def once() -> list[Any]:
            return list(await self.pool.fetch(query, *values))

        return await self._patiently(once)

    async def commit(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Run some work in one transaction, as Latchkey's own pages do."""

        async def once() -> None:
            async with self.pool.acquire() as connection, connection.transaction():
                await work(connection)

        await self._patiently(once)

    async def _patiently(self, once: Callable[[], Awaitable[Found]]) -> Found:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return await once()
            except (*AWAY, AwayError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
