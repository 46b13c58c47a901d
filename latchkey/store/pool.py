"""The Postgres connection pool and the setup of its connections."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from contextvars import ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
from asyncpg.transaction import Transaction

from latchkey import tracing

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

COMMAND_TIMEOUT_SECONDS = 30
WEB_CONNECTIONS, WORKER_CONNECTIONS, COMMAND_CONNECTIONS = 20, 16, 4
"""How many connections a web process, a worker, and the commands beside them have at most."""

DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""Errors that aren't about what was asked: Postgres isn't reached, lets nobody in, stops, takes no
writes, has no room, or can't read its disk. A connection that is cut while it prepares a statement
raises asyncpg's internal error."""
DATABASE_FAILED = (*DATABASE_AWAY, asyncpg.PostgresError)
"""All that the database can fail with, also because of what was asked."""
_NO_STATEMENTS = "statement_cache_size=0"
"""What a database URL has in its query where pgbouncer gives each transaction another connection,
so that none can prepare statements for later."""

_TAKES_NO_WRITES = ("in_hot_standby", "default_transaction_read_only")
"""What Postgres tells each connection, now and whenever it changes: `on` in a standby, and where
writes were turned off, as providers do for a disk that is full."""

_FIRST_ADDED_TYPE = 16384
"""Types with a smaller number come with Postgres and are the same in each database."""

_types: dict[int, asyncpg.Record] = {}
"""What the connections of this process have found out about those, by number."""

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
        self.span = tracing.span("transaction")

    async def __aenter__(self) -> None:
        self.outermost = not self.connection.is_in_transaction()
        await super().__aenter__()
        self.span.__enter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._finish(kind, error, trace)
        finally:
            self.span.__exit__(kind, error, trace)

    async def _finish(self, kind: Any, error: Any, trace: Any) -> None:
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
    prepares = True
    """Whether statements can be prepared for later."""

    def transaction(
        self, *, isolation: Any = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        return _HookedTransaction(self, isolation, readonly, deferrable)

    async def _introspect_types(self, typeoids: Collection[int], timeout: float | None) -> Any:
        """Ask Postgres only about types that no connection has asked about. asyncpg asks in each
        connection, also about arrays of times, which costs Postgres more than a purchase."""
        unknown = [oid for oid in typeoids if oid not in _types]
        rows: list[asyncpg.Record] = []
        answered: Any = SimpleNamespace(name="none was needed")
        if unknown:
            ask = super()._introspect_types  # type: ignore[misc]
            rows, answered = await ask(unknown, timeout)
            _types.update({row["oid"]: row for row in rows if row["oid"] < _FIRST_ADDED_TYPE})
        known = [_types[oid] for oid in typeoids if oid not in unknown]
        return rows + known, answered


class _PooledConnection(_HookedConnection):
    prepares = False


def is_pooled(dsn: str) -> bool:
    """Whether a database URL says that it leads to pgbouncer in transaction mode."""
    return _NO_STATEMENTS in urlsplit(dsn).query.split("&")


async def connect(dsn: str, *, timeout: float = 60) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection without conversions, for a look or for work that isn't the site's."""
    address, options = _read(dsn)
    return await asyncpg.connect(address, timeout=timeout, **options)


def _read(dsn: str) -> tuple[str, dict[str, Any]]:
    """The URL that Postgres' own programs understand, too, and asyncpg's options."""
    if not is_pooled(dsn):
        return dsn, {}
    parts = urlsplit(dsn)
    rest = [part for part in parts.query.split("&") if part != _NO_STATEMENTS]
    return urlunsplit(parts._replace(query="&".join(rest))), {"statement_cache_size": 0}


async def create_pool(dsn: str, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """A pool whose connections convert JSON to Python values and use UTC."""
    address, options = _read(dsn)
    return await asyncpg.create_pool(
        address,
        min_size=min_size,
        max_size=max_size,
        connection_class=_PooledConnection if options else _HookedConnection,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        init=_set_up,
        reset=_leave,
        server_settings={"timezone": "UTC", "application_name": "latchkey"},
        **options,
    )


async def keep_plans(connection: Connection) -> None:
    """Have the rest of the transaction use plans that are made once, for any values. It is for the
    many small statements about one object: Postgres would plan them again each time, which costs
    more than they do."""
    if getattr(connection, "prepares", True):
        await connection.execute("set local plan_cache_mode = force_generic_plan")


async def _set_up(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode, decoder=orjson.loads
        )


async def _leave(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skip the round trip in which asyncpg resets session settings, cursors, listeners and session
    locks on release: nothing here uses them. It rolls back open transactions anyway.

    A connection that takes no writes isn't kept: the next one may lead to the new primary, or begin
    after writes were turned on again."""
    if is_read_only(connection):
        connection.terminate()


def is_read_only(connection: Connection) -> bool:
    """Whether the server takes no writes from this connection, by what it has told."""
    told = connection.get_settings()
    return any(getattr(told, name, "off") == "on" for name in _TAKES_NO_WRITES)


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()
