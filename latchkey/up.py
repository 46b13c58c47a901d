"""`latchkey up`: everything in one terminal, with embedded servers for what isn't configured."""

import asyncio
import fcntl
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import asyncpg
import httpx
from pydantic import SecretStr
from rich.console import Console
from temporalio.service import RPCError

from latchkey import first_owner, sandbox_exit, temporal
from latchkey.embedded import (
    POSTGRES_DATABASE,
    EmbeddedError,
    prepare_postgres,
    running_postgres,
    temporal_argv,
)
from latchkey.processes import Child, Leftovers
from latchkey.settings import Settings
from latchkey.store import leaving_sandbox
from latchkey.store.migrate import MigrationError, migrate
from latchkey.store.pool import create_pool

SANDBOX_KEY = "sk_test_latchkey_sandbox"
READY_SECONDS = 60
CHECK_SECONDS = 30
"""How long a start waits for an account's key to be checked. The site runs without."""
ASKED_SECONDS = 0.5
"""How often `up` looks whether the pages ask it to leave the sandbox."""
KEPT = (
    "processes.json",
    "up.lock",
    "sandbox",
    "temporal.db",
    "temporal.db-shm",
    "temporal.db-wal",
)
"""What earlier releases kept in the data folder for everybody to read."""
COLORS = {
    "postgres": "blue",
    "temporal": "magenta",
    "sandbox": "yellow",
    "web": "green",
    "worker": "cyan",
}


class UpError(Exception):
    """`up` can't continue. The message is one line that says what to do."""


@dataclass
class Plan:
    """What to run, and with which environment. `sandbox` is what web and worker get
    from it: its key and address."""

    settings: Settings
    data: Path
    environment: dict[str, str]
    sandbox: dict[str, str] = field(default_factory=dict)
    admin_email: str | None = None
    admin_password: str | None = None
    setup_link: str | None = None
    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rehearses(self) -> bool:
        """Whether the sandbox stands in for Stripe."""
        return _rehearses(self.settings, self.data)

    @property
    def can_leave(self) -> bool:
        """Whether the sandbox can be left from the pages: everything else is ours, too."""
        theirs = (self.settings.database_url, self.settings.temporal_address)
        return self.rehearses and theirs == (None, None)


async def up(settings: Settings, console: Console) -> None:
    """Start everything, print the addresses, and run until stopped. Raises `UpError`."""
    os.umask(0o077)
    data = _data_folder(settings.data)
    lock = _lock(data)
    supervisor = Supervisor(console, Leftovers(data / "processes.json"))
    try:
        ended = supervisor.leftovers.end()
        if ended:
            console.print(f"Ended {len(ended)} processes that an earlier run had left behind.")
        plan = _plan(settings, data)
        _check_ports(settings)
        await supervisor.run(plan)
    finally:
        lock.close()


def as_running(settings: Settings) -> Settings:
    """The settings as the processes of an `up` running on the same data folder have them, or
    unchanged if none is running."""
    if not _in_use(settings.data):
        return settings
    found: dict[str, object] = {}
    kept = settings.data / "secret"
    if settings.secret is None and kept.exists():
        found["secret"] = SecretStr(kept.read_text().strip())
    if settings.database_url is None:
        database = running_postgres(settings.data / "postgres").dsn(POSTGRES_DATABASE)
        found["database_url"] = SecretStr(database)
    if settings.temporal_address is None:
        address = f"127.0.0.1:{settings.temporal_port}"
        found["temporal_address"] = os.environ["TEMPORAL_ADDRESS"] = address
    if _rehearses(settings, settings.data):
        found["stripe_secret_key"] = SecretStr(SANDBOX_KEY)
        found["stripe_api_base"] = f"http://127.0.0.1:{settings.sandbox_port}"
    return settings.model_copy(update=found)


class Supervisor:
    """Starts the child processes in order, restarts web and worker, stops all in reverse order."""

    def __init__(self, console: Console, leftovers: Leftovers) -> None:
        self._console = console
        self.leftovers = leftovers
        self._children: list[Child] = []
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._dsn: leaving_sandbox.Dsn | None = None
        self._stop = asyncio.Event()
        self._hurry = False
        self._failure: str | None = None

    async def run(self, plan: Plan) -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._told_to_stop)
        began = time.monotonic()
        starting = asyncio.create_task(self._start(plan))
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._announce(plan, time.monotonic() - began)
                await self._serve(plan, stopped)
        except (EmbeddedError, MigrationError) as error:
            raise UpError(str(error)) from None
        finally:
            starting.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await starting
            await self._stop_all()
        if self._failure:
            raise UpError(self._failure)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry = True
        self._stop.set()

    async def _start(self, plan: Plan) -> None:
        settings, env = plan.settings, plan.environment
        if settings.database_url is None:
            env["DATABASE_URL"] = await self._start_postgres(plan)
        if plan.can_leave and (wanted := sandbox_exit.asked(plan.data)):
            await self._leave(plan, wanted)
        await migrate(env["DATABASE_URL"])
        database = SecretStr(env["DATABASE_URL"])
        await _check_rehearsal(plan, database)
        await first_owner.check(settings.model_copy(update={"database_url": database}))
        plan.setup_link = await self._setup_link(plan, database)
        if settings.temporal_address is None:
            await self._start_temporal(plan)
        if plan.rehearses:
            await self._start_sandbox(plan)
        await self._start_programs(plan)

    async def _start_programs(self, plan: Plan) -> None:
        env = plan.environment | plan.sandbox
        latchkey = [sys.executable, "-m", "latchkey.cli"]
        web = self._child("web", [*latchkey, "web"], env=env)
        worker = self._child("worker", [*latchkey, "worker"], env=env)
        for child in (web, worker):
            await child.start()
            self._watch(child, restart=True)
        port, token = plan.settings.port, env["LATCHKEY_METRICS_TOKEN"]
        site = f"http://127.0.0.1:{port}/readyz"
        states = ["connected", "refused"]
        if not (plan.rehearses or plan.settings.stripe_secret_key):
            states.append("disconnected")
        await self._until("web", web, lambda: _answers(site))
        checked = partial(_checked, site, token, states)
        if plan.rehearses:
            await self._until("the check of the sandbox's key", worker, checked)
        elif not await self._holds(checked, CHECK_SECONDS):
            self._console.print(
                "[yellow]The Stripe key isn't checked yet: Stripe didn't answer.[/] The site runs."
                " Check the key again under Connectors once Stripe can be reached."
            )

    async def _serve(self, plan: Plan, stopped: asyncio.Task[Any]) -> None:
        """Run until stopped; leave the sandbox once the pages ask for it."""
        while plan.can_leave and not stopped.done():
            if wanted := sandbox_exit.asked(plan.data):
                self._console.print("Leaving the sandbox. The rehearsal stays in the data folder.")
                for name in ("worker", "web", "sandbox", "temporal"):
                    await self._end(name)
                await self._leave(plan, wanted)
                await self._start_temporal(plan)
                await self._start_programs(plan)
                self._console.print("[bold green]The sandbox was left[/]. Next, connect Stripe.")
                break
            await asyncio.wait([stopped], timeout=ASKED_SECONDS)
        await stopped

    async def _leave(self, plan: Plan, wanted: sandbox_exit.ExitRequest) -> None:
        """Leave the sandbox. Raises `UpError`; the next start tries again."""
        assert self._dsn is not None, "the embedded Postgres is running"
        try:
            await sandbox_exit.leave(
                plan.data, wanted, dsn=self._dsn, public_url=plan.settings.public_url
            )
        except (OSError, asyncpg.PostgresError) as error:
            raise UpError(
                f"the sandbox couldn't be left ({error}): start again to continue, or remove"
                f" {sandbox_exit.request_file(plan.data)} first to stay in it"
            ) from None
        plan.sandbox = {}

    async def _end(self, name: str) -> None:
        """Stop a child that is no longer wanted."""
        child = next(child for child in self._children if child.name == name)
        self._watchers.pop(name).cancel()
        await child.stop(seconds=25)
        self._children.remove(child)
        self.leftovers.remember(self._children)

    async def _setup_link(self, plan: Plan, database: SecretStr) -> str | None:
        """Where the site is set up, if it has no owner and gets none when it starts."""
        if plan.admin_email is not None:
            return None
        secret = SecretStr(plan.environment["LATCHKEY_SECRET"])
        settings = plan.settings.model_copy(update={"secret": secret})
        pool = await create_pool(database.get_secret_value(), max_size=1)
        try:
            async with pool.acquire() as connection:
                return await first_owner.setup_link(connection, settings)
        finally:
            await pool.close()

    async def _start_postgres(self, plan: Plan) -> str:
        postgres = await asyncio.to_thread(prepare_postgres, plan.data / "postgres")
        child = self._child(
            "postgres", postgres.argv, identity=postgres.identity, quiet=True, stop=signal.SIGINT
        )
        await child.start()
        self._watch(child)
        self._dsn = postgres.dsn

        async def accepts() -> bool:
            try:
                connection = await asyncpg.connect(postgres.dsn("postgres"))
            except (OSError, asyncpg.PostgresError):
                return False
            try:
                exists = await connection.fetchval(
                    "select true from pg_database where datname = $1", POSTGRES_DATABASE
                )
                if not exists:
                    await connection.execute(f"create database {POSTGRES_DATABASE}")
            finally:
                await connection.close()
            return True

        await self._until("Postgres", child, accepts)
        return postgres.dsn(POSTGRES_DATABASE)

    async def _start_temporal(self, plan: Plan) -> None:
        settings = plan.settings
        argv = temporal_argv(
            plan.data / "temporal.db",
            port=settings.temporal_port,
            ui_port=settings.temporal_ui_port,
        )
        child = self._child("temporal", argv)
        await child.start()
        self._watch(child)
        address = f"127.0.0.1:{settings.temporal_port}"
        ui = f"http://127.0.0.1:{settings.temporal_ui_port}"
        plan.environment["TEMPORAL_ADDRESS"] = os.environ["TEMPORAL_ADDRESS"] = address
        plan.environment.setdefault("LATCHKEY_TEMPORAL_UI_URL", ui)
        plan.lines.append(("Temporal UI", ui))

        async def serves() -> bool:
            try:
                async with asyncio.timeout(5):
                    await temporal.register_search_attributes(await temporal.connect())
            except (RuntimeError, TimeoutError, OSError, RPCError):
                return False
            return True

        await self._until("Temporal", child, serves)

    async def _start_sandbox(self, plan: Plan) -> None:
        port = plan.settings.sandbox_port
        url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--data", str(plan.data / "sandbox"), "--seed", "shop"]
        if plan.settings.sandbox_month_seconds:
            argv += ["--month-seconds", str(plan.settings.sandbox_month_seconds)]
        child = self._child("sandbox", argv)
        await child.start()
        self._watch(child)
        plan.sandbox = {
            "STRIPE_SECRET_KEY": SANDBOX_KEY,
            "STRIPE_API_BASE": url,
            "LATCHKEY_SANDBOX_URL": url,
        }
        if plan.can_leave:
            exit_file = sandbox_exit.request_file(plan.data)
            plan.sandbox["LATCHKEY_SANDBOX_EXIT"] = str(exit_file)
        plan.lines.append(("Sandbox", f"{url}/"))
        await self._until("the sandbox", child, lambda: _answers(f"{url}/_sandbox/ready"))

    def _child(
        self,
        name: str,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        identity: Mapping[str, Any] | None = None,
        quiet: bool = False,
        stop: signal.Signals = signal.SIGTERM,
    ) -> Child:
        child = Child(
            name,
            argv,
            console=self._console,
            color=COLORS[name],
            env=env,
            identity=identity,
            quiet=quiet,
            stop_signal=stop,
        )
        self._children.append(child)
        return child

    def _watch(self, child: Child, *, restart: bool = False) -> None:
        self.leftovers.remember(self._children)
        task = asyncio.create_task(self._watching(child, restart=restart))
        self._watchers[child.name] = task
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _watching(self, child: Child, *, restart: bool) -> None:
        wait = 1.0
        while True:
            began = time.monotonic()
            status = await child.wait()
            if self._stop.is_set():
                return
            if not restart:
                last = next((line for line in reversed(child.last_lines) if line.strip()), "")
                self._failure = f"{child.name} exited with status {status}: {last}"
                self._stop.set()
                return
            wait = 1.0 if time.monotonic() - began > 30 else min(wait * 2, 30)
            self._console.print(
                f"{child.name} exited with status {status}, restarting in {wait:.0f} s"
            )
            await asyncio.sleep(wait)
            await child.start()
            self.leftovers.remember(self._children)

    async def _until(self, what: str, child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
        if not await self._holds(ready, READY_SECONDS):
            last = next((line for line in reversed(child.last_lines) if line.strip()), "")
            raise UpError(
                f"{what} wasn't ready after {READY_SECONDS} s. Last line of output: {last}"
            )

    async def _holds(self, condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Whether a condition comes true in time. Nothing waits once `up` is to stop."""
        deadline = time.monotonic() + seconds
        while not await condition():
            if self._stop.is_set():
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _stop_all(self) -> None:
        self._stop.set()
        if self._children:
            self._console.print(
                "Stopping. Your data is kept, and the next start continues from here."
            )
        for child in reversed(self._children):
            await child.stop(seconds=1 if self._hurry else 25)
        self.leftovers.forget()

    def _announce(self, plan: Plan, seconds: float) -> None:
        base = plan.settings.public_url
        if plan.setup_link is not None:
            way_in = ("Set up", plan.setup_link)
        elif plan.admin_email is None:
            way_in = ("Sign in", "with the account that you made")
        else:
            password = plan.admin_password or "(the one you set)"
            way_in = ("Sign in", f"{plan.admin_email}  {password}")
        rows = [
            ("Site", f"{base}/"),
            ("Admin", f"{base}/admin"),
            *plan.lines,
            way_in,
        ]
        self._console.print()
        self._console.print(f"[bold green]Latchkey is ready[/] after {seconds:.1f} s")
        for label, value in rows:
            self._console.print(f"  {label:<12} {value}", highlight=False, soft_wrap=True)
        self._console.print("  Press Ctrl-C to stop everything; your data is kept.")
        self._console.print()


def _data_folder(data: Path) -> Path:
    """The folder, made if needed. What is made in it is closed to other users, and so is what an
    earlier release left open. Raises `UpError`."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        probe = data / ".writable"
        probe.touch()
        probe.unlink()
        for path in (data / name for name in KEPT):
            if path.exists() and not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)
    except OSError as error:
        raise UpError(
            f"can't write to the data folder {data} ({error.strerror}): give this user write"
            " permission, or set LATCHKEY_DATA to another folder"
        ) from None
    return data.resolve()


def _in_use(data: Path) -> bool:
    """Whether an `up` is running on the folder."""
    if not (data / "up.lock").exists():
        return False
    try:
        _lock(data).close()
    except UpError:
        return True
    return False


def _lock(data: Path) -> IO[str]:
    lock = (data / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UpError(
            f"another `latchkey up` is using {data}: stop it, or set LATCHKEY_DATA to another"
            " folder"
        ) from None
    return lock


def _plan(settings: Settings, data: Path) -> Plan:
    env = dict(os.environ)
    env |= {"PYTHONUNBUFFERED": "1", "LATCHKEY_LOG_FORMAT": "console"}
    secret = settings.secret.get_secret_value() if settings.secret else _kept(data / "secret", 32)
    metrics = settings.metrics_token
    owner = _owner(settings, data)
    env |= {
        "LATCHKEY_SECRET": secret,
        "LATCHKEY_METRICS_TOKEN": (
            metrics.get_secret_value() if metrics else _kept(data / "metrics-token", 24)
        ),
    }
    if settings.database_url:
        env["DATABASE_URL"] = settings.database_url.get_secret_value()
    if owner is None:
        return Plan(settings, data, env)
    email, password = owner
    env |= {"LATCHKEY_ADMIN_EMAIL": email, "LATCHKEY_ADMIN_PASSWORD": password}
    shown = None if settings.admin_password else password
    return Plan(settings, data, env, admin_email=email, admin_password=shown)


def _owner(settings: Settings, data: Path) -> tuple[str, str] | None:
    """The address and password of the owner whom the settings name; None where the site is set up
    in a browser. Earlier releases kept a password of their own in the data folder."""
    kept = data / "admin-password"
    if not (settings.admin_email or settings.admin_password or kept.exists()):
        return None
    email = settings.admin_email or "admin@localhost"
    if settings.admin_password:
        return email, settings.admin_password.get_secret_value()
    return email, _kept(kept, 9)


def _kept(path: Path, size: int) -> str:
    """A secret created once and kept in a file that only its owner can read."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(size))
    found = path.read_text().strip()
    if not found:
        raise UpError(f"{path} is empty: remove it and start again")
    return found


def _check_ports(settings: Settings) -> None:
    wanted = [("LATCHKEY_PORT", settings.port)]
    if _rehearses(settings, settings.data):
        wanted.append(("LATCHKEY_SANDBOX_PORT", settings.sandbox_port))
    if settings.temporal_address is None:
        wanted.append(("LATCHKEY_TEMPORAL_PORT", settings.temporal_port))
        wanted.append(("LATCHKEY_TEMPORAL_UI_PORT", settings.temporal_ui_port))
    for variable, port in wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise UpError(
                    f"port {port} is in use: stop the program using it, or choose another port"
                    f" with {variable}"
                ) from None


def _rehearses(settings: Settings, data: Path) -> bool:
    """Whether the sandbox stands in for Stripe: without a key, until it is left."""
    return settings.stripe_secret_key is None and not sandbox_exit.has_left(data)


async def _check_rehearsal(plan: Plan, database: SecretStr) -> None:
    """Keep a Stripe account out of a database whose products are linked to the sandbox's. Raises
    `UpError`."""
    pool = await create_pool(database.get_secret_value(), max_size=1)
    try:
        async with pool.acquire() as connection:
            if plan.rehearses:
                await leaving_sandbox.note_use(connection)
            elif await leaving_sandbox.is_tied(connection):
                raise UpError(
                    "the products in this database are linked to the sandbox's: start once without"
                    " STRIPE_SECRET_KEY and choose “Leave the sandbox” under Connectors, or set"
                    " LATCHKEY_DATA or DATABASE_URL to begin with another one"
                )
    finally:
        await pool.close()


async def _checked(url: str, token: str, states: Sequence[str]) -> bool:
    """Whether the worker has checked the Stripe key, by the connection's state."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(timeout=5, headers=headers) as client:
            return (await client.get(url)).json().get("stripe") in states
    except (httpx.HTTPError, ValueError):
        return False


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2) as client:
            return (await client.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
