"""`latchkey restore`: a backup into an empty database, as a copy that is silent until adopted."""

import asyncio
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from latchkey import backup_file, postgres_client
from latchkey.backup_file import Manifest
from latchkey.rotation import rotate
from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft, backups, site_identity
from latchkey.store.migrate import check_age, migrate
from latchkey.store.pool import Connection, connect, create_pool, is_pooled
from latchkey.vault import fingerprint

TIMEOUT = b"\nSET transaction_timeout = 0;\n"
TIMEOUT_SINCE = 17
"""What `pg_restore` of this release and newer begins with, and older servers refuse."""


class RestoreError(Exception):
    """The backup wasn't restored, or not as it was made. The message says what to do."""


@dataclass(frozen=True)
class Restored:
    """What was restored, which migrations were applied to it, and how many stored secrets
    LATCHKEY_SECRET doesn't open."""

    manifest: Manifest
    migrated: list[str]
    unreadable: int


async def restore(settings: Settings, path: Path, *, without_secret: bool = False) -> Restored:
    """Restore a backup into the empty database of the settings, and migrate it to this release.

    What it can, it checks before it changes anything. `without_secret` is for a site whose
    LATCHKEY_SECRET is lost. Needs no Temporal: a worker starts what should run. Raises
    `RestoreError`, `BackupFileError`, `MigrationError`, `PostgresClientError`, `SettingsError`.
    """
    dsn, secrets = settings.require_database(), settings.require_secrets()
    if is_pooled(dsn):
        raise RestoreError(
            "a restore needs Postgres itself: give an address that doesn't lead through pgbouncer,"
            " without statement_cache_size=0"
        )
    manifest = backup_file.read_manifest(path)
    check_age(manifest.migrations)
    ours = {fingerprint(secret).hex() for secret in secrets}
    if not without_secret and not ours & set(manifest.secrets):
        raise RestoreError(
            "the backup was made under another LATCHKEY_SECRET: set that one. If it is lost,"
            " --without-secret restores the rest: the Stripe key, webhook endpoints and"
            " authenticator apps have to be set up again"
        )
    connection = await connect(dsn)
    try:
        server = await _check_target(connection, manifest)
        pg_restore = postgres_client.program("pg_restore", at_least=manifest.client)
        await backups.begin(connection)
        try:
            await _fill(pg_restore, dsn, path, server=server)
        except BaseException:
            await backups.abandon(connection)
            raise
        await _check_counts(connection, manifest)
    finally:
        await connection.close()
    migrated = await migrate(dsn, restoring=True)
    unreadable = sum(each.unreadable for each in await rotate(dsn, secrets, dry_run=True))
    await _finish(settings, manifest)
    return Restored(manifest, migrated, unreadable)


async def _check_target(connection: Connection, manifest: Manifest) -> int:
    """The release of the server, if the backup can be restored into this database."""
    if not await backups.is_empty(connection):
        raise RestoreError(
            "the database isn't empty: create a new one, and give its address as DATABASE_URL"
        )
    release = await backups.server_release(connection)
    if release < manifest.postgres:
        raise RestoreError(
            f"the backup is of Postgres {manifest.postgres}, and this server is {release}: restore"
            f" it into {manifest.postgres} or newer"
        )
    return release


async def _fill(pg_restore: Path, dsn: str, path: Path, *, server: int) -> None:
    """Restore the dump, all of it or nothing. Where `pg_restore` would begin with what the server
    doesn't know, it writes a script, which `psql` runs without that."""
    address, environment = postgres_client.connection(dsn)
    ours = ("--no-owner", "--no-privileges")
    if not server < TIMEOUT_SINCE <= postgres_client.release(pg_restore):
        whole = ("--single-transaction", "--exit-on-error", f"--dbname={address}")
        await _run(pg_restore, *ours, *whole, environment=environment, stdin=path)
        return
    psql = postgres_client.program("psql", at_least=postgres_client.release(pg_restore))
    with tempfile.NamedTemporaryFile() as script:
        to_script = (*ours, f"--file={script.name}")
        await _run(pg_restore, *to_script, environment=environment, stdin=path)
        script.seek(script.read(4096).index(TIMEOUT))
        script.write(b"\n--")
        script.flush()
        script.seek(0)
        plain = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
        await _run(psql, *plain, f"--dbname={address}", environment=environment, stdin=script)


async def _run(
    program: Path,
    *arguments: str,
    environment: Mapping[str, str],
    stdin: Path | IO[bytes],
) -> None:
    """Run a program of Postgres that reads a script, or the dump of the backup at a path."""
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.PIPE if isinstance(stdin, Path) else stdin,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
        )
        try:
            if isinstance(stdin, Path):
                await feed(process, stdin)
            status = await process.wait()
        except BaseException:
            await postgres_client.end(process)
            raise
        if status:
            raise RestoreError(
                f"{program.name} failed, and the database is as empty as it was:"
                f" {postgres_client.last_line(said)}"
            )


async def feed(process: Process, path: Path) -> None:
    """Write the dump of the backup at a path to a program, until that has ended."""
    assert process.stdin is not None, "it is a pipe"
    with suppress(BrokenPipeError, ConnectionResetError):
        for chunk in backup_file.read_dump(path):
            if process.stdin.is_closing():
                return
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()


async def _check_counts(connection: Connection, manifest: Manifest) -> None:
    found = await backups.counts(connection)
    wrong = [name for name, rows in manifest.counts.items() if found.get(name) != rows]
    if wrong:
        raise RestoreError(
            f"{counted(len(wrong), 'table')} ({', '.join(wrong)}) didn't come back as they were:"
            " drop the database, and restore again or use another backup"
        )


async def _finish(settings: Settings, manifest: Manifest) -> None:
    async with _changing(settings.require_database(), "latchkey restore") as connection:
        await backups.finish(connection, settings.public_url, manifest.made_at)
        audit_draft.note(after={"made_at": manifest.made_at, "release": manifest.release})


async def silence(settings: Settings) -> None:
    """Make a database that was brought back by other means, such as Postgres' point-in-time
    recovery, a copy that is silent until it is adopted."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    async with _changing(settings.require_database(), "latchkey silence") as connection:
        await site_identity.silence(connection, settings.public_url, now)
        audit_draft.note(after={"made_at": now})


@asynccontextmanager
async def _changing(dsn: str, command: str) -> AsyncIterator[Connection]:
    """A transaction with its line in the audit log."""
    pool = await create_pool(dsn, max_size=1)
    try:
        draft = audit_draft.of_command(command, AuditAction.SITE_RESTORED)
        with audit_draft.recording(draft):
            async with pool.acquire() as connection, connection.transaction():
                yield connection
    finally:
        await pool.close()
