"""OpenTelemetry traces, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set: from a webhook through the relay
and Temporal to the transaction that gives access.

Without that setting nothing of OpenTelemetry is imported, and a span costs a function call. Spans
hold ids, never addresses or bodies, and of errors only their type.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Tracer

STOP_SECONDS = 3.0
"""How long the end of a process waits at most until its last spans are sent."""

_OFF: AbstractContextManager[None] = nullcontext()
_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None


def start(endpoint: str | None, *, program: str) -> None:
    """Send this process's spans to an OTLP receiver, by HTTP; without an endpoint, do nothing.

    Headers, sampling and batching are those of OpenTelemetry's own variables (`OTEL_…`).
    """
    global _provider, _tracer
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider(
        resource=Resource.create({"service.name": f"latchkey-{program}"}), shutdown_on_exit=False
    )
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    _tracer = _provider.get_tracer("latchkey")


def stop() -> None:
    """Send what is left, for `STOP_SECONDS` at most, and trace no more. By itself, OpenTelemetry
    waits half a minute for a receiver that doesn't answer."""
    global _provider, _tracer
    if _provider is not None:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)
    _provider = _tracer = None


def tracer() -> "Tracer | None":
    """What makes spans; None if traces are off."""
    return _tracer


def span(
    name: str,
    *,
    parent: str | None = None,
    links: Sequence[str | None] = (),
    **attributes: str | int | Sequence[str] | None,
) -> AbstractContextManager[Any]:
    """A span around a block. Its parent is the one around it, or that of a stored `traceparent`.
    `links` are further ones that led to it."""
    return _OFF if _tracer is None else _spanned(_tracer, name, parent, links, attributes)


def note(**attributes: str | int) -> None:
    """Add to the span around this."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_named(attributes))


def link(traces: Sequence[str | None]) -> None:
    """Link the span around this to others, by their `traceparent`."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        for other in _links(traces):
            get_current_span().add_link(other.context)


def traceparent() -> str | None:
    """The span around this, as the W3C's header has it; None if there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def _spanned(
    tracer: "Tracer",
    name: str,
    parent: str | None,
    links: Sequence[str | None],
    attributes: dict[str, Any],
) -> Iterator[None]:
    from opentelemetry.trace import StatusCode

    with tracer.start_as_current_span(
        name,
        _context(parent) if parent else None,
        links=_links(links),
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


def _links(traces: Sequence[str | None]) -> "list[Link]":
    from opentelemetry.trace import Link, get_current_span

    given = [get_current_span(_context(one)).get_span_context() for one in traces if one]
    return [Link(context) for context in given if context.is_valid]
