"""OpenTelemetry's spans, as `tracing` makes them. Imported only where traces are on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_within: ContextVar[bool] = ContextVar("within a trace", default=False)
"""Whether a span is around this. Each transaction asks, and OpenTelemetry takes several times as
long to answer."""


class Spans:
    """Makes this process's spans, and sends them to an OTLP receiver."""

    def __init__(self, endpoint: str, program: str) -> None:
        self.provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": f"latchkey-{program}"}),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("latchkey")

    def span(self, name: str, traces: Sequence[str], attributes: dict[str, Any]) -> "Spanned":
        """A span in the first of `traces`, with links to the others, or within the span around."""
        return Spanned(
            self.tracer.start_span(
                name,
                _context(traces[0]) if traces else None,
                links=links(traces[1:]) if len(traces) > 1 else None,
                attributes=attributes,
            )
        )


class Spanned:
    """A span around a block. OpenTelemetry's own context managers cost as much again as the span
    itself, and put an error's words into it."""

    __slots__ = ("_before", "_outer", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._before = attach(set_span_in_context(self._span))
        self._outer = _within.set(True)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            self._span.set_status(StatusCode.ERROR, type(error).__name__)
        _within.reset(self._outer)
        detach(self._before)
        self._span.end()


@contextmanager
def within() -> Iterator[None]:
    """Surrounds a block in which something else makes spans, as Temporal's interceptor does."""
    outer = _within.set(True)
    try:
        yield
    finally:
        _within.reset(outer)


def around() -> Span | None:
    """The span around this."""
    if not _within.get():
        return None
    current = get_current_span()
    return current if current.is_recording() else None


def traceparent() -> str:
    """The span around this, as the W3C's header has it."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier["traceparent"]


def links(traces: Sequence[str]) -> list[Link]:
    """Links to spans, given by their `traceparent`."""
    given = [get_current_span(_context(one)).get_span_context() for one in traces]
    return [Link(context) for context in given if context.is_valid]


def _context(trace: str) -> Context:
    return _W3C.extract({"traceparent": trace})
