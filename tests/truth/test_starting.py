"""The real processes start before what they need, say what they wait for, and stop in order."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from temporalio.client import Client

from latchkey import dispatch, worker_port
from latchkey.supervision import LoopSupervisor
from tests.harness import Latchkey, free_port, http_client, new_namespace, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SOCKET = ".s.PGSQL.5432"


@asynccontextmanager
async def started(program: str, folder: Path, **settings: str) -> AsyncIterator["Process"]:
    """`latchkey PROGRAM` with nothing but these settings; killed if it still runs at the end."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "latchkey.cli",
        program,
        cwd=folder,
        env=inherited | {"PYTHONPATH": os.getcwd(), "LATCHKEY_SECRET": "s" * 40} | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    process = Process(running)
    try:
        yield process
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


class Process:
    """A running program and what it has printed."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._running = running
        self._printed = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._running.stdout is not None
        async for line in self._running.stdout:
            self._printed += line.decode()

    async def says(self, words: str) -> None:
        async def said() -> bool:
            if self._reading.done():
                raise AssertionError(f"ended before it said {words!r}:\n{self._printed}")
            return words in self._printed

        await until(said, f"the process says {words!r}")

    def terminate(self) -> None:
        self._running.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """The exit status."""
        await self._reading
        return await self._running.wait()


def answers(url: str, status: int) -> Callable[[], Awaitable[bool]]:
    async def answered() -> bool:
        async with http_client() as client:
            try:
                return (await client.get(url)).status_code == status
            except httpx.TransportError:
                return False

    return answered


@asynccontextmanager
async def forwarding(port: int, address: str) -> AsyncIterator[None]:
    """Lead connections at a port to an address."""
    host, _, there = address.rpartition(":")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(host, int(there))
        await asyncio.gather(
            pipe(reader, onward[1]), pipe(onward[0], writer), return_exceptions=True
        )

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


@pytest.fixture
def late(dsn: str, tmp_path: Path) -> tuple[str, Callable[[], None]]:
    """The URL of a Postgres that isn't there yet, and what brings it."""
    folder = Path(parse_qs(urlsplit(dsn).query)["host"][0])
    return (
        dsn.replace(str(folder), str(tmp_path)),
        lambda: (tmp_path / SOCKET).symlink_to(folder / SOCKET),
    )


async def test_web_waits_for_postgres_and_drains_before_it_stops(
    late: tuple[str, Callable[[], None]], temporal_address: str, tmp_path: Path
) -> None:
    database, bring = late
    port = free_port()
    ready = f"http://127.0.0.1:{port}/readyz"
    settings = {
        "DATABASE_URL": database,
        "TEMPORAL_ADDRESS": temporal_address,
        "LATCHKEY_PORT": str(port),
        "LATCHKEY_DRAIN_SECONDS": "300",
    }
    async with started("web", tmp_path, **settings) as web:
        await web.says("waiting for Postgres")
        bring()
        await until(answers(ready, 200), "the site is ready")
        web.terminate()
        await until(answers(ready, 503), "the site says that it is about to stop")
        assert await answers(ready.replace("readyz", "login"), 200)(), "it still serves"
        web.terminate()
        assert await web.ended() in (0, -signal.SIGTERM)


async def test_the_worker_waits_and_knows_whether_it_polls(
    late: tuple[str, Callable[[], None]], temporal_address: str, tmp_path: Path
) -> None:
    database, bring = late
    temporal, port = free_port(), free_port()
    site = f"http://127.0.0.2:{port}"
    settings = {
        "DATABASE_URL": database,
        "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal}",
        "TEMPORAL_NAMESPACE": (await new_namespace(temporal_address)).namespace,
        "LATCHKEY_WORKER_METRICS_HOST": "127.0.0.2",
        "LATCHKEY_WORKER_METRICS_PORT": str(port),
    }
    async with started("worker", tmp_path, **settings) as worker:
        await worker.says("waiting for Postgres")
        bring()
        await worker.says("waiting for Temporal")
        assert await answers(f"{site}/healthz", 200)(), "a restart doesn't help"
        assert await answers(f"{site}/readyz", 503)()
        async with forwarding(temporal, temporal_address):
            await worker.says("worker ready")
            await until(answers(f"{site}/readyz", 200), "the worker takes tasks")
            assert await answers(f"{site}/healthz", 200)()
            async with http_client() as client:
                text = (await client.get(f"{site}/metrics")).text
            assert "temporal_" in text, "Temporal's own metrics"
            assert "latchkey_mails_total" in text
            worker.terminate()
            assert await worker.ended() == 0


async def test_a_worker_that_waits_for_temporal_can_be_stopped(dsn: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": dsn, "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"}
    async with started("worker", tmp_path, **settings) as worker:
        await worker.says("waiting for Temporal")
        worker.terminate()
        assert await worker.ended() == 0


async def test_workers_that_start_leave_each_others_check_of_the_key_alone(
    shared: Latchkey,
) -> None:
    """A check that was terminated raises `WorkflowFailedError`."""
    starts = [dispatch.check_connection(shared.temporal, join=True) for _ in range(3)]
    await asyncio.gather(*starts)


async def test_a_process_that_takes_no_tasks_is_not_healthy(temporal_address: str) -> None:
    stranger = await new_namespace(temporal_address)
    assert set((await worker_port.polling(stranger)).values()) == {"never heard of"}


async def test_a_worker_is_alive_but_not_ready_without_temporal() -> None:
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    app = worker_port.app(worker_port.Work(nowhere, LoopSupervisor()))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://worker"
    ) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert set(ready.json()["polling"].values()) == {"unreachable"}
