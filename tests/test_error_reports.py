"""Errors are reported to Sentry's protocol, with ids and without what people typed."""

import gzip
import logging
from collections.abc import Iterator

import orjson
import pytest
import sentry_sdk
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from latchkey import error_reports
from latchkey.settings import SettingsError
from tests.collector import collecting
from tests.harness import Json, free_port
from tests.log_lines import json_log

ADDRESS = "reported@error.example"


@pytest.fixture
def reports() -> Iterator[list[Json]]:
    """The events that have arrived once `error_reports.stop` returns."""
    received: list[Json] = []

    def take(path: str, body: bytes, encoding: str) -> None:
        assert path == "/api/7/envelope/"
        lines = (gzip.decompress(body) if encoding == "gzip" else body).split(b"\n")
        received.extend(orjson.loads(line) for line in lines[2::2] if line)

    with collecting(take) as url, json_log():
        dsn = url.replace("http://", "http://key@") + "/7"
        error_reports.start(dsn, program="web", release="1.2.3")
        yield received
        error_reports.stop()
        clear_contextvars()


def fail(password: str) -> None:
    raise ValueError(f"{ADDRESS} with sk_live_abcdef isn't {len(password)}")


def test_an_error_is_reported_with_its_ids_and_without_what_it_quotes(reports: list[Json]) -> None:
    bind_contextvars(request_id="abc123")
    log = structlog.get_logger("test")
    log.warning("not an error")
    try:
        fail("correct".join(" horse"))
    except ValueError:
        log.exception("page failed", path="/admin")
    error_reports.stop()
    [event] = reports
    [error] = event["exception"]["values"]
    assert error["type"] == "ValueError"
    assert error["value"] == "[address] with sk_live_… isn't 41"
    assert event["tags"] == {"program": "web", "request_id": "abc123"}
    assert event["release"] == "latchkey@1.2.3"
    assert event["contexts"]["line"]["path"] == "/admin"
    text = orjson.dumps(event).decode()
    assert ADDRESS not in text
    assert not [frame for frame in error["stacktrace"]["frames"] if "vars" in frame]
    assert not {"request", "user"} & event.keys()


def test_errors_of_libraries_are_reported_too(reports: list[Json]) -> None:
    logging.getLogger("library").error("it broke for %s", ADDRESS)
    logging.getLogger("library").warning("it may break")
    error_reports.stop()
    [event] = reports
    assert event["message"] == "it broke for [address]"


def test_nothing_of_other_libraries_is_replaced(reports: list[Json]) -> None:
    """Not even by stopping: each request and call would take longer from then on."""
    assert set(sentry_sdk.get_client().integrations) == {"atexit"}
    error_reports.stop()
    assert sentry_sdk.get_client().integrations == {}


@pytest.mark.parametrize(
    "dsn",
    [
        "https://host/7",
        "https://key@host",
        "https://key@host/seven",
        "https://key@host:port/7",
        "https://key@[host/7",
    ],
)
def test_a_text_that_is_not_a_dsn_is_refused_in_a_line(dsn: str) -> None:
    with pytest.raises(SettingsError, match=r"^SENTRY_DSN: isn't a DSN such as https://key@host/7"):
        error_reports.start(dsn, program="web", release="1.2.3")


def test_an_unreachable_receiver_harms_nothing() -> None:
    with json_log() as written:
        error_reports.start(f"http://key@127.0.0.1:{free_port()}/7", program="web", release="1")
        structlog.get_logger("test").error("failed")
        error_reports.stop()
        assert "failed" in written.getvalue()
