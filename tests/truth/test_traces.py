"""A purchase is one trace, from Stripe's webhook to the transaction that opens what was bought."""

import random
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from subprocess import run
from typing import cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.types import Receive, Scope, Send
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    WorkflowInboundInterceptor,
)

from latchkey import temporal_tracing, tracing
from latchkey.settings import load_settings
from tests.harness import PATIENCE, Latchkey, Postgres, Stripe, run_latchkey, until
from tests.life.play import linked
from tests.otlp import Spans, receiving_spans
from web.traced import Traced

pytestmark = pytest.mark.anyio

ADDRESS = "traced@span.example"
WAY = [
    "webhook",
    "relay",
    "SignalWithStartWorkflow:Subscription",
    "RunActivity:sync_subscription",
    "transaction",
]
"""The spans above the one in which access was given, from the root on."""
STORED, OTHER = f"00-{'1' * 32}-{'2' * 16}-01", f"00-{'3' * 32}-{'4' * 16}-01"


@pytest.fixture
async def traced(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, Spans]]:
    with receiving_spans() as spans, tracing_to(spans.url, share=1):
        stripe.never_settles()
        async with run_latchkey(await postgres.create(), temporal_address, stripe) as site:
            yield site, spans


@contextmanager
def tracing_to(url: str, *, share: float) -> Iterator[None]:
    tracing.start(url, share=share, program="test")
    try:
        yield
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
    assert [one.name for one in way] == WAY
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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    now = [datetime.now(UTC)]
    monkeypatch.setattr(workflow, "now", lambda: now[0])
    return now


def test_what_a_run_does_long_after_a_signal_is_in_no_trace_of_it(clock: list[datetime]) -> None:
    lasting = temporal_tracing.PassOn(cast(WorkflowInboundInterceptor, None))
    trace = {temporal_tracing.TRACE: Payload(data=b"of the signal")}
    other = {"other": Payload()}
    assert lasting.headers(other) == other
    lasting.follow(trace)
    assert lasting.headers(other) == other | trace
    clock[0] += temporal_tracing.LASTING
    assert lasting.headers(other) == other


class Passed(ActivityInboundInterceptor):
    """What an activity's interceptor surrounds."""

    def __init__(self) -> None:
        self.count = 0

    async def execute_activity(self, input: ExecuteActivityInput) -> None:
        self.count += 1


@pytest.mark.parametrize(("signalled", "traced"), [(False, 1), (True, 0)])
async def test_no_trace_begins_with_what_follows_from_something_that_was_not_chosen(
    clock: list[datetime], signalled: bool, traced: int
) -> None:
    run = temporal_tracing.PassOn(cast(WorkflowInboundInterceptor, None))
    if signalled:
        run.follow({})
    given = ExecuteActivityInput(lambda: None, (), None, run.headers({}))
    with receiving_spans() as spans, tracing_to(spans.url, share=1):
        by = [Passed(), Passed()]
        await temporal_tracing._Activities(*by).execute_activity(given)
    assert [one.count for one in by] == [1 - traced, traced]


async def test_what_is_not_chosen_makes_no_spans() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with tracing.span("transaction"):
            tracing.note(granted=1)
            tracing.link([STORED])
            assert not tracing.is_recording()
            assert tracing.traceparent() is None

    scope = {"type": "http", "path": "/webhooks/stripe"}
    with receiving_spans() as spans, tracing_to(spans.url, share=0):
        await Traced(app)(scope, cast(Receive, None), cast(Send, None))
        with tracing.span("relay", traces=[None, None]):
            pass
    assert not spans.received


def test_stored_traces_are_followed_whatever_share_begins_here() -> None:
    with receiving_spans() as spans, tracing_to(spans.url, share=0):
        with tracing.span("relay", traces=[None, STORED, OTHER]), tracing.span("transaction"):
            pass
        tracing.stop()
        inner, outer = spans.received
    assert (outer.name, outer.trace_id.hex()) == ("relay", STORED[3:35])
    assert [one.trace_id.hex() for one in outer.links] == [OTHER[3:35]]
    assert (inner.name, inner.parent_span_id) == ("transaction", outer.span_id)


def test_as_much_is_chosen_as_the_share_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", iter([0.0, 0.09, 0.1, 0.99]).__next__)
    with receiving_spans() as spans, tracing_to(spans.url, share=0.1):
        assert [tracing.chosen() for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ({}, 0.05),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.01"}, 0.01),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0),
    ],
)
def test_open_telemetrys_variables_say_the_share(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], share: float
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().traced_share == share


def test_the_last_spans_are_sent_at_the_end() -> None:
    with receiving_spans() as spans:
        tracing.start(spans.url, share=1, program="test")
        with tracing.root("last"):
            pass
        tracing.stop()
        assert [span.name for span in spans.received] == ["last"]


def test_a_receiver_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "STOP_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "25")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracing.start(f"http://127.0.0.1:{silent.getsockname()[1]}", share=1, program="test")
        with tracing.root("last"):
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
    with tracing.root("page"), tracing.span("anything", traces=["x"], object="sub_1"):
        tracing.note(granted=1)
        tracing.link(["x"])
        assert tracing.traceparent() is None
    assert tracing.tracer() is None
    assert not tracing.chosen()
