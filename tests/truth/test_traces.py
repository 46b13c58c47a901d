"""A purchase is one trace, from Stripe's webhook to the transaction that opens what was bought."""

import socket
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from subprocess import run
from typing import cast

import pytest
from opentelemetry.context import Context
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    get_current_span,
    set_span_in_context,
)
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import WorkflowInboundInterceptor

from latchkey import temporal_tracing, tracing
from tests.harness import PATIENCE, Latchkey, Postgres, Stripe, run_latchkey, until
from tests.life.play import linked
from tests.otlp import Spans, receiving_spans

pytestmark = pytest.mark.anyio

ADDRESS = "traced@span.example"
WAY = [
    "webhook",
    "relay",
    "SignalWithStartWorkflow:Subscription",
    "RunActivity:sync_subscription",
    "transaction",
]
"""The spans above the one in which access was given, from the root on. Temporal's interceptor adds
some of its own between them."""


@pytest.fixture
async def traced(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, Spans]]:
    with receiving_spans() as spans:
        tracing.start(spans.url, program="test")
        try:
            stripe.never_settles()
            async with run_latchkey(await postgres.create(), temporal_address, stripe) as site:
                yield site, spans
        finally:
            tracing.stop()


def attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


def way_to(span: Span, trace: list[Span]) -> list[Span] | None:
    """The span and those above it, from the root on; None while one of them is still to arrive,
    since a span ends after those within it."""
    by_id = {one.span_id: one for one in trace}
    way = [span]
    while way[0].parent_span_id:
        if way[0].parent_span_id not in by_id:
            return None
        way.insert(0, by_id[way[0].parent_span_id])
    return way


@pytest.mark.slow
async def test_a_purchase_is_one_trace_from_the_webhook_to_access(
    traced: tuple[Latchkey, Spans],
) -> None:
    site, spans = traced
    product, _, price = await linked(site)
    session = await site.stripe.buy(ADDRESS, price, name="Tracy Spanner")
    await site.has(product, ADDRESS)
    await site.settled()

    async def opened() -> tuple[list[Span], list[Span]] | None:
        for trace in spans.traces().values():
            for span in trace:
                way = way_to(span, trace)
                if way and attributes(span).get("latchkey.granted") == "1":
                    return way, trace
        return None

    way, trace = await until(opened, "the spans of the purchase arrive")
    assert [one.name for one in way if one.name in WAY] == WAY
    assert "stripe" in {one.name for one in trace}
    named = {name: value for one in way for name, value in attributes(one).items()}
    assert named["latchkey.route"] == "/webhooks/stripe"
    assert named["temporalWorkflowID"] == f"subscription/{session['subscription']}"
    assert len(named["latchkey.request_id"]) == 16
    assert ADDRESS.encode() not in spans.raw
    assert b"Spanner" not in spans.raw


@pytest.mark.slow
async def test_what_happens_later_to_a_subscription_is_a_trace_of_its_own(
    traced: tuple[Latchkey, Spans],
) -> None:
    site, spans = traced
    product, _, price = await linked(site)
    session = await site.stripe.buy(ADDRESS, price)
    await site.has(product, ADDRESS)
    await site.settled()
    await site.stripe.delete(f"subscriptions/{session['subscription']}")
    await site.has(product, ADDRESS, access=False)

    async def synced() -> list[list[Span]] | None:
        syncing = "RunActivity:sync_subscription"
        found = [
            trace
            for trace in spans.traces().values()
            if {"webhook", syncing} <= {span.name for span in trace}
        ]
        return found if len(found) > 1 else None

    await until(synced, "the purchase and its end are two traces")


def test_what_a_run_does_long_after_a_signal_is_in_no_trace_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [datetime.now(UTC)]
    monkeypatch.setattr(workflow, "now", lambda: clock[0])

    class Signalled(temporal_tracing._Inbound):
        def traced(self, headers: Mapping[str, Payload]) -> Context:
            return set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True)))

    lasting = Signalled(cast(WorkflowInboundInterceptor, None))

    def trace() -> int:
        with lasting.followed():
            return get_current_span().get_span_context().trace_id

    assert trace() == 0
    lasting._follow({})
    assert trace() == 1
    clock[0] += temporal_tracing.LASTING
    assert trace() == 0


def test_the_last_spans_are_sent_at_the_end() -> None:
    with receiving_spans() as spans:
        tracing.start(spans.url, program="test")
        with tracing.span("last"):
            pass
        tracing.stop()
        assert [span.name for span in spans.received] == ["last"]


def test_a_receiver_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "STOP_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "25")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracing.start(f"http://127.0.0.1:{silent.getsockname()[1]}", program="test")
        with tracing.span("last"):
            pass
        tracing.stop()
        silent.settimeout(PATIENCE)
        connection, _ = silent.accept()
        connection.settimeout(PATIENCE)
    with connection:
        assert connection.recv(1) == b"P", "it posts them"
        connection.setblocking(False)
        assert awaits_an_answer(connection)


def awaits_an_answer(connection: socket.socket) -> bool:
    """Whether the other end has sent what it sends, and is still there."""
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    return False


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    """Importing it would take a tenth of a second and 10 MB at each start."""
    code = "import sys, worker, web.app; print({'opentelemetry', 'sentry_sdk'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_the_setting_spans_cost_nothing_and_change_nothing() -> None:
    with tracing.span("anything", parent="00-0-0-00", links=["x"], object="sub_1"):
        tracing.note(granted=1)
        tracing.link(["x"])
        assert tracing.traceparent() is None
    assert tracing.tracer() is None
