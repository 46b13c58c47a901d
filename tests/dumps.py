"""Databases copied and read by Postgres' own programs."""

import asyncio
import os
from urllib.parse import urlsplit

from latchkey import postgres_client
from latchkey.store import backups
from latchkey.store.pool import connect
from tests.harness import until


async def copy_database(source: str, target: str) -> None:
    """`pg_dump source | psql target`, as an operator copies a site that runs."""
    release = await _release(source)
    pg_dump = postgres_client.program("pg_dump", at_least=release)
    psql = postgres_client.program("psql", at_least=release)
    reading, writing = os.pipe()
    dumping = await asyncio.create_subprocess_exec(pg_dump, f"--dbname={source}", stdout=writing)
    os.close(writing)
    filling = await asyncio.create_subprocess_exec(
        *(psql, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={target}"),
        stdin=reading,
        stdout=asyncio.subprocess.DEVNULL,
    )
    os.close(reading)
    assert await dumping.wait() == 0
    assert await filling.wait() == 0


async def text_of(dsn: str) -> str:
    """All rows of a database as text."""
    pg_dump = postgres_client.program("pg_dump", at_least=await _release(dsn))
    dumping = await asyncio.create_subprocess_exec(
        *(pg_dump, "--data-only", "--inserts", f"--dbname={dsn}"), stdout=asyncio.subprocess.PIPE
    )
    text, _ = await dumping.communicate()
    assert dumping.returncode == 0
    return text.decode()


async def _release(dsn: str) -> int:
    connection = await connect(dsn)
    try:
        return await backups.server_release(connection)
    finally:
        await connection.close()


async def left_alone(dsn: str, *, besides: int = 0) -> None:
    """Wait until no more than `besides` connections to a database are left: the server ends them
    some time after they were closed."""
    parts = urlsplit(dsn)
    name = parts.path.removeprefix("/")
    connection = await connect(parts._replace(path="/postgres").geturl())

    async def alone() -> bool:
        count = "select count(*) from pg_stat_activity where datname = $1 and usesysid is not null"
        return bool(await connection.fetchval(count, name) <= besides)

    try:
        await until(alone, "no other connection is left")
    finally:
        await connection.close()
