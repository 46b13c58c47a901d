"""The Postgres connection pool and the setup of its connections."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from asyncpg.transaction import Transaction

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

COMMAND_TIMEOUT_SECONDS = 30

before_commit: ContextVar[Callable[[Connection], Awaitable[None]] | None] = ContextVar(
    "before_commit", default=None
)
"""What the current task adds to each of its transactions, as the last thing before the commit. An
error in it rolls the transaction back. It isn't called where an error has rolled it back already,
though the task goes on."""


class _HookedTransaction(Transaction):
    """A transaction that calls `before_commit`. Savepoints don't."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", *options: Any) -> None:
        super().__init__(connection, *options)
        self.connection = connection
        self.outermost = False

    async def __aenter__(self) -> None:
        self.outermost = not self.connection.is_in_transaction()
        await super().__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        hook = before_commit.get()
        if hook is not None and kind is None and self.outermost:
            try:
                with suppress(asyncpg.InFailedSQLTransactionError):
                    await hook(self.connection)
            except BaseException as failure:
                await super().__aexit__(type(failure), failure, failure.__traceback__)
                raise
        await super().__aexit__(kind, error, trace)


class _HookedConnection(asyncpg.Connection):
    def transaction(
        self, *, isolation: Any = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        return _HookedTransaction(self, isolation, readonly, deferrable)


async def create_pool(dsn: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """A pool whose connections convert JSON to Python values and use UTC."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        connection_class=_HookedConnection,
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
