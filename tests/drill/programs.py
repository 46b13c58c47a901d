"""Processes of Latchkey, of this release or of another one's source."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx

from latchkey.settings import Settings
from tests.harness import PATIENCE, environment_of, http_client, until

HERE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Program:
    """A process of Latchkey, and the file that it logs to."""

    log: Path

    async def says(self, text: str) -> None:
        async def said() -> bool:
            return text in self.log.read_text()

        await until(said, text)


@contextlib.asynccontextmanager
async def program(
    name: str,
    settings: Settings,
    namespace: str,
    source: Path = HERE,
    python: str | Path = sys.executable,
    given: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Program]:
    """`latchkey web` or `latchkey worker` as a process of its own, run from `source`, with what is
    `given` in its environment."""
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [python, "-m", "latchkey.cli", name],
            env=environment_of(settings) | {"TEMPORAL_NAMESPACE": namespace, **given},
            cwd=source,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        made = Program(Path(log.name))
        try:
            yield made
            assert process.poll() is None, made.log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, PATIENCE)


async def serves(url: str) -> None:
    """Wait until the web process at an address is ready."""

    async def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await client.get("/readyz")).status_code == httpx.codes.OK
        return False

    async with http_client(base_url=url) as client:
        await until(ready, "the web process is ready")


async def command(
    settings: Settings,
    *arguments: str,
    source: Path = HERE,
    python: str | Path = sys.executable,
) -> str:
    """Run a command of Latchkey as an operator does; what it said."""
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "latchkey.cli", *arguments),
        env=environment_of(settings),
        cwd=source,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
