"""How uvicorn serves the site: which clients it gives up on, and how it stops."""

import asyncio
import gc
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MOST_HEADERS = 64 * 1024

YOUNG_OBJECTS = 10_000
"""How many new containers there are before Python looks for cycles among them."""

log = structlog.get_logger("serving")


@dataclass
class Drain:
    """Whether this process is about to stop, so that `/readyz` sends balancers elsewhere. It goes
    on serving for `seconds` after the first SIGTERM."""

    seconds: float = 0.0
    begun: bool = False


class DrainingServer(uvicorn.Server):
    """Announces its end before it refuses connections. SIGINT, or a second SIGTERM, cuts that
    short."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        collect_rarely()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._drain.seconds and not self._drain.begun:
            self._drain.begun = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._drain.begun and self._until is None:
            self._until = time.monotonic() + self._drain.seconds
            log.info("not ready any more, stopping soon", seconds=self._drain.seconds)
        if self._until is not None and time.monotonic() >= self._until and not self.should_exit:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def collect_rarely() -> None:
    """Have Python look for garbage in cycles less often, and never in what exists already. Requests
    leave next to none, and looking for it took a seventh of their time. In a worker, each look at
    everything stops all purchases under way."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


class InnerServer(uvicorn.Server):
    """A server inside another program, which handles the signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _HeldHead:
    """The transport of one response. It sends the head together with the first part of the body, so
    that an ordinary response is one system call and one packet. What is written after the client
    has gone is dropped: uvloop would raise an error.

    It lets go of the cycle, which refers to it, once the response has begun. Otherwise each request
    would leave garbage that only a search finds, and every search stops what is under way."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport = transport
        self._waiting: RequestResponseCycle | None = cycle
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._waiting is not None and self._waiting.response_started:
            self._waiting = None
            self._head = data
        elif not self.is_closing():
            self._transport.write(self.taken() + data)

    def taken(self) -> bytes:
        """The head, if it is still held."""
        head, self._head = self._head or b"", None
        return head

    def close(self) -> None:
        if not self.is_closing():
            self._transport.write(self.taken())
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class PatientProtocol(HttpToolsProtocol):
    """HTTP with bounds that uvicorn doesn't have.

    The headers of a request have to arrive within `header_seconds` of the connection, or of the
    request's first byte. A client that doesn't read the response is cut off after
    `reading_seconds`. What is sent of a body after its response is discarded for `linger_seconds`,
    so that the client can read the response.
    """

    header_seconds = 15.0
    reading_seconds = 60.0
    linger_seconds = 5.0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start("headers", self.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        between = self.cycle is None or self.cycle.response_complete
        if between and "linger" not in self._timers:
            self._start("headers", self.header_seconds)
        awaited = self._timers.get("headers")
        super().data_received(data)
        only_headers = awaited is not None and self._timers.get("headers") is awaited
        if only_headers and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADERS:
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start("headers", self.header_seconds)

    def on_headers_complete(self) -> None:
        self._stop("headers")
        self._header_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop("linger")
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["method"] != "HEAD":
            cycle.transport = cast(asyncio.Transport, _HeldHead(self.transport, cycle))
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if self.cycle.more_body:
            self._start("linger", self.linger_seconds)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start("reading", self.reading_seconds)

    def resume_writing(self) -> None:
        self._stop("reading")
        super().resume_writing()

    def _start(self, what: str, seconds: float) -> None:
        if what not in self._timers:
            self._timers[what] = self.loop.call_later(seconds, self._give_up)

    def _stop(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self.transport.abort()


OPTIONS: dict[str, Any] = {
    "http": PatientProtocol,
    "proxy_headers": False,
    "server_header": False,
    "reset_contextvars": True,
    "timeout_keep_alive": 75,
}
"""Options of `uvicorn.Config` that the site relies on. `web/visitors.py` reads proxies' headers.

Idle connections are kept longer than proxies keep theirs, usually 60 seconds. Otherwise a proxy may
send a request on a connection at the moment at which the site closes it, and answers 502.

Each request begins with no variables of a context: one that was sent before the response to the
last one would have that one's log fields and span.
"""
