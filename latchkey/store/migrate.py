"""Numbered SQL migrations: applied in order, once each, while the site runs."""

import asyncio
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version

import asyncpg
import structlog

from latchkey.store import address_keys, backups
from latchkey.store.pool import Connection, connect, is_pooled

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
LOCK_MILLISECONDS, LOCK_PAUSE_SECONDS, LOCKED_SECONDS = 2000, 2.0, 600
_BUILT = re.compile(r"create (?:unique )?index concurrently if not exists (\w+)", re.I)

log = structlog.get_logger("migrate")


class MigrationError(Exception):
    """The database can't be migrated to this release. The message says what to do."""


@dataclass(frozen=True)
class Migration:
    """One numbered file. Its first lines may say, as comments, how it has to be applied:

    - `outside a transaction`: one statement after the other, each repeatable, for indexes that are
      built while the site runs (`create index concurrently if not exists`);
    - `oldest release: 1.2.0`: releases before that one can't work with the migrated database. The
      others can, so that a deploy may go through web and workers one by one, and back.
    """

    name: str
    sql: str

    @property
    def in_transaction(self) -> bool:
        return not self.sql.startswith("-- outside a transaction")

    @property
    def oldest_release(self) -> str | None:
        found = re.search(r"^-- oldest release: (\d+\.\d+\.\d+)$", self.sql, re.M)
        return found[1] if found else None


def migrations() -> list[Migration]:
    """All migrations of this release, in order."""
    folder = resources.files("latchkey.store") / "migrations"
    files = [entry for entry in folder.iterdir() if _NAME.match(entry.name)]
    return [
        Migration(entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in sorted(files, key=lambda entry: entry.name)
    ]


async def pending(dsn: str) -> list[str]:
    """Names of the migrations that the database at `dsn` lacks."""
    connection = await connect(dsn)
    try:
        return await missing(connection)
    finally:
        await connection.close()


async def missing(connection: Connection) -> list[str]:
    """Names of the migrations that a connection's database lacks. Raises `MigrationError` if it is
    too new for this release, or is being restored."""
    await _check_whole(connection)
    applied = await _applied(connection)
    check_age(applied)
    return [migration.name for migration in migrations() if migration.name not in applied]


async def _check_whole(connection: Connection) -> None:
    """Raise `MigrationError` while the database is being restored."""
    if await connection.fetchval("select to_regnamespace($1) is not null", backups.RESTORING):
        raise MigrationError(
            "the database is being restored, or that was interrupted: wait until `latchkey"
            " restore` has ended, or drop the database, create it and restore it again"
        )


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


async def migrate(dsn: str, *, restoring: bool = False) -> list[str]:
    """Migrate the database at `dsn` to this release and return the names of the applied migrations.

    A database that a newer release has migrated is left as it is. `restoring` is for the restore
    itself. Raises `MigrationError` if that release excluded this one, if the database is being
    restored by somebody else, or if other transactions keep a migration from its locks.
    """
    if is_pooled(dsn):
        raise MigrationError(
            "migrations need Postgres itself: give an address that doesn't lead through pgbouncer,"
            " without statement_cache_size=0"
        )
    connection = await connect(dsn)
    try:
        if not restoring:
            await _check_whole(connection)
        await _alone(connection)
        await connection.execute(
            "create table if not exists schema_migrations (name text primary key,"
            " applied_at timestamptz not null default now(), oldest_release text)"
        )
        await connection.execute(
            "alter table schema_migrations add column if not exists oldest_release text"
        )
        applied = await _applied(connection)
        check_age(applied)
        new = [migration for migration in migrations() if migration.name not in applied]
        for migration in new:
            if migration.in_transaction:
                await _apply(connection, migration)
            else:
                await _apply_by_statement(connection, migration)
        return [migration.name for migration in new]
    finally:
        await connection.close()


async def _alone(connection: Connection) -> None:
    """Wait for other processes that migrate. A query that waits would hold a snapshot, for which
    `create index concurrently` waits in turn, so this asks again and again."""
    while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
        await asyncio.sleep(PAUSE_SECONDS)


async def _apply(connection: Connection, migration: Migration) -> None:
    """Apply a migration without holding up the site: whoever waits for a table's lock keeps all
    later readers waiting, so each wait is short, and what was done is rolled back and tried
    again."""
    began = time.monotonic()
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
                await connection.execute(migration.sql)
                if migration.name in _SECOND_PARTS:
                    await _SECOND_PARTS[migration.name](connection)
                await _record(connection, migration)
            return
        except asyncpg.LockNotAvailableError:
            if time.monotonic() - began > LOCKED_SECONDS:
                raise MigrationError(
                    f"{migration.name} got no lock for {LOCKED_SECONDS} seconds, because another"
                    " transaction is using the table: end it (pg_stat_activity shows the oldest)"
                    " and run `latchkey migrate` again"
                ) from None
            log.warning("waiting for a table that is in use", migration=migration.name)
            await asyncio.sleep(LOCK_PAUSE_SECONDS)


async def _apply_by_statement(connection: Connection, migration: Migration) -> None:
    """Apply a migration whose statements each stand alone. An index that an interrupted run left
    unfinished is built again."""
    unfinished = await connection.fetch(
        """
        select c.oid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indexrelid
         where not i.indisvalid and c.relname = any($1::text[])
        """,
        _BUILT.findall(migration.sql),
    )
    for index in unfinished:
        await connection.execute(f"drop index concurrently {index['name']}")
    for statement in migration.sql.split(";\n"):
        if re.sub(r"--.*", "", statement).strip():
            await connection.execute(statement)
    await _record(connection, migration)


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "insert into schema_migrations (name, oldest_release) values ($1, $2)",
        migration.name,
        migration.oldest_release,
    )


async def _applied(connection: Connection) -> dict[str, str | None]:
    """The oldest release that each applied migration allows, if it says one. Databases of 0.1.0
    have no column for that."""
    if await connection.fetchval("select to_regclass('schema_migrations')") is None:
        return {}
    rows = await connection.fetch(
        "select to_jsonb(m) ->> 'name' as name,"
        " to_jsonb(m) ->> 'oldest_release' as oldest_release from schema_migrations m"
    )
    return {row["name"]: row["oldest_release"] for row in rows}


def check_age(applied: Mapping[str, str | None]) -> None:
    """Raise `MigrationError` if an applied migration excludes this release."""
    release = version("latchkey")
    newer = [oldest for oldest in applied.values() if oldest and _parts(oldest) > _parts(release)]
    if newer:
        raise MigrationError(
            f"the database needs release {max(newer, key=_parts)} or newer, and this is"
            f" {release}: run that one, or restore the backup taken before it"
        )


def _parts(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release)[:3])
