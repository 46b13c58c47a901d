"""Posts bodies to web addresses: to http:// over connections of its own, since there httpx takes
several times as long as all the rest of a delivery; to https:// and through proxies by httpx."""

import asyncio
import select
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import cast
from urllib.request import getproxies

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

KEPT_SECONDS = 5
"""How long a connection that nobody uses stays open."""
LONGEST_HEAD = 100_000
"""Bytes of an answer up to the end of its headers, about as many as httpx reads."""
_PLAIN_PORT = 80
_EVERYWHERE = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive"}
"""What httpx says, too."""


@dataclass(frozen=True)
class Target:
    """Where a plain address leads, and how each request to it begins."""

    host: str
    port: int
    head: bytes


class _Connection(asyncio.Protocol):
    """One connection; it carries one request at a time. What an answer says is thrown away, but for
    its status."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = HttpResponseParser(self)
        self._answered: asyncio.Future[int] | None = None
        self._unheaded = 0
        self._headed = self._measured = False
        self.idle_since = 0.0

    async def post(self, request: bytes) -> int:
        """Send a request and wait for the status of its answer. Raises httpx's errors."""
        self._headed = self._measured = False
        self._unheaded = 0
        self._answered = self._loop.create_future()
        self._transport.write(request)
        try:
            async with _within(self._seconds, httpx.ReadTimeout):
                return await self._answered
        except BaseException:
            self.close()
            raise
        finally:
            self._answered = None

    def usable(self) -> bool:
        """Whether an idle connection can be used again: it is open, and nothing waits to be read,
        which would be its end."""
        if self._transport.is_closing() or time.monotonic() - self.idle_since > KEPT_SECONDS:
            return False
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(error)

    def _finish(self) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result(self._parser.get_status_code())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(str(error)))
        if not self._headed:
            self._unheaded += len(data)
            if self._unheaded > LONGEST_HEAD:
                self._fail(httpx.RemoteProtocolError("the answer's headers are too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        elif self._headed and not self._measured:
            self._finish()
        else:
            self._fail(httpx.RemoteProtocolError("the connection was closed before the answer"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._measured = True

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < httpx.codes.OK:
            self._headed = self._measured = False
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._finish()


@dataclass
class Poster:
    """Posts, and keeps connections open for the next ones. Connecting may take `seconds`,
    and the whole answer as long: one that never ends would hold up others."""

    seconds: float
    _idle: dict[tuple[str, int], list[_Connection]] = field(default_factory=dict)
    _targets: dict[str, Target | None] = field(default_factory=dict)
    _other: httpx.AsyncClient | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Post a body and return the status of the answer. Raises httpx's errors."""
        if url not in self._targets:
            self._targets[url] = target_of(url)
        target = self._targets[url]
        if target is None:
            async with _within(2 * self.seconds, httpx.ReadTimeout):
                return (await self._client().post(url, content=body, headers=headers)).status_code
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{lines}Content-Length: {len(body)}\r\n\r\n".encode()
        connection = await self._connection(target)
        status = await connection.post(target.head + head + body)
        connection.idle_since = time.monotonic()
        self._idle.setdefault((target.host, target.port), []).append(connection)
        return status

    async def close(self) -> None:
        """Close what is open; what still waits for an answer is to be cancelled before."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        if self._other:
            await self._other.aclose()

    async def _connection(self, target: Target) -> _Connection:
        """One that is open and idle, or a new one."""
        idle = self._idle.get((target.host, target.port), [])
        while idle:
            known = idle.pop()
            if known.usable():
                return known
            known.close()
        try:
            async with _within(self.seconds, httpx.ConnectTimeout):
                _, made = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self.seconds), target.host, target.port
                )
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return made

    def _client(self) -> httpx.AsyncClient:
        if self._other is None:
            self._other = httpx.AsyncClient(timeout=self.seconds, verify=_certificates())
        return self._other


@asynccontextmanager
async def _within(seconds: float, late: type[httpx.TimeoutException]) -> AsyncIterator[None]:
    """Cut off what takes longer than so many seconds. Raises `late`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise late("") from error


def target_of(url: str) -> Target | None:
    """Where a plain address leads; None for those that are left to httpx."""
    parsed = httpx.URL(url)
    if parsed.scheme != "http" or not parsed.host or parsed.userinfo:
        return None
    proxies = getproxies()
    if proxies.get("http") or proxies.get("all"):
        return None
    named = {"Host": parsed.netloc.decode(), **_EVERYWHERE}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = f"POST {parsed.raw_path.decode()} HTTP/1.1\r\n{lines}".encode()
    return Target(parsed.host, parsed.port or _PLAIN_PORT, head)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom endpoints with https are trusted by. Loading them takes longer than all else that a
    sandbox does when it starts, and a process of tests starts many."""
    return httpx.create_ssl_context()
