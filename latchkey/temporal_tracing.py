"""Carries traces through Temporal. Imported only where traces are on.

What isn't traced costs nothing here: Temporal's own interceptor makes the spans, and it is passed
by where no trace is kept. In workflows no spans are made. A run passes on the trace of the last
signal, and what it does long after belongs to none, since a subscription's run lasts for years.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opentelemetry.trace import Tracer
from temporalio import client, worker, workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor

from latchkey import spans, tracing

LASTING = timedelta(minutes=5)
"""How long what a run does is put down to the last signal, at its retries for example."""
TRACE = "_tracer-data"
"""The header with a trace, as Temporal's interceptors name it."""
UNTRACED = "latchkey-untraced"
"""The header of what follows from something that wasn't chosen, so that no trace begins there."""


class TracesThroughTemporal(client.Interceptor, worker.Interceptor):
    """The interceptor of a client, and so of the workers that use it."""

    def __init__(self, tracer: Tracer) -> None:
        self._spans = TracingInterceptor(tracer)
        self._spans.header_key = TRACE

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        return _Starts(next, self._spans.intercept_client(next))

    def intercept_activity(
        self, next: worker.ActivityInboundInterceptor
    ) -> worker.ActivityInboundInterceptor:
        return _Activities(next, self._spans.intercept_activity(next))

    def workflow_interceptor_class(
        self, input: worker.WorkflowInterceptorClassInput
    ) -> type[worker.WorkflowInboundInterceptor]:
        return PassOn


class _Starts(client.OutboundInterceptor):
    """Latchkey's only calls that carry traces are those that start a run, most with a signal."""

    def __init__(
        self, next: client.OutboundInterceptor, traced: client.OutboundInterceptor
    ) -> None:
        super().__init__(next)
        self._traced = traced

    async def start_workflow(
        self, input: client.StartWorkflowInput
    ) -> client.WorkflowHandle[Any, Any]:
        way = self._traced if tracing.is_recording() else self.next
        return await way.start_workflow(input)


class _Activities(worker.ActivityInboundInterceptor):
    def __init__(
        self, next: worker.ActivityInboundInterceptor, traced: worker.ActivityInboundInterceptor
    ) -> None:
        super().__init__(next)
        self._traced = traced

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        begins = UNTRACED not in input.headers and tracing.chosen()
        if TRACE not in input.headers and not begins:
            return await self.next.execute_activity(input)
        with spans.within():
            return await self._traced.execute_activity(input)


class PassOn(worker.WorkflowInboundInterceptor):
    """Remembers by which trace a run was last signalled, and gives it to the run's activities."""

    def __init__(self, next: worker.WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._headers: dict[str, Payload] = {}
        self._since: datetime | None = None

    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        if self._since is None and TRACE in input.headers:
            self.follow(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: worker.HandleSignalInput) -> None:
        self.follow(input.headers)
        await super().handle_signal(input)

    def follow(self, headers: Mapping[str, Payload]) -> None:
        """Put what is done next down to what came with these headers."""
        trace = headers.get(TRACE)
        self._headers = {UNTRACED: Payload()} if trace is None else {TRACE: trace}
        self._since = workflow.now()

    def headers(self, given: Mapping[str, Payload]) -> Mapping[str, Payload]:
        """The headers of an activity that is started now."""
        if self._since is None or workflow.now() - self._since >= LASTING:
            return given
        return {**given, **self._headers}


class _Outbound(worker.WorkflowOutboundInterceptor):
    def __init__(self, next: worker.WorkflowOutboundInterceptor, inbound: PassOn) -> None:
        super().__init__(next)
        self._inbound = inbound

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._inbound.headers(input.headers)
        return super().start_activity(input)

    def start_local_activity(
        self, input: worker.StartLocalActivityInput
    ) -> workflow.ActivityHandle[Any]:
        input.headers = self._inbound.headers(input.headers)
        return super().start_local_activity(input)
