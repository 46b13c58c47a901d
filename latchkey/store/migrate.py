"""Numbered SQL migrations: applied in order, once each, each in its own transaction."""

import asyncio
import math
import re
import time
from importlib import resources

import asyncpg
import structlog

from latchkey.store import address_keys
from latchkey.store.pool import Connection

_NAME = re.compile(r"^(\d{4})_\w+\.sql$")
_SECOND_PARTS = {
    "0040_address_keys": address_keys.recompute,
    "0060_more_address_keys": address_keys.recompute_elsewhere,
}
"""What a migration does in Python after its SQL, in the same transaction."""

_LOCK = 0x6C617463
"""Advisory lock, so that processes that start at the same time migrate one after the other."""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionDoesNotExistError,
)
PAUSE_SECONDS, SAY_EVERY_SECONDS = 0.5, 30.0

log = structlog.get_logger("migrate")


class MigrationError(Exception):
    """The database can't be migrated to this release. The message says what to do."""


def migrations() -> list[tuple[str, str]]:
    """All migrations of this release in order, as (name, SQL)."""
    folder = resources.files("latchkey.store") / "migrations"
    files = [entry for entry in folder.iterdir() if _NAME.match(entry.name)]
    return [
        (entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in sorted(files, key=lambda entry: entry.name)
    ]


async def pending(dsn: str) -> list[str]:
    """Names of the migrations that the database at `dsn` lacks."""
    connection = await asyncpg.connect(dsn)
    try:
        return await missing(connection)
    finally:
        await connection.close()


async def missing(connection: Connection) -> list[str]:
    """Names of the migrations that a connection's database lacks."""
    done = await _applied(connection)
    return [name for name, _ in migrations() if name not in done]


async def await_current(dsn: str, *, seconds: float | None = None) -> None:
    """Wait until the database accepts connections, and check that it has all migrations.

    Says what it waits for. Raises `MigrationError` if migrations are missing; `OSError` or
    `asyncpg.PostgresError` if the database can't be reached within `seconds`, if given, or refuses
    for a reason that waiting doesn't mend.
    """
    began = time.monotonic()
    said_at = -math.inf
    while True:
        try:
            missing_ones = await pending(dsn)
        except _AWAY as error:
            now = time.monotonic()
            if seconds is not None and now - began > seconds:
                raise
            if now - said_at > SAY_EVERY_SECONDS:
                said_at = now
                log.warning("waiting for Postgres", error=str(error) or type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if missing_ones:
            raise MigrationError(
                f"the database lacks {', '.join(missing_ones)}: run `latchkey migrate` first"
            )
        return


async def migrate(dsn: str) -> list[str]:
    """Migrate the database at `dsn` to this release and return the names of the applied migrations.

    Raises `MigrationError` if the database is newer than this release.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists schema_migrations"
            " (name text primary key, applied_at timestamptz not null default now())"
        )
        done = await _applied(connection)
        known = migrations()
        if unknown := done - {name for name, _ in known}:
            raise MigrationError(
                "the database has migrations this release doesn't know"
                f" ({', '.join(sorted(unknown))}): run"
                " the newer release, or restore the backup taken before it"
            )
        applied = []
        for name, sql in known:
            if name in done:
                continue
            async with connection.transaction():
                await connection.execute(sql)
                if name in _SECOND_PARTS:
                    await _SECOND_PARTS[name](connection)
                await connection.execute("insert into schema_migrations (name) values ($1)", name)
            applied.append(name)
        return applied
    finally:
        await connection.close()


async def _applied(connection: Connection) -> set[str]:
    if await connection.fetchval("select to_regclass('schema_migrations')") is None:
        return set()
    return {row["name"] for row in await connection.fetch("select name from schema_migrations")}
