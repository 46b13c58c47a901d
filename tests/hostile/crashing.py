"""A Latchkey made of processes, each of which can be killed and started again."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from temporalio.client import Client

from latchkey import schedules
from latchkey.embedded import prepare_postgres, temporal_argv
from latchkey.store.migrate import migrate
from latchkey.store.pool import create_pool
from tests.harness import KEY, SECRET, TOKEN, free_port, until
from tests.hostile.outside import Outside
from tests.hostile.truth import Truth

VICTIMS = ("worker", "web", "temporal", "postgres")


@dataclass
class Crashing:
    """The processes by name, and the command that starts each."""

    folder: Path
    commands: dict[str, tuple[list[str], dict[str, Any]]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    def start(self, name: str) -> None:
        argv, options = self.commands[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=self.folder, **options
            )

    def kill(self, name: str) -> None:
        """Kill a process at once with SIGKILL, as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()
        self.killed.append(name)

    def end(self) -> None:
        for name in ("worker", "web", "sandbox", "temporal", "postgres"):
            if (process := self.processes.get(name)) is not None:
                process.terminate()
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()

    async def havoc(self, chance: random.Random) -> None:
        """Kill one to three processes at random moments, and start each again a little later."""
        for name in chance.choices(VICTIMS, k=chance.randint(1, 3)):
            await asyncio.sleep(chance.uniform(0, 2.5))
            self.down.add(name)
            self.kill(name)
            await asyncio.sleep(chance.uniform(0, 1.5))
            self.start(name)
            self.down.discard(name)

    async def supervise(self) -> None:
        """Restart a process that ends by itself, as a supervisor does: the web process may give up
        while Postgres recovers."""
        while True:
            await asyncio.sleep(0.5)
            for name, process in self.processes.items():
                if process.poll() is not None and name not in self.down:
                    self.start(name)

    def text(self) -> str:
        """The end of every process's log."""
        return "\n".join(
            f"== {path.stem}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-40:])
            for path in sorted(self.folder.glob("*.log"))
        )


@contextlib.contextmanager
def _processes(folder: Path, given: dict[str, str]) -> Iterator[tuple[Crashing, dict[str, str]]]:
    made = Crashing(folder)
    prepared = prepare_postgres(folder / "postgres", durable=True)
    web, sandbox, temporal = free_port(), free_port(), free_port()
    environment = os.environ | {
        "DATABASE_URL": prepared.dsn("postgres"),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal}",
        "TEMPORAL_NAMESPACE": "default",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": f"http://127.0.0.1:{sandbox}",
        "LATCHKEY_SECRET": SECRET,
        "LATCHKEY_API_TOKEN": TOKEN,
        "LATCHKEY_ADMIN_EMAIL": "owner@site.example",
        "LATCHKEY_ADMIN_PASSWORD": "correct horse battery",
        "LATCHKEY_PORT": str(web),
        "LATCHKEY_PUBLIC_URL": f"http://127.0.0.1:{web}",
        "LATCHKEY_STRIPE_RATE": "1000",
        **given,
    }
    ours = {"env": environment}
    server = temporal_argv(folder / "temporal.db", port=temporal, ui_port=None)
    cli = [sys.executable, "-m", "latchkey.cli"]
    made.commands = {
        "postgres": (prepared.argv, prepared.identity),
        "temporal": (server, {}),
        "sandbox": ([sys.executable, "-m", "sandbox", "--port", str(sandbox)], ours),
        "web": ([*cli, "web"], ours),
        "worker": ([*cli, "worker"], ours),
    }
    try:
        yield made, environment
    except BaseException:
        print(made.text())  # noqa: T201
        raise
    finally:
        made.end()


@contextlib.asynccontextmanager
async def crashing_stage(folder: Path, **given: str) -> AsyncIterator[tuple[Outside, Crashing]]:
    """Start all processes on empty data, with the settings `given`, and connect them."""
    with _processes(folder, given) as (made, environment):
        made.start("postgres")
        made.start("temporal")
        made.start("sandbox")
        dsn = environment["DATABASE_URL"]

        async def accepts() -> bool:
            try:
                await (await asyncpg.connect(dsn)).close()
            except (OSError, asyncpg.PostgresError):
                return False
            return True

        await until(accepts, "Postgres accepts connections")
        await migrate(dsn)
        made.start("web")
        made.start("worker")
        url = environment["LATCHKEY_PUBLIC_URL"]
        truth = Truth(environment["STRIPE_API_BASE"])
        pool = await create_pool(dsn)
        api = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60,
            limits=httpx.Limits(keepalive_expiry=2),
        )

        async def catch_up() -> None:
            with contextlib.suppress(RuntimeError):
                client = await Client.connect(
                    environment["TEMPORAL_ADDRESS"], namespace="default", lazy=False
                )
                await schedules.catch_up_now(client)

        async def connected() -> bool:
            state = await pool.fetchval("select state || endpoint_state from stripe_connection")
            return bool(state == "connectedregistered")

        try:
            await until(connected, "Stripe is connected")
            supervising = asyncio.create_task(made.supervise())
            try:
                yield Outside(api, pool, truth, catch_up, patience=60.0), made
            finally:
                supervising.cancel()
        finally:
            await api.aclose()
            await truth.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await pool.close()
