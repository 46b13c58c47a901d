"""How the engine reaches a running Latchkey: its API, its database, its sandbox."""

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
    """The web process can't serve for now."""


@dataclass
class Outside:
    """`catch_up` has Latchkey look for missed events at once. Where processes are killed meanwhile,
    what finds them away is tried again for `patience` seconds."""

    api: httpx.AsyncClient
    pool: Pool
    truth: Truth
    catch_up: Callable[[], Awaitable[None]]
    patience: float = 0.0

    async def call(
        self, method: str, path: str, *, done: tuple[int, ...] = (), **given: Any
    ) -> Json:
        """A call of the JSON API. The statuses in `done` are a success of an attempt before."""
        attempts = 0

        async def once() -> Json:
            nonlocal attempts
            attempts += 1
            answer = await self.api.request(method, path, **given)
            if self.patience and answer.status_code in (500, 502, 503):
                raise AwayError
            if attempts > 1 and answer.status_code in done:
                return {}
            assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else {}

        return await self._patiently(once)

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        async def once() -> list[Any]:
            return list(await self.pool.fetch(query, *values))

        return await self._patiently(once)

    async def commit(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Some work in one transaction, as a page of Latchkey's does it."""

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
