"""Real servers on free ports for tests, and a whole Latchkey in one event loop."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import asyncpg
import httpx
import psutil
import uvicorn
from google.protobuf.duration_pb2 import Duration
from starlette.applications import Starlette
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

import worker
from latchkey import contracts
from latchkey.embedded import prepare_postgres, temporal_argv
from latchkey.serving import OPTIONS as SERVING
from latchkey.settings import Settings
from latchkey.store.migrate import migrate
from latchkey.store.pool import Pool, create_pool
from sandbox.box import Sandbox, build
from sandbox.schema import Published
from sandbox.server import create_app as create_sandbox
from web.app import create_app

Json = dict[str, Any]

KEY = "sk_test_latchkey"
TOKEN = "token-for-the-tests-of-latchkey"
SECRET = "a secret for the tests of latchkey"
SECRETS = (SECRET,)
ADMIN, PASSWORD = "owner@site.example", "correct horse battery"
PATIENCE = 90.0
"""Seconds. Long, since a wait that succeeds never takes them: only a failure is late."""
SALES = {
    "charge.succeeded",
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "invoice.paid",
}
LEFT = (
    "select id, type, target_id, state, error from events"
    " where state not in ('handled', 'ignored')",
    "select product_id, state, error from links where state <> 'listening'",
    "select id, kind, to_email, state, error from mails where state <> 'sent'",
)
"""What can be left to do, for a test that has failed."""
REFRESH = "500ms"
"""How soon a Temporal server runs the schedules of a new namespace."""
PLANS = ("plan_cache_mode=force_generic_plan", "jit=off")
"""Have Postgres plan each statement of a connection once. Tests have few rows and many databases:
planning again for each value would take more than half of its time."""

_ROOMY = 4 * 1024**3
"""Bytes free in memory from which on databases are kept there."""

_numbers = itertools.count()


def _own_ports() -> Iterator[int]:
    """Ports that no other process of tests takes: each has the blocks that it has locked. They lie
    below those that systems give to outgoing connections, and browsers refuse none of them."""
    folder = Path(tempfile.gettempdir(), "latchkey-test-ports")
    folder.mkdir(exist_ok=True)
    for first in range(11_000, 32_000, 500):
        block = (folder / str(first)).open("w")
        try:
            fcntl.flock(block, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            block.close()
            continue
        _locked.append(block)
        yield from range(first, first + 500)
    raise RuntimeError("no ports are left")


_locked: list[IO[str]] = []
_ports = _own_ports()


def free_port() -> int:
    """A port that nothing uses, and that no other test takes before it is listened on. Never the
    same twice in a process."""
    while True:
        port = next(_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def shortly() -> int:
    """Seconds until an end that a test sees come: enough to get ready for it, so the more, the
    busier the machine is."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(40, round(8 * max(1.0, waiting / 3)))


async def until(
    condition: Callable[[], Awaitable[Any]], what: str, *, seconds: float = PATIENCE
) -> Any:
    """Wait until the condition holds and return its value; fail if it never does.

    Asks often at first and then ever more rarely, since asking keeps a processor busy."""
    started = time.monotonic()
    while not (value := await condition()):
        waited = time.monotonic() - started
        if waited > seconds:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        await asyncio.sleep(min(0.02 + waited / 10, 0.25))
    return value


def http_client(**options: Any) -> httpx.AsyncClient:
    """A client that waits as long as the tests do. It loads no certificates, which takes longer
    than a request, and asks for nothing compressed: that takes a sixth of a page's time."""
    headers = httpx.Headers({"accept-encoding": "identity"})
    headers.update(options.pop("headers", None))
    usual = {"timeout": PATIENCE, "verify": False}
    return httpx.AsyncClient(headers=headers, **{**usual, **options})


@dataclass(frozen=True)
class Postgres:
    """A running server with a migrated template database."""

    dsn: Callable[[str], str]

    async def create(self) -> str:
        """Create a migrated database; returns its URL."""
        name = f"test_{secrets.token_hex(6)}"
        await self._execute(f"create database {name} template template_latchkey strategy file_copy")
        return self.dsn(name)

    async def create_empty(self) -> str:
        """Create a database that nothing is in yet; returns its URL."""
        name = f"test_{secrets.token_hex(6)}"
        await self._execute(f"create database {name} template template0")
        return self.dsn(name)

    async def drop(self, dsn: str) -> None:
        """Remove a database that `create` made, even while somebody is connected to it."""
        name = next(part for part in re.findall(r"test_[0-9a-f]+", dsn))
        await self._execute(f"drop database {name} with (force)")

    async def _execute(self, statement: str) -> None:
        admin = await asyncpg.connect(self.dsn("postgres"))
        try:
            await admin.execute(statement)
        finally:
            await admin.close()


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """A temporary folder, in memory where there is room.

    A database consists of 300 files, and creating them in memory takes a tenth of the time. What
    killed runs have left in memory is removed first.
    """
    memory = Path("/dev/shm")
    for left in memory.glob("latchkey-tests-*-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOMY
    with tempfile.TemporaryDirectory(
        dir=memory if roomy else None,
        prefix=f"latchkey-tests-{os.getpid()}-",
        ignore_cleanup_errors=True,
    ) as folder:
        yield Path(folder)


@contextlib.contextmanager
def run_postgres(folder: Path) -> Iterator[Postgres]:
    """A temporary Postgres."""
    prepared = prepare_postgres(folder, durable=False)
    argv = [*prepared.argv, *(f"-c{option}" for option in PLANS)]
    process = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **prepared.identity
    )
    try:
        asyncio.run(_make_template(prepared.dsn))
        yield Postgres(prepared.dsn)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


async def _make_template(dsn: Callable[[str], str]) -> None:
    async def connects() -> bool:
        try:
            connection = await asyncpg.connect(dsn("postgres"))
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.execute("create database template_latchkey")
        await connection.close()
        return True

    await until(connects, "Postgres accepts connections")
    await migrate(dsn("template_latchkey"))


@contextlib.contextmanager
def run_temporal(
    port: int | None = None,
    database: Path | None = None,
    dynamic: Sequence[str] = (),
    threads: int | None = 1,
) -> Iterator[str]:
    """A Temporal dev server: its address. `dynamic` are values of its dynamic configuration, as
    `key=JSON`.

    Several threads would compute an eighth more, and other tests keep the other cores busy; None
    uses all cores. Its collector of garbage takes a ninth of its time, so it runs more rarely."""
    port = port or free_port()
    values = (f'system.namespaceCacheRefreshInterval="{REFRESH}"', *dynamic)
    extra = tuple(f"--dynamic-config-value={value}" for value in values)
    process = subprocess.Popen(
        temporal_argv(database, port=port, ui_port=None, extra=extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"GOGC": "400"} | ({"GOMAXPROCS": str(threads)} if threads else {}),
    )
    try:
        asyncio.run(_temporal_answers(f"127.0.0.1:{port}"))
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def _temporal_answers(address: str) -> None:
    async def answers() -> bool:
        try:
            async with asyncio.timeout(5):
                await Client.connect(address)
        except (RuntimeError, TimeoutError):
            return False
        return True

    await until(answers, "Temporal answers")


async def new_namespace(address: str) -> Client:
    """A client of a new namespace. Each site gets its own, so that no worker takes another site's
    work."""
    name = f"site-{next(_numbers)}"
    client = await Client.connect(address, namespace=name)
    await register_namespace(client, name)
    return client


async def register_namespace(client: Client, name: str) -> None:
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=name, workflow_execution_retention_period=Duration(seconds=86_400)
        )
    )


@dataclass
class Stripe:
    """A sandbox in its own thread, and calls to it."""

    box: Sandbox
    url: str
    client: httpx.AsyncClient
    chosen_ids: list[str] = field(default_factory=list)
    """Ids that the next customers get, as shops could choose them until 2018."""

    def __post_init__(self) -> None:
        world = self.box.shop.world
        made = world.new_id

        def new_id(prefix: str, size: int = 24) -> str:
            chosen = prefix == "cus" and self.chosen_ids
            return self.chosen_ids.pop(0) if chosen else made(prefix, size)

        world.new_id = new_id  # type: ignore[method-assign]

    async def get(self, path: str, **params: Any) -> Json:
        answer = await self.client.get(f"/v1/{path}", params=params)
        return _checked(answer)

    async def post(self, path: str, **params: Any) -> Json:
        answer = await self.client.post(f"/v1/{path}", data=flat(params))
        return _checked(answer)

    async def delete(self, path: str) -> Json:
        return _checked(await self.client.delete(f"/v1/{path}"))

    async def control(self, path: str, **given: Any) -> Json:
        return _checked(await self.client.post(f"/_sandbox/{path}", json=given))

    async def product(self, name: str = "Course") -> str:
        return str((await self.post("products", name=name))["id"])

    async def price(self, product: str, amount: int = 1500, *, every: str | None = "month") -> str:
        recurring = {"interval": every} if every else None
        made = await self.post(
            "prices", product=product, currency="usd", unit_amount=amount, recurring=recurring
        )
        return str(made["id"])

    async def customer(self, email: str | None, *, card: str = "pm_card_visa") -> str:
        made = await self.post(
            "customers",
            email=email,
            name="Test Person",
            payment_method=card,
            invoice_settings={"default_payment_method": card},
        )
        return str(made["id"])

    async def subscribe(self, email: str | None, price: str, **params: Any) -> Json:
        """A customer with a subscription, made through the API."""
        customer = await self.customer(email)
        return await self.post(
            "subscriptions", customer=customer, items=[{"price": price}], **params
        )

    async def checkout(self, *prices: str, mode: str = "subscription", **params: Any) -> Json:
        lines = [{"price": price, "quantity": 1} for price in prices]
        usual = {"success_url": "http://127.0.0.1/thanks"}
        return await self.post(
            "checkout/sessions", mode=mode, line_items=lines, **{**usual, **params}
        )

    async def pay(self, session: Json, email: str, **buyer: Any) -> Json:
        """Pay a session as its page does; the session afterwards."""
        answer = await self.control(f"checkout/{session['id']}/pay", email=email, **buyer)
        assert answer["outcome"] == "complete", answer["outcome"]
        found: Json = answer["session"]
        return found

    async def buy(self, email: str, *prices: str, mode: str = "subscription", **buyer: Any) -> Json:
        return await self.pay(await self.checkout(*prices, mode=mode), email, **buyer)

    def never_settles(self) -> None:
        """Leave bank debits pending until a test settles them. By themselves they take seconds."""
        self.box.shop.settings.delayed_seconds = 86_400.0

    async def past(self) -> None:
        """Wait until no sale lies in this second. Stripe's times are whole seconds: a sale in the
        second of a link may count as before it or after it. Sales of test clocks may lie ahead."""

        async def earlier() -> bool:
            events = list(self.box.shop.world.table("event").values())
            sales = {event["created"] for event in events if event["type"] in SALES}
            return int(time.time()) not in sales

        await until(earlier, "every sale lies in an earlier second")

    async def delivered(self) -> None:
        """Wait until every webhook was attempted once."""
        answer = await self.control("idle", seconds=PATIENCE)
        assert answer["idle"], f"webhooks were still on their way after {PATIENCE} s"

    def problems(self) -> list[str]:
        """Findings of the sandbox's own checks, which must stay empty."""
        return self.box.shop.problems


def _checked(answer: httpx.Response) -> Json:
    assert answer.status_code < 400, f"{answer.request.url}: {answer.text}"
    body: Json = answer.json()
    return body


def flat(given: Any, prefix: str = "") -> dict[str, str]:
    """Stripe's form encoding of nested parameters, leaving out None."""
    made: dict[str, str] = {}
    entries = given.items() if isinstance(given, dict) else enumerate(given)
    for key, value in entries:
        name = f"{prefix}[{key}]" if prefix else str(key)
        if isinstance(value, dict | list):
            made |= flat(value, name)
        elif isinstance(value, bool):
            made[name] = str(value).lower()
        elif value is not None:
            made[name] = str(value)
    return made


@contextlib.contextmanager
def run_sandbox(published: Published, **options: Any) -> Iterator[Stripe]:
    """A sandbox server in a thread."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    box = build(base_url=url, published=published, **options)
    server = uvicorn.Server(
        uvicorn.Config(
            create_sandbox(box),
            host="127.0.0.1",
            port=port,
            log_level="error",
            timeout_keep_alive=75,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert time.monotonic() < deadline, "the sandbox did not start"
        time.sleep(0.01)
    client = httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=2 * PATIENCE,
        verify=False,
    )
    try:
        yield Stripe(box, url, client)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@dataclass
class Latchkey:
    """A running site with its worker, on its own database and sandbox."""

    settings: Settings
    stripe: Stripe
    pool: Pool
    url: str
    api: httpx.AsyncClient
    temporal: Client
    namespace: str
    _worker: asyncio.Task[None] | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _server: uvicorn.Server | None = None
    _serving: asyncio.Task[None] | None = None
    _app: Starlette | None = None

    async def start_web(self) -> None:
        """Start serving at the site's address, also after a stop."""
        os.environ["TEMPORAL_NAMESPACE"] = self.namespace
        port = int(self.url.rpartition(":")[2])
        self._app = app = create_app(self.settings)
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", **SERVING)
        self._server = server = uvicorn.Server(config)
        self._serving = serving = asyncio.create_task(server.serve())

        async def started() -> bool:
            if serving.done():
                serving.result()
            return server.started

        await until(started, "the web process starts")

    def forget(self) -> None:
        """Have the next page read again all that the web process keeps for some seconds."""
        self.forget_alarms()
        assert self._app is not None
        site = self._app.state.site
        site._look_until, site.numbers, site.members = 0.0, None, (0.0, {})

    def forget_alarms(self) -> None:
        """Have the next page read the alarms again, which are kept for some seconds."""
        assert self._app is not None, "the web process runs"
        self._app.state.site.bell.forget()

    async def without_texts(self) -> None:
        """Delete what the team wrote for members' pages, and have the next page know it."""
        assert self._app is not None, "the web process runs"
        await self.pool.execute("delete from page_texts")
        self._app.state.site.texts = {}

    async def connected(self) -> None:
        """Wait until Stripe is connected and the endpoint registered."""

        async def connected() -> bool:
            state = await self.pool.fetchval(
                "select state || endpoint_state from stripe_connection"
            )
            return state in ("connectedregistered", "connectedmanual")

        await until(connected, "Stripe is connected and the endpoint registered")

    async def stop_web(self) -> None:
        if self._server and self._serving:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None

    async def quiet(self, kinds: Collection[str] = ()) -> None:
        """Wait until everything is settled and all runs are idle, or all of these types."""
        await self.settled()
        running = "ExecutionStatus = 'Running'"
        if kinds:
            running += f" and WorkflowType in ({', '.join(repr(kind) for kind in kinds)})"

        async def idle() -> bool:
            assert self._app is not None, "the web process runs"
            if not self._app.state.relay.idle:
                return False
            async for run in self.temporal.list_workflows(running):
                found = await self.temporal.get_workflow_handle(run.id).describe()
                raw = found.raw_description
                if raw.pending_activities or raw.HasField("pending_workflow_task"):
                    return False
            return True

        await until(idle, "no run has anything left to do")

    async def terminate(self, query: str) -> None:
        """Terminate the runs that a query finds. The list lags behind the runs: one that it shows
        as running may have ended."""
        async for run in self.temporal.list_workflows(query):
            try:
                await self.temporal.get_workflow_handle(run.id).terminate()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    async def pause_catch_up(self, note: str | None = None) -> None:
        """Have nothing look for missed events from now on. A worker looks when it starts, which
        may begin after a test has: that look is over then."""
        schedule = self.temporal.get_schedule_handle(contracts.CATCH_UP_SCHEDULE_ID)

        async def looked() -> bool:
            info = (await schedule.describe()).info
            return bool(info.recent_actions) and not info.running_actions

        try:
            await until(looked, "the worker that started has looked for missed events")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self._runs_of(schedule)}") from None
        await schedule.pause(note=note)

    async def _runs_of(self, schedule: ScheduleHandle) -> str:
        """What a schedule has started, and what its running workflows wait for."""
        info = (await schedule.describe()).info
        said = [f"started: {info.recent_actions}, running: {info.running_actions}"]
        for action in info.running_actions:
            assert isinstance(action, ScheduleActionExecutionStartWorkflow)
            run = self.temporal.get_workflow_handle(
                action.workflow_id, run_id=action.first_execution_run_id
            )
            said.append(str((await run.describe()).raw_description))
        return "\n".join(said)

    async def start_worker(self) -> None:
        os.environ["TEMPORAL_NAMESPACE"] = self.namespace
        self._stop = asyncio.Event()
        self._worker = asyncio.create_task(worker.run(self.settings, self._stop))

    async def stop_worker(self) -> None:
        """Stop the worker as a deploy does."""
        self._stop.set()
        if self._worker:
            await self._worker
            self._worker = None

    def spawn_worker(self) -> subprocess.Popen[bytes]:
        """A worker in its own process, as `latchkey worker` starts it, for tests that kill it."""
        return subprocess.Popen(
            [sys.executable, "-m", "latchkey.cli", "worker"],
            env=environment_of(self.settings) | {"TEMPORAL_NAMESPACE": self.namespace},
        )

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Json:
        answer = await self.api.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    async def product(self, name: str = "Course", **given: Any) -> str:
        body = {"name": name, "status": "live", **given}
        return str((await self.call("POST", "/products", 201, json=body))["id"])

    async def link(self, product: str, stripe_product: str, *, mail: str = "send") -> Json:
        """Link and wait until the link listens. Whoever bought earlier bought before the link."""
        await self.know(stripe_product)
        await self.stripe.past()
        body = {"stripe_product": stripe_product, "mail": mail}
        await self.call("PUT", f"/products/{product}/link", 202, json=body)
        return await self.listening(product)

    async def know(self, stripe_product: str) -> None:
        """Wait until the catalog has the Stripe product and its prices. Events bring them for a
        tenth of what reading the whole account costs, which is left for those made without any."""
        await self.stripe.delivered()

        async def heard() -> bool:
            left = await self.pool.fetchval(
                """
                select count(*) from events
                 where target_id ~ '^(product|price)/' and state in ('waiting', 'relayed')
                """
            )
            return bool(left == 0)

        async def known() -> bool:
            answer = await self.call("GET", "/stripe/products", params={"search": stripe_product})
            return bool(answer["data"])

        await until(heard, "every event about products and prices is handled")
        if not await known():
            await self.call("GET", "/stripe/products", params={"refresh": "true"})
        await until(known, f"{stripe_product} in the catalog")

    async def listening(self, product: str) -> Json:
        async def listens() -> Json | None:
            found = await self.call("GET", f"/products/{product}/link")
            assert found["state"] != "failed", found
            return found if found["state"] == "listening" else None

        found: Json = await until(listens, f"{product} listens")
        return found

    async def access(self, product: str, email: str) -> Json:
        return await self.call("GET", "/access", params={"product": product, "email": email})

    async def has(self, product: str, email: str, *, access: bool = True) -> Json:
        """Wait until the person has access, or no longer has it."""

        async def settled() -> Json | None:
            found = await self.access(product, email)
            return found if found["access"] is access else None

        found: Json = await until(settled, f"access of {email} is {access}")
        return found

    async def lines(self, **filters: Any) -> list[Json]:
        data: list[Json] = (
            await self.call("GET", "/activities", params={"limit": 200, **filters})
        )["data"]
        return data

    async def settled(self) -> None:
        """Wait until every event is delivered, relayed and handled."""
        await self.stripe.delivered()

        async def done() -> bool:
            left = await self.pool.fetchval(
                "select count(*) from events where state in ('waiting', 'relayed')"
            )
            return bool(left == 0)

        await until(done, "every event is handled")

    async def tell(self) -> None:
        """Print what isn't done, for a test that has failed."""
        if self._worker and self._worker.done() and not self._worker.cancelled():
            print(f"The site's worker has ended: {self._worker.exception()!r}")  # noqa: T201
        print("What the site has left to do:")  # noqa: T201
        for query in LEFT:
            for row in await self.pool.fetch(query):
                print(dict(row))  # noqa: T201
        async for run in self.temporal.list_workflows("ExecutionStatus = 'Running'"):
            raw = (await self.temporal.get_workflow_handle(run.id).describe()).raw_description
            if raw.pending_activities or raw.HasField("pending_workflow_task"):
                print(f"{run.id} is at work:\n{raw}")  # noqa: T201
        schedule = self.temporal.get_schedule_handle(contracts.CATCH_UP_SCHEDULE_ID)
        print(f"Looks for missed events: {await self._runs_of(schedule)}")  # noqa: T201


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that a command of Latchkey with these settings needs."""
    names = {name: field.alias for name, field in Settings.model_fields.items()}
    given = {
        str(names[name]): value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in settings
        if value is not None
    }
    return os.environ | {name: str(value) for name, value in given.items()}


@contextlib.asynccontextmanager
async def prepare_latchkey(
    dsn: str, temporal_address: str, stripe: Stripe, **given: Any
) -> AsyncIterator[Latchkey]:
    """A site that nothing runs yet, with a namespace of its own; see `run_latchkey`."""
    port = given.get("LATCHKEY_PORT") or free_port()
    url = f"http://127.0.0.1:{port}"
    client = await new_namespace(temporal_address)
    os.environ["TEMPORAL_NAMESPACE"] = client.namespace
    settings = Settings.model_validate(
        {
            "DATABASE_URL": dsn,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_API_BASE": stripe.url,
            "LATCHKEY_PUBLIC_URL": url,
            "LATCHKEY_SECRET": SECRET,
            "LATCHKEY_API_TOKEN": TOKEN,
            "LATCHKEY_ADMIN_EMAIL": ADMIN,
            "LATCHKEY_ADMIN_PASSWORD": PASSWORD,
            "LATCHKEY_STRIPE_RATE": 1000,
            "LATCHKEY_OUTGOING_NETWORKS": "127.0.0.0/8",
            **given,
        }
    )
    api = httpx.AsyncClient(
        base_url=f"{url}/api/v1",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=PATIENCE,
        verify=False,
        limits=httpx.Limits(keepalive_expiry=2),
    )
    async with api, await create_pool(dsn) as pool:
        yield Latchkey(settings, stripe, pool, url, api, client, client.namespace)


@contextlib.asynccontextmanager
async def run_latchkey(
    dsn: str, temporal_address: str, stripe: Stripe, **given: Any
) -> AsyncIterator[Latchkey]:
    """Web and worker in this event loop; Temporal is found by its environment variables.

    With `STRIPE_SECRET_KEY` None it isn't connected until a key is entered. `LATCHKEY_PORT` has it
    return to an address.
    """
    async with prepare_latchkey(dsn, temporal_address, stripe, **given) as site:
        await site.start_web()
        await site.start_worker()
        try:
            if site.settings.stripe_secret_key is not None:
                await site.connected()
            yield site
        finally:
            await site.stop_worker()
            await site.stop_web()
