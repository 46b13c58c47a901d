"""Carries traces through Temporal. Imported only where traces are on.

A subscription's run lasts for years, so what it does isn't part of the trace that started it: it
belongs to that of the last signal, or to none if that was long ago.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from opentelemetry import context as contexts
from opentelemetry.trace import Tracer
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

LASTING = timedelta(minutes=5)
"""How long what a run does is put down to the last signal, at its retries for example."""


def of_client(tracer: Tracer) -> TracingInterceptor:
    """Temporal's own interceptor, for a client and the workers that use it."""
    return TracingInterceptor(tracer)


def of_worker(tracer: Tracer) -> "SignalTraces":
    """What a worker needs beside that of its client."""
    return SignalTraces(tracer)


class SignalTraces(Interceptor):
    """Puts what a run does into the trace of the signal that it follows."""

    def __init__(self, tracer: Tracer) -> None:
        self._reads = TracingInterceptor(tracer)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        reads = self._reads

        class Inbound(_Inbound):
            def traced(self, headers: Mapping[str, Payload]) -> contexts.Context:
                if (given := headers.get(reads.header_key)) is None:
                    return contexts.Context()
                [carrier] = reads.payload_converter.from_payloads([given])
                return reads.text_map_propagator.extract(carrier)

        return Inbound


class _Inbound(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._context = contexts.Context()
        self._since: datetime | None = None

    def traced(self, headers: Mapping[str, Payload]) -> contexts.Context:
        """The trace that headers carry, an empty one if they carry none."""
        raise NotImplementedError

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        if self._since is None:
            self._follow(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        self._follow(input.headers)
        await super().handle_signal(input)

    def _follow(self, headers: Mapping[str, Payload]) -> None:
        self._context, self._since = self.traced(headers), workflow.now()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """The trace to which what is started now belongs."""
        fresh = self._since is not None and workflow.now() - self._since < LASTING
        token = contexts.attach(self._context if fresh else contexts.Context())
        try:
            yield
        finally:
            contexts.detach(token)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, inbound: _Inbound) -> None:
        super().__init__(next)
        self._inbound = inbound

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        with self._inbound.followed():
            return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        with self._inbound.followed():
            return super().start_local_activity(input)
