"""Postgres' own programs, `pg_dump` and `pg_restore`: found, and run without showing a password."""

import os
import re
import shutil
import subprocess
from asyncio.subprocess import Process
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from latchkey.embedded import postgres_binaries

DEBIAN = Path("/usr/lib/postgresql")


class PostgresClientError(Exception):
    """A program of Postgres is missing, or failed. The message says what to do."""


def program(name: str, *, at_least: int) -> Path:
    """The program of the oldest release of Postgres that can work with release `at_least`. Looks
    on the PATH, where Debian keeps them, and in the wheel. Raises `PostgresClientError`."""
    found = shutil.which(name)
    candidates = [
        *([Path(found)] if found else []),
        *sorted(DEBIAN.glob(f"*/bin/{name}")),
        postgres_binaries() / name,
    ]
    able = [
        (major, place, path)
        for place, path in enumerate(candidates)
        if path.exists() and (major := release(path)) >= at_least
    ]
    if not able:
        raise PostgresClientError(
            f"{name} of Postgres {at_least} or newer is needed: install the client programs of"
            f" that release (Debian: postgresql-client-{at_least})"
        )
    return min(able)[2]


@cache
def release(path: Path) -> int:
    """Of which major release of Postgres a program is."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else 0


def last_line(said: IO[bytes]) -> str:
    """The last line of what a program wrote to a file."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason given"


def connection(dsn: str) -> tuple[str, dict[str, str]]:
    """The address without its password, for a command line that others of the machine can read,
    and the environment that has the password."""
    parts = urlsplit(dsn)
    password = dict(parse_qsl(parts.query)).get("password") or unquote(parts.password or "")
    rest = [part for part in parts.query.split("&") if not part.startswith("password=")]
    user, at, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=user.partition(":")[0] + at + host, query="&".join(rest))
    environment = dict(os.environ) | ({"PGPASSWORD": password} if password else {})
    return urlunsplit(bare), environment


async def end(process: Process) -> None:
    """Kill a program that may have ended by itself."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
