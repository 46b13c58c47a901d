"""Keeps a copy of a site out of the Temporal namespace that its original works in.

Both have the same settings. Were the copy's worker to take tasks there, what happens would be
written to the copy, and its original would miss it. The identity of a worker names its database, so
a copy sees whether others take tasks. As long as they do, Temporal is away for it.
"""

import asyncio
import math
import os
import socket
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    TriggerScheduleInput,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from latchkey import contracts
from latchkey.store import site_identity
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteIdentity, SiteRole

FRESH_SECONDS = 5.0
LOOK_SECONDS = 2.0
SAY_EVERY_SECONDS = 60.0
PATIENCE = timedelta(seconds=5)

log = structlog.get_logger("namespace")


def worker_identity(identity: SiteIdentity) -> str:
    """What a worker of this process is called in Temporal."""
    return f"{os.getpid()}@{socket.gethostname()}{_suffix(identity)}"


async def is_taken(client: Client, identity: SiteIdentity) -> bool:
    """Whether workers of another database have taken tasks in the namespace within the last
    minutes. Never for the site itself. Raises `RPCError`."""
    if identity.role is SiteRole.ORIGINAL:
        return False
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=contracts.MAIN_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=PATIENCE,
    )
    own = _suffix(identity)
    return any(not poller.identity.endswith(own) for poller in answer.pollers)


async def await_free(client: Client, pool: Pool, address: str, stop: asyncio.Event) -> None:
    """Wait until the namespace isn't taken, the site is adopted, or `stop` is set. Says what it
    waits for."""
    said_at = -math.inf
    while not stop.is_set():
        async with pool.acquire() as connection:
            identity = await site_identity.read(connection, address)
        try:
            if not await is_taken(client, identity):
                return
            why = "this is a copy, and its original works in the same Temporal namespace: waiting"
        except (RPCError, RuntimeError) as error:
            why = f"this is a copy, and Temporal doesn't say whether its original works: {error}"
        if time.monotonic() - said_at > SAY_EVERY_SECONDS:
            said_at = time.monotonic()
            log.warning(why, namespace=client.namespace)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()


def _suffix(identity: SiteIdentity) -> str:
    return f"/{identity.instance}"


class NamespaceGuard(Interceptor):
    """Refuses calls that start or signal workflows while the namespace is taken, as if Temporal
    didn't answer."""

    def __init__(self, pool: Pool, address: str) -> None:
        self._pool = pool
        self._address = address
        self._client: Client | None = None
        self._taken = False
        self._read_at = -FRESH_SECONDS

    def watch(self, client: Client) -> None:
        """Look through a client at who works in its namespace."""
        self._client = client

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Guarded(next, self)

    async def check(self) -> None:
        """Raise `RPCError` while the namespace is taken."""
        assert self._client is not None, "watch is called first"
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            async with self._pool.acquire() as connection:
                identity = await site_identity.read(connection, self._address)
            self._taken = await is_taken(self._client, identity)
            self._read_at = time.monotonic()
        if self._taken:
            message = "the original of this copy works in the same namespace"
            raise RPCError(message, RPCStatusCode.UNAVAILABLE, b"")


class _Guarded(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, guard: NamespaceGuard) -> None:
        super().__init__(next)
        self._guard = guard

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        await self._guard.check()
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        await self._guard.check()
        await super().signal_workflow(input)

    async def trigger_schedule(self, input: TriggerScheduleInput) -> None:
        await self._guard.check()
        await super().trigger_schedule(input)
