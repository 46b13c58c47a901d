"""OpenTelemetry traces, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set: from a webhook through the relay
and Temporal to the transaction that gives access.

Without that setting nothing of OpenTelemetry is imported, and a span costs a function call. With
it, a share of what arrives is traced. That is decided once, where a trace begins: what isn't kept
gets no spans, ids or headers. Spans hold ids, never addresses or bodies, and of errors only their
type.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span, Tracer

STOP_SECONDS = 3.0
"""How long the end of a process waits at most until its last spans are sent."""

_OFF: AbstractContextManager[None] = nullcontext()
_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None
_share = 0.0
_around: "Callable[[], Span] | None" = None
"""Gives the span around this, where traces are on."""


def start(endpoint: str | None, *, share: float, program: str) -> None:
    """Send this process's spans to an OTLP receiver, by HTTP; without an endpoint, do nothing.
    `share` is how much of what begins here is traced, from 0 to 1.

    Headers and batching are those of OpenTelemetry's own variables (`OTEL_…`).
    """
    global _provider, _tracer, _share, _around
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON
    from opentelemetry.trace import get_current_span

    _provider = TracerProvider(
        sampler=DEFAULT_ON,
        resource=Resource.create({"service.name": f"latchkey-{program}"}),
        shutdown_on_exit=False,
    )
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    _tracer = _provider.get_tracer("latchkey")
    _share = share
    _around = get_current_span


def stop() -> None:
    """Send what is left, for `STOP_SECONDS` at most, and trace no more. By itself, OpenTelemetry
    waits half a minute for a receiver that doesn't answer."""
    global _provider, _tracer, _around
    if _provider is not None:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)
    _provider = _tracer = _around = None


def tracer() -> "Tracer | None":
    """What makes spans; None if traces are off."""
    return _tracer


def chosen() -> bool:
    """Whether what begins now is traced. Ask once for each."""
    return _tracer is not None and random.random() < _share


def root(name: str) -> AbstractContextManager[Any]:
    """The first span of a trace that was `chosen`."""
    return _OFF if _tracer is None else _spanned(_tracer, name, (), {})


def span(
    name: str,
    *,
    traces: Sequence[str | None] = (),
    **attributes: str | int | Sequence[str] | None,
) -> AbstractContextManager[Any]:
    """A span around a block, in the first of the stored `traces` that led to it, with links to the
    others, or within the span around it. Nothing, if none of these was chosen."""
    if _tracer is None:
        return _OFF
    kept = [trace for trace in traces if trace]
    return _spanned(_tracer, name, kept, attributes) if kept or is_recording() else _OFF


def note(**attributes: str | int) -> None:
    """Add to the span around this."""
    if (current := _recording()) is not None:
        current.set_attributes(_named(attributes))


def link(traces: Sequence[str | None]) -> None:
    """Link the span around this to others, by their `traceparent`."""
    if (current := _recording()) is not None:
        for other in _links([trace for trace in traces if trace]):
            current.add_link(other.context)


def traceparent() -> str | None:
    """The span around this, as the W3C's header has it; None if there is none."""
    if not is_recording():
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier["traceparent"]


def is_recording() -> bool:
    """Whether a span is around this."""
    return _recording() is not None


def _recording() -> "Span | None":
    if _around is None:
        return None
    current = _around()
    return current if current.is_recording() else None


@contextmanager
def _spanned(
    tracer: "Tracer", name: str, traces: Sequence[str], attributes: dict[str, Any]
) -> Iterator[None]:
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(
        name,
        _context(traces[0]) if traces else None,
        links=_links(traces[1:]),
        attributes=_named(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"latchkey.{key}": value for key, value in attributes.items() if value is not None}


def _context(trace: str) -> "Context":
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": trace})


def _links(traces: Sequence[str]) -> "list[Link]":
    from opentelemetry.trace import Link, get_current_span

    given = [get_current_span(_context(one)).get_span_context() for one in traces]
    return [Link(context) for context in given if context.is_valid]
