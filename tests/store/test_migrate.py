"""Migrations: their numbers, and what a process checks in the database before it starts."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from latchkey.store import migrate
from latchkey.store.migrate import Migration, MigrationError, await_current, migrations
from tests.harness import until

pytestmark = pytest.mark.anyio

APPLIED_UNDER_ONE_NUMBER = {"0013_identity", "0013_truth_indexes"}
"""Databases have recorded both names, so neither can change."""


def test_migration_numbers_are_unique() -> None:
    names = [migration.name for migration in migrations()]
    assert names == sorted(names)
    for number, group in itertools.groupby(names, lambda name: name[:4]):
        same = list(group)
        assert len(same) == 1 or set(same) == APPLIED_UNDER_ONE_NUMBER, f"{number}: {same}"


async def test_migrations_wait_for_a_late_database(dsn: str, tmp_path: Path) -> None:
    folder = parse_qs(urlsplit(dsn).query)["host"][0]
    waiting = asyncio.create_task(await_current(dsn.replace(folder, str(tmp_path))))
    await asyncio.sleep(0)
    socket = ".s.PGSQL.5432"
    (tmp_path / socket).symlink_to(Path(folder) / socket)
    await waiting


async def test_a_database_that_never_answers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await await_current(f"postgresql://postgres@/x?host={tmp_path}", seconds=0)


async def test_missing_migrations_are_named(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("delete from schema_migrations where name = '0001_main_job'")
    await connection.close()
    with pytest.raises(MigrationError, match="0001_main_job: run `latchkey migrate` first"):
        await await_current(dsn)


@pytest.fixture
def and_then(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a migration to those of this release."""

    def add(sql: str) -> None:
        more = [*migrations(), Migration("9999_next", sql)]
        monkeypatch.setattr(migrate, "migrations", lambda: more)

    return add


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(dsn)
    yield opened
    await opened.close()


async def test_a_migration_that_waits_for_a_table_lets_others_read_it(
    dsn: str,
    connection: asyncpg.Connection,
    and_then: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate, "LOCK_MILLISECONDS", 50)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_SECONDS", 0.01)
    and_then("alter table products add column colour text; select 1")
    report = connection.transaction()
    await report.start()
    await connection.fetch("select from products")
    migrating = asyncio.create_task(migrate.migrate(dsn))
    reader = await asyncpg.connect(dsn)

    async def waiting() -> bool:
        return bool(await reader.fetchval("select true from pg_locks where not granted"))

    for _ in range(3):
        await until(waiting, "the migration waits for the table")
        await reader.fetch("select from products")
    assert not migrating.done()
    await report.rollback()
    assert await migrating == ["9999_next"]
    await reader.fetch("select colour from products")
    await reader.close()


async def test_a_migration_that_never_gets_its_lock_says_so(
    dsn: str,
    connection: asyncpg.Connection,
    and_then: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate, "LOCK_MILLISECONDS", 1)
    monkeypatch.setattr(migrate, "LOCKED_SECONDS", 0)
    and_then("alter table products add column colour text")
    async with connection.transaction():
        await connection.fetch("select from products")
        with pytest.raises(MigrationError, match="9999_next got no lock"):
            await migrate.migrate(dsn)


async def test_indexes_are_built_beside_other_processes_and_after_an_interruption(
    dsn: str, connection: asyncpg.Connection, and_then: Callable[[str], None]
) -> None:
    and_then(
        "-- outside a transaction\n"
        "create index concurrently if not exists later_by_name on products (name);\n"
        "create index concurrently if not exists later_by_status on products (status);\n"
    )
    await connection.execute("create index later_by_name on products (name)")
    name = "later_by_name"
    await connection.execute(
        "update pg_index set indisvalid = false where indexrelid = $1::text::regclass", name
    )
    done = await asyncio.gather(*(migrate.migrate(dsn) for _ in range(3)))
    assert sorted(done) == [[], [], ["9999_next"]]
    valid = await connection.fetch(
        "select relname from pg_index join pg_class on oid = indexrelid"
        " where indisvalid and relname like 'later_by_%'"
    )
    assert {row["relname"] for row in valid} == {name, "later_by_status"}


async def test_the_release_before_works_with_a_newer_database(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await connection.execute("insert into schema_migrations (name) values ('9998_expand')")
    assert await migrate.migrate(dsn) == []
    await await_current(dsn)
    await connection.execute(
        "insert into schema_migrations (name, oldest_release) values ('9999_contract', '99.0.0')"
    )
    for attempt in (migrate.migrate(dsn), await_current(dsn)):
        with pytest.raises(MigrationError, match=r"needs release 99\.0\.0 or newer"):
            await attempt


def test_a_migration_says_which_releases_it_excludes() -> None:
    assert Migration("1", "-- oldest release: 1.10.0\nselect 1").oldest_release == "1.10.0"
    assert Migration("1", "select 1").oldest_release is None
