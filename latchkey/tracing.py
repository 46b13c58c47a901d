"""OpenTelemetry traces, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set: from a webhook through the relay
and Temporal to the transaction that gives access.

Without that setting nothing of OpenTelemetry is imported, and a span costs a function call. With
it, a share of what arrives is traced. That is decided once, where a trace begins: what isn't kept
gets no spans, ids or headers. Spans hold ids, never addresses or bodies, and of errors only their
type.
"""

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from latchkey.spans import Spans

STOP_SECONDS = 3.0
"""How long the end of a process waits at most until its last spans are sent."""

_OFF: AbstractContextManager[None] = nullcontext()
_spans: "Spans | None" = None
_share = 0.0
_around: "Callable[[], Span | None] | None" = None
"""Gives the span around this, where traces are on."""


def start(endpoint: str | None, *, share: float, program: str) -> None:
    """Send this process's spans to an OTLP receiver, by HTTP; without an endpoint, do nothing.
    `share` is how much of what begins here is traced, from 0 to 1.

    Headers and batching are those of OpenTelemetry's own variables (`OTEL_…`).
    """
    global _spans, _share, _around
    if endpoint is None:
        return
    from latchkey.spans import Spans, around

    _spans, _share, _around = Spans(endpoint, program), share, around


def stop() -> None:
    """Send what is left, for `STOP_SECONDS` at most, and trace no more. By itself, OpenTelemetry
    waits half a minute for a receiver that doesn't answer."""
    global _spans, _around
    if _spans is not None:
        sending = threading.Thread(target=_spans.provider.shutdown, daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)
    _spans = _around = None


def tracer() -> "Tracer | None":
    """What makes spans; None if traces are off."""
    return None if _spans is None else _spans.tracer


def chosen() -> bool:
    """Whether what begins now is traced. Ask once for each."""
    return _spans is not None and random.random() < _share


def root(name: str) -> AbstractContextManager[Any]:
    """The first span of a trace that was `chosen`."""
    return _OFF if _spans is None else _spans.span(name, (), {})


def span(
    name: str,
    *,
    traces: Sequence[str | None] = (),
    **attributes: str | int | Sequence[str] | None,
) -> AbstractContextManager[Any]:
    """A span around a block, in the first of the stored `traces` that led to it, with links to the
    others, or within the span around it. Nothing, if none of these was chosen."""
    if _spans is None:
        return _OFF
    kept = [trace for trace in traces if trace]
    return _spans.span(name, kept, _named(attributes)) if kept or is_recording() else _OFF


def note(**attributes: str | int) -> None:
    """Add to the span around this."""
    if (current := _recording()) is not None:
        current.set_attributes(_named(attributes))


def link(traces: Sequence[str | None]) -> None:
    """Link the span around this to others, by their `traceparent`."""
    if (current := _recording()) is not None:
        from latchkey.spans import links

        for other in links([trace for trace in traces if trace]):
            current.add_link(other.context)


def traceparent() -> str | None:
    """The span around this, as the W3C's header has it; None if there is none."""
    if not is_recording():
        return None
    from latchkey.spans import traceparent

    return traceparent()


def is_recording() -> bool:
    """Whether a span is around this."""
    return _around is not None and _around() is not None


def _recording() -> "Span | None":
    return None if _around is None else _around()


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"latchkey.{key}": value for key, value in attributes.items() if value is not None}
