"""What one request costs the server, and what reaches the network of its response."""

import asyncio
import gc
import signal
import weakref
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars
from uvicorn.server import ServerState

from latchkey import serving
from latchkey.settings import Settings
from tests.harness import PATIENCE
from web.app import _WebProcess

pytestmark = pytest.mark.anyio


class Transport:
    """A connection whose other end keeps what it was sent, in the pieces in which it was sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        if data:
            self.sent.append(data)

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connected(app: Any) -> tuple[serving.PatientProtocol, Transport]:
    config = uvicorn.Config(app, log_level="critical", **serving.OPTIONS)
    config.load()
    transport = Transport()
    protocol = serving.PatientProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(cast(asyncio.Transport, transport))
    return protocol, transport


async def exchanged(app: Any, request: str) -> list[bytes]:
    """What an app sends to a client that asks once, in pieces."""
    protocol, transport = connected(app)
    protocol.data_received(request.encode())
    async with asyncio.timeout(PATIENCE):
        await transport.closed.wait()
    protocol.connection_lost(None)
    return transport.sent


def head(method: str, *more: str) -> str:
    return "\r\n".join([f"{method} / HTTP/1.1", "Host: here", "Connection: close", *more, "", ""])


def responding(*parts: bytes, status: int = 200) -> Any:
    """An app whose response has these parts, of which a HEAD request gets none."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        length = str(len(b"".join(parts))).encode()
        headers = [(b"content-length", length)] if status != 204 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    return app


async def test_an_ordinary_response_is_sent_in_one_piece() -> None:
    (sent,) = await exchanged(responding(b"all of it"), head("GET"))
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\nall of it")


async def test_further_parts_are_sent_as_they_come() -> None:
    sent = await exchanged(responding(b"one", b"two"), head("GET"))
    assert [part[-3:] for part in sent] == [b"one", b"two"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_response_without_a_body_is_sent(method: str, status: int) -> None:
    (sent,) = await exchanged(responding(status=status), head(method))
    assert sent.startswith(b"HTTP/1.1 %d " % status)
    assert sent.endswith(b"\r\n\r\n")


async def test_a_client_that_waits_to_send_is_told_at_once() -> None:
    request = head("POST", "Content-Length: 3", "Expect: 100-continue")
    protocol, transport = connected(responding(b"thanks"))
    protocol.data_received(request.encode())
    await asyncio.sleep(0)
    assert transport.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    protocol.data_received(b"abc")
    async with asyncio.timeout(PATIENCE):
        await transport.closed.wait()
    assert transport.sent[1].endswith(b"thanks")


async def test_a_request_has_nothing_of_the_one_before_it_on_its_connection() -> None:
    """The second one is sent before the response to the first."""
    found: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(get_contextvars())
        bind_contextvars(events=[f"evt_{len(found)}"])
        await responding(b"done")(scope, receive, send)

    await exchanged(app, head("GET").replace("close", "keep-alive") + head("GET"))
    assert found == [{}, {}]


async def test_a_request_leaves_nothing_that_only_the_search_for_garbage_would_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each such search would keep every request waiting that is under way."""
    left: list[weakref.ref[Any]] = []
    start = serving.PatientProtocol._start_asgi_task

    def watched(self: serving.PatientProtocol, cycle: Any, app: Any) -> None:
        left.append(weakref.ref(cycle))
        start(self, cycle, app)

    monkeypatch.setattr(serving.PatientProtocol, "_start_asgi_task", watched)
    app = _WebProcess(SETTINGS, exact={("GET", "/"): responding(b"done")})
    request = head("GET").replace("Host: here", "Host: members.example.com")
    gc.disable()
    try:
        sent = await exchanged(app, request.replace("close", "keep-alive") + request)
        assert [part[-4:] for part in sent] == [b"done", b"done"]
        assert [found() for found in left] == [None, None]
    finally:
        gc.enable()


async def test_what_a_failing_app_has_begun_is_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    (sent,) = await exchanged(app, head("GET"))
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(("seconds", "stops"), [(3600.0, False), (1e-9, True)])
async def test_a_server_that_is_asked_to_stop_serves_for_a_while(
    seconds: float, stops: bool
) -> None:
    server = serving.DrainingServer(uvicorn.Config(responding()), serving.Drain(seconds))
    server.handle_exit(signal.SIGTERM, None)
    assert [await server.on_tick(1) for _ in range(3)][-1] is stops
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(1), "asked again, it stops at once"


def test_garbage_is_not_sought_in_what_lasts(usual_garbage: None) -> None:
    lasting = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    serving.collect_rarely()
    assert gc.get_freeze_count() > len(lasting)
    assert gc.get_threshold()[0] == serving.YOUNG_OBJECTS


SETTINGS = Settings.model_validate({"LATCHKEY_PUBLIC_URL": "https://members.example.com"})
ANY_VALUE = st.binary(max_size=40) | st.sampled_from([b"members.example.com", b"::1", b"1, [::]"])


@given(
    path=st.text(max_size=40) | st.sampled_from(["//webhooks/stripe/", "/\x00/", "/a//"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "ODD"]),
    values=st.lists(
        st.tuples(
            st.sampled_from(
                [b"host", b"content-length", b"x-forwarded-for", b"x-forwarded-proto", b"other"]
            ),
            ANY_VALUE,
        )
    ),
)
async def test_whatever_is_requested_gets_a_response_with_the_security_headers(
    path: str, method: str, values: list[tuple[bytes, bytes]]
) -> None:
    """Nothing catches what these layers might raise."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": values,
    }
    await _WebProcess(SETTINGS, exact={})(scope, receive, send)
    assert sent[0]["status"] in (308, 400, 404)
    assert b"content-security-policy" in dict(sent[0]["headers"])
