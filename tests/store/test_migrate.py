"""What a process sees to in the database before it starts."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from latchkey.store.migrate import MigrationError, await_current

pytestmark = pytest.mark.anyio


async def test_a_database_that_comes_late_is_waited_for(dsn: str, tmp_path: Path) -> None:
    folder = parse_qs(urlsplit(dsn).query)["host"][0]
    waiting = asyncio.create_task(await_current(dsn.replace(folder, str(tmp_path))))
    await asyncio.sleep(0)
    socket = ".s.PGSQL.5432"
    (tmp_path / socket).symlink_to(Path(folder) / socket)
    await waiting


async def test_one_that_never_comes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await await_current(f"postgresql://postgres@/x?host={tmp_path}", seconds=0)


async def test_missing_migrations_are_named(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("delete from schema_migrations where name = '0001_main_job'")
    await connection.close()
    with pytest.raises(MigrationError, match="0001_main_job: run `latchkey migrate` first"):
        await await_current(dsn)
