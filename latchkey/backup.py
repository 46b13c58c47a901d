"""`latchkey backup`: the whole database in one file, as of one moment, while the site runs."""

import asyncio
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import asyncpg

from latchkey import postgres_client
from latchkey.backup_file import CHUNK, FORMAT, DumpWriter, Manifest
from latchkey.settings import Settings
from latchkey.store import backups
from latchkey.store.pool import connect, is_pooled
from latchkey.vault import fingerprint


class BackupError(Exception):
    """No backup was made. The message says why."""


@dataclass(frozen=True)
class MadeBackup:
    """A backup that is complete on disk."""

    path: Path
    manifest: Manifest


async def back_up(settings: Settings, target: Path) -> MadeBackup:
    """Write a backup to `target`, a new file, or a folder in which it is named after the time.

    Readers and writers aren't held up. A backup that fails leaves no file. Raises `BackupError`,
    `PostgresClientError`, `SettingsError`.
    """
    dsn, secrets = settings.require_database(), settings.require_secrets()
    if is_pooled(dsn):
        raise BackupError(
            "a backup needs Postgres itself: give an address that doesn't lead through pgbouncer,"
            " without statement_cache_size=0"
        )
    now = datetime.now(UTC).replace(microsecond=0)
    path = target / f"latchkey-{now:%Y%m%d-%H%M%S}.tar" if target.is_dir() else target
    if path.exists():
        raise BackupError(f"{path} exists already: give the name of a new file, or a folder")
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "xb", opener=_for_us_alone) as file:
            try:
                manifest = await _write(dsn, secrets, now, file)
                file.flush()
                os.fsync(file.fileno())
                partial.rename(path)
            except BaseException:
                partial.unlink()
                raise
    except FileExistsError:
        raise BackupError(
            f"{partial} exists: another backup is being written there; if none is, remove it"
        ) from None
    await _note(dsn, now, manifest.bytes)
    return MadeBackup(path, manifest)


async def _write(dsn: str, secrets: tuple[str, ...], now: datetime, file: BinaryIO) -> Manifest:
    connection = await connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            try:
                found = await backups.describe(connection)
            except asyncpg.UndefinedTableError:
                raise BackupError(
                    "this database isn't Latchkey's: it has no tables of it"
                ) from None
            manifest = Manifest(
                format=FORMAT,
                release=version("latchkey"),
                made_at=now.isoformat(),
                postgres=found.postgres,
                client=0,
                home=found.home,
                account=found.account,
                livemode=found.livemode,
                migrations=found.migrations,
                counts=found.counts,
                secrets=[fingerprint(secret).hex() for secret in secrets],
            )
            pg_dump = postgres_client.program("pg_dump", at_least=found.postgres)
            writer = DumpWriter(file)
            await _dump(pg_dump, dsn, found.snapshot, writer)
    finally:
        await connection.close()
    manifest = replace(
        manifest,
        client=postgres_client.release(pg_dump),
        bytes=writer.size,
        sha256=writer.sha256,
    )
    writer.finish(manifest)
    return manifest


async def _note(dsn: str, now: datetime, size: int) -> None:
    """Have Health and the metrics know of a backup. Where that can't be written, such as on a
    standby, it is as good."""
    with suppress(asyncpg.PostgresError, OSError):
        connection = await connect(dsn)
        try:
            await backups.note(connection, now, size)
        finally:
            await connection.close()


async def _dump(pg_dump: Path, dsn: str, snapshot: str, writer: DumpWriter) -> None:
    """Have `pg_dump` write what the snapshot sees."""
    address, environment = postgres_client.connection(dsn)
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            pg_dump,
            *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"),
            f"--dbname={address}",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
        assert process.stdout is not None, "it is a pipe"
        try:
            while chunk := await process.stdout.read(CHUNK):
                writer.write(chunk)
            status = await process.wait()
        except BaseException:
            await postgres_client.end(process)
            raise
        if status:
            raise BackupError(f"pg_dump failed: {postgres_client.last_line(said)}")


def _for_us_alone(path: str, flags: int) -> int:
    """A backup holds people's data: others of this machine don't read it."""
    return os.open(path, flags, 0o600)
