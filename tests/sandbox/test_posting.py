"""Deliveries' own way of posting has the outcomes that httpx has, whatever the server does."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from sandbox import posting
from sandbox.posting import Poster
from tests.harness import PATIENCE, free_port, until

pytestmark = pytest.mark.anyio

HEADERS = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": "t=1,v1=2"}
BODY = b'{"\xc3\xa4": 1}'
BROKEN = "RemoteProtocolError"
LATE = {"ReadTimeout", "ConnectTimeout"}
"""A busy machine may take longer to connect than so short a time allows."""
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Server:
    """Answers each request with the same bytes. `requests` are those it got, `connections` how
    many it was asked over."""

    answer: bytes = FINE
    closes: bool = False
    resets: bool = False
    drips: bool = False
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                writer.write(self.answer)
                await writer.drain()
                while self.drips and not writer.is_closing():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)
                if self.resets:
                    linger = b"\x01\0\0\0\0\0\0\0"
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, linger
                    )
                if self.closes or self.resets:
                    break
        writer.close()


@contextlib.asynccontextmanager
async def serving(
    answer: bytes = FINE, *, closes: bool = False, resets: bool = False, drips: bool = False
) -> AsyncIterator[Server]:
    made = Server(answer, closes, resets, drips)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?to=a%20b"
    try:
        yield made
    finally:
        for writer in made.open:
            writer.close()
        server.close()


@contextlib.asynccontextmanager
async def posting_with(seconds: float = PATIENCE) -> AsyncIterator[Poster]:
    poster = Poster(seconds)
    try:
        yield poster
    finally:
        await poster.close()


async def outcome(poster: Poster, url: str) -> object:
    """The status, or the error's name."""
    try:
        return await poster.post(url, BODY, HEADERS)
    except httpx.HTTPError as error:
        return type(error).__name__


async def outcome_of_httpx(client: httpx.AsyncClient, url: str) -> object:
    try:
        return (await client.post(url, content=BODY, headers=HEADERS)).status_code
    except httpx.HTTPError as error:
        return type(error).__name__


CASES: dict[str, tuple[bytes, bool, object]] = {
    "an answer": (FINE, False, 200),
    "a refusal": (b"HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\nx", False, 500),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False, 204),
    "an address elsewhere": (
        b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
        False,
        302,
    ),
    "chunks": (
        b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        False,
        201,
    ),
    "a first word": (b"HTTP/1.1 100 Continue\r\n\r\n" + FINE, False, 200),
    "another protocol": (
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello",
        False,
        BROKEN,
    ),
    "a last answer": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        True,
        200,
    ),
    "a body without a length": (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, 200),
    "an older server": (b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", True, 200),
    "an end too early": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        True,
        BROKEN,
    ),
    "an end within chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
        True,
        BROKEN,
    ),
    "half a head": (b"HTTP/1.1 200 OK\r\nServ", True, BROKEN),
    "no answer": (b"", True, BROKEN),
    "nonsense": (b"hello there\r\n\r\n", True, BROKEN),
    "a head that is too long": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, False, BROKEN),
    "a header that is too long": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, False, BROKEN),
    "an answer and more": (FINE + FINE, False, 200),
}


@pytest.mark.parametrize("name", CASES)
async def test_it_ends_as_with_httpx(name: str) -> None:
    answer, closes, wanted = CASES[name]
    async with (
        serving(answer, closes=closes) as server,
        posting_with() as poster,
        httpx.AsyncClient(timeout=PATIENCE) as client,
    ):
        for _ in range(3):
            assert await outcome(poster, server.url) == wanted
            assert await outcome_of_httpx(client, server.url) == wanted


async def test_connections_that_break_or_were_never_made() -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    async with posting_with() as poster, httpx.AsyncClient(timeout=PATIENCE) as client:
        assert await outcome(poster, nobody) == "ConnectError"
        assert await outcome_of_httpx(client, nobody) == "ConnectError"
        async with serving(b"", resets=True) as server:
            assert await outcome(poster, server.url) == "ReadError"
            assert await outcome_of_httpx(client, server.url) == "ReadError"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_who_says_nothing_more_is_left(answer: bytes) -> None:
    async with serving(answer) as server, posting_with(0.05) as poster:
        assert await outcome(poster, server.url) in LATE


@pytest.mark.parametrize("user", ["", "user:word@"])
async def test_an_answer_that_never_ends_is_left(user: str) -> None:
    """By `sandbox/posting.py`, and by httpx, to which a password is left."""
    async with (
        serving(b"HTTP/1.1 200 OK\r\n\r\n", drips=True) as server,
        posting_with(0.2) as poster,
    ):
        url = server.url.replace("http://", f"http://{user}")
        assert await asyncio.wait_for(outcome(poster, url), PATIENCE) in LATE


async def test_the_request_is_as_httpx_writes_it() -> None:
    async with (
        serving() as server,
        posting_with() as poster,
        httpx.AsyncClient(headers={"User-Agent": "x"}, timeout=PATIENCE) as client,
    ):
        await poster.post(server.url, BODY, HEADERS | {"User-Agent": "x"})
        await outcome_of_httpx(client, server.url)
        ours, theirs = (request.split(b"\r\n\r\n", 1) for request in server.requests)
    assert ours[1] == theirs[1] == BODY
    assert ours[0].split(b"\r\n")[0] == theirs[0].split(b"\r\n")[0]
    assert sorted(ours[0].split(b"\r\n")) == sorted(theirs[0].split(b"\r\n"))


async def test_a_connection_serves_many_and_as_many_as_are_needed() -> None:
    async with serving() as server, posting_with() as poster:
        for _ in range(5):
            assert await outcome(poster, server.url) == 200
        assert server.connections == 1
        found = await asyncio.gather(*(outcome(poster, server.url) for _ in range(8)))
        assert found == [200] * 8
        assert 1 < server.connections <= 8
        assert len(server.requests) == 13


async def test_a_connection_that_has_ended_or_is_old_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as server, posting_with() as poster:
        for count in range(3):
            assert await outcome(poster, server.url) == 200
            assert server.connections == count + 1
            server.open[-1].close()
            await server.open[-1].wait_closed()
        server.closes = True
        assert [await outcome(poster, server.url) for _ in range(3)] == [200] * 3
        server.closes = False
        before = server.connections
        assert await outcome(poster, server.url) == 200
        monkeypatch.setattr(posting, "KEPT_SECONDS", -1)
        assert await outcome(poster, server.url) == 200
        assert server.connections == before + 2


async def test_nothing_stays_open() -> None:
    async with serving() as server:

        async def last_arrived() -> bool:
            return len(server.requests) == 4

        async def all_closed() -> bool:
            return all(writer.is_closing() for writer in server.open)

        async with posting_with() as poster:
            await asyncio.gather(*(outcome(poster, server.url) for _ in range(3)))
            server.answer = b""
            waiting = asyncio.create_task(outcome(poster, server.url))
            await until(last_arrived, "the last request has arrived")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await until(all_closed, "all have been closed")


@pytest.mark.parametrize(
    ("url", "proxy", "plain"),
    [
        ("http://127.0.0.1:1/", "", True),
        ("http://[::1]:1/", "", True),
        ("http://shop.example", "", True),
        ("https://shop.example/", "", False),
        ("http://user:word@shop.example/", "", False),
        ("http://shop.example/", "http://proxy.example:3128", False),
    ],
)
def test_what_is_left_to_httpx(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str, plain: bool
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "elsewhere.example")
    if proxy:
        monkeypatch.setenv("http_proxy", proxy)
    assert (posting.target_of(url) is not None) is plain


async def test_a_signed_in_receiver_hears_its_name() -> None:
    async with serving() as server, posting_with() as poster:
        named = server.url.replace("http://", "http://user:word@")
        assert await outcome(poster, named) == 200
    assert b"Authorization: Basic dXNlcjp3b3Jk" in server.requests[0]
