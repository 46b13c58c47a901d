"""Migrations: their numbers, and what a process checks in the database before it starts."""

import asyncio
import itertools
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from latchkey.store.migrate import MigrationError, await_current, migrations

pytestmark = pytest.mark.anyio

APPLIED_UNDER_ONE_NUMBER = {"0013_identity", "0013_truth_indexes"}
"""Databases have recorded both names, so neither can change."""


def test_migration_numbers_are_unique() -> None:
    names = [name for name, _ in migrations()]
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
