"""A receiver of OpenTelemetry's spans, by OTLP's protobuf over HTTP."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector import collecting


@dataclass
class Spans:
    """What arrived so far at `url`."""

    url: str = ""
    received: list[Span] = field(default_factory=list)
    raw: bytes = b""

    def traces(self) -> dict[bytes, list[Span]]:
        found: dict[bytes, list[Span]] = {}
        for span in list(self.received):
            found.setdefault(span.trace_id, []).append(span)
        return found


@contextlib.contextmanager
def receiving_spans() -> Iterator[Spans]:
    spans = Spans()

    def take(path: str, body: bytes, encoding: str) -> None:
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(body)
        spans.raw += body
        spans.received += [
            span
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    with collecting(take) as spans.url:
        yield spans
