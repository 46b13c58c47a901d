"""The Postgres connection pool and the setup of its connections."""

from typing import TYPE_CHECKING

import asyncpg
import orjson

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

COMMAND_TIMEOUT_SECONDS = 30


async def create_pool(dsn: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """A pool whose connections convert JSON to Python values and use UTC."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        init=_set_up,
        reset=_leave,
        server_settings={"timezone": "UTC", "application_name": "latchkey"},
    )


async def _set_up(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode, decoder=orjson.loads
        )


async def _leave(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skip the round trip in which asyncpg resets session settings, cursors, listeners and session
    locks on release: nothing here uses them. It rolls back open transactions anyway."""


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()
