"""The worker's own port: its metrics with those of Temporal's core, and whether it works."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime
from temporalio.service import RPCError

from latchkey import contracts, temporal
from latchkey.serving import InnerServer
from latchkey.supervision import LoopSupervisor

HOST = "127.0.0.1"
PATIENCE_SECONDS = 2
LONGEST_POLL = timedelta(seconds=150)
"""A poll lasts a minute at most; twice that and a reserve."""
AWAY, WAITING = "unreachable", "waiting"


@dataclass
class Work:
    """What the worker is at: nothing while it waits for Temporal or, as a copy, for its original's
    workers to leave the namespace."""

    client: Client | None = None
    supervisor: LoopSupervisor | None = None


class _Core(Collector):
    """Reads the metrics that Temporal's core serves on its own port."""

    def __init__(self, port: int) -> None:
        self._address = f"http://{HOST}:{port}/metrics"

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with urllib.request.urlopen(self._address, timeout=PATIENCE_SECONDS) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError):
            return
        yield from text_string_to_metric_families(text)


@contextmanager
def measured(port: int | None) -> Iterator[Runtime | None]:
    """The runtime to connect to Temporal with, whose metrics `served` serves with ours; None
    without a port."""
    if port is None:
        yield None
        return
    inner = _free_port()
    core = _Core(inner)
    REGISTRY.register(core)
    try:
        config = PrometheusConfig(bind_address=f"{HOST}:{inner}")
        yield temporal.make_runtime(config)
    finally:
        REGISTRY.unregister(core)


@asynccontextmanager
async def served(port: int | None, *, host: str = HOST) -> AsyncIterator[Work]:
    """Serve `/metrics`, `/healthz` and `/readyz` while the block runs, which says what the worker
    is at. Raises `OSError` if the port isn't free."""
    work = Work()
    if port is None:
        yield work
        return
    with socket.create_server((host, port)) as listening:
        server = InnerServer(
            uvicorn.Config(app(work), log_config=None, log_level="error", access_log=False)
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield work
        finally:
            server.should_exit = True
            await serving


def app(work: Work) -> Starlette:
    """The application that the port serves."""

    async def metrics(_: Request) -> Response:
        text = await asyncio.to_thread(generate_latest, REGISTRY)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def answer(fine: set[str]) -> Response:
        polls = await polling(work.client)
        healthy = fine.issuperset(polls.values())
        loops = ", ".join(loop.name for loop in work.supervisor.stuck) if work.supervisor else ""
        body = {"healthy": healthy, "polling": polls, "loops": f"stuck: {loops}" if loops else "ok"}
        return JSONResponse(body, 200 if healthy else 503)

    async def healthz(_: Request) -> Response:
        """503 where a restart may help: Temporal answers, but doesn't hear from this worker."""
        return await answer({"ok", AWAY, WAITING})

    async def readyz(_: Request) -> Response:
        """503 unless this worker takes tasks from Temporal."""
        return await answer({"ok"})

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    return Starlette(routes=routes)


async def polling(client: Client | None) -> dict[str, str]:
    """Whether this process takes tasks, for each of its task queues: `ok`, `waiting` if it doesn't
    want to yet, `unreachable` if Temporal doesn't answer, or since when Temporal hasn't heard from
    it."""
    asked = [
        (contracts.MAIN_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
        (contracts.MAIN_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
        (contracts.STRIPE_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
        (contracts.WEBHOOK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
    ]
    labels = ["workflows", "activities", "stripe", "webhooks"]
    if client is None:
        return dict.fromkeys(labels, WAITING)
    states = await asyncio.gather(*(_polls(client, queue, kind) for queue, kind in asked))
    return dict(zip(labels, states, strict=True))


async def _polls(client: Client, queue: str, kind: TaskQueueType.ValueType) -> str:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    try:
        answer = await client.workflow_service.describe_task_queue(
            request, timeout=timedelta(seconds=PATIENCE_SECONDS)
        )
    except (RPCError, RuntimeError):
        return AWAY
    mine = [
        poller.last_access_time.ToDatetime(UTC)
        for poller in answer.pollers
        if poller.identity == client.identity
    ]
    if not mine:
        return "never heard of"
    latest = max(mine)
    if datetime.now(UTC) - latest > LONGEST_POLL:
        return f"not heard of since {latest.isoformat(timespec='seconds')}"
    return "ok"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
