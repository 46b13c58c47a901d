"""The separate processes that a benchmark needs: Postgres, Temporal, sandbox, web, worker."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from tests.harness import KEY, SECRET, TOKEN, free_port, run_postgres, run_temporal

Json = dict[str, Any]


@dataclass
class Stack:
    """Running processes and how to reach them."""

    dsn: str
    environment: dict[str, str]
    url: str
    sandbox: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def spawn(self, name: str, *arguments: str) -> None:
        self.processes[name] = subprocess.Popen(
            [sys.executable, *arguments], env=self.environment, stdout=subprocess.DEVNULL
        )

    def api(self, method: str, path: str, **options: Any) -> Json:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=120,
            **options,
        )
        answer.raise_for_status()
        body: Json = answer.json()
        return body

    def control(self, path: str, **given: Any) -> Json:
        answer = httpx.post(f"{self.sandbox}/_sandbox/{path}", json=given, timeout=600)
        answer.raise_for_status()
        body: Json = answer.json()
        return body

    def memory(self, name: str) -> int:
        """Resident bytes of a process."""
        resident: int = psutil.Process(self.processes[name].pid).memory_info().rss
        return resident

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each of the processes has used until now, Postgres' and Temporal's
        included."""
        named = {process.pid: name for name, process in self.processes.items()}
        used: dict[str, float] = {}
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                name = named.get(process.pid, process.name())
                used[name] = used.get(name, 0) + times.user + times.system
        return used


@contextlib.contextmanager
def stack(*, temporal: bool = True, worker: bool = True, **given: str) -> Iterator[Stack]:
    """Start everything that isn't turned off, with empty data and the settings `given`, and remove
    it afterwards."""
    import asyncio

    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="latchkey-bench-")))
        folder.chmod(0o755)
        postgres = opened.enter_context(run_postgres(folder / "postgres"))
        dsn = asyncio.run(postgres.create())
        port, sandbox_port = free_port(), free_port()
        address = "127.0.0.1:9"
        if temporal:
            server = run_temporal(database=folder / "temporal.db", threads=None)
            address = opened.enter_context(server)
        sandbox = f"http://127.0.0.1:{sandbox_port}"
        environment = os.environ | {
            "DATABASE_URL": dsn,
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": "default",
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_API_BASE": sandbox,
            "LATCHKEY_SECRET": SECRET,
            "LATCHKEY_API_TOKEN": TOKEN,
            "LATCHKEY_PORT": str(port),
            "LATCHKEY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "LATCHKEY_STRIPE_RATE": "10000",
            "LATCHKEY_LOG_FORMAT": "json",
            **given,
        }
        made = Stack(dsn, environment, f"http://127.0.0.1:{port}", sandbox, folder)
        opened.callback(_end, made)
        made.spawn("sandbox", "-m", "sandbox", "--port", str(sandbox_port), "--chance", "1")
        wait(f"{sandbox}/_sandbox/ready")
        made.spawn("web", "-m", "latchkey.cli", "web")
        wait(f"{made.url}/healthz")
        if worker:
            made.spawn("worker", "-m", "latchkey.cli", "worker")
            _connected(made)
        yield made


def wait(url: str, seconds: float = 120) -> None:
    """Wait until a URL answers 200."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"{url} did not answer")
        time.sleep(0.05)


def _connected(made: Stack) -> None:
    deadline = time.monotonic() + 60
    while httpx.get(f"{made.url}/readyz", timeout=10).json().get("stripe") != "connected":
        if time.monotonic() > deadline:
            raise SystemExit("the worker did not connect to the sandbox")
        time.sleep(0.1)
    time.sleep(1)


def _end(made: Stack) -> None:
    for process in reversed(made.processes.values()):
        process.terminate()
    for process in made.processes.values():
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


async def fetch(dsn: str, query: str, *values: Any) -> list[asyncpg.Record]:
    """Run one query on the benchmark's database."""
    connection = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(query, *values)
        return rows
    finally:
        await connection.close()
