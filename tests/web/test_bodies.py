"""Bodies that are too large or too slow, and clients that keep the site waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from latchkey.serving import OPTIONS, PatientProtocol
from tests.harness import PATIENCE, TOKEN, Latchkey, http_client, until
from tests.web.pages import visit
from web import bodies

pytestmark = pytest.mark.anyio

HUGE = 99_000_000
MULTIPART = "multipart/form-data; boundary=x"
FORM = "application/x-www-form-urlencoded"
PATHS = ["/login", "/login/link", "/admin/users/import", "/api/v1/products", "/webhooks/stripe"]


@asynccontextmanager
async def connected(
    site: Latchkey,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of bytes, for clients that no library would be."""
    host, port = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()


def head(site: Latchkey, path: str, *more: str, kind: str = MULTIPART) -> bytes:
    host = site.url.removeprefix("http://")
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {kind}"]
    lines += [f"Authorization: Bearer {TOKEN}", *more, "", ""]
    return "\r\n".join(lines).encode()


async def cut_off(reader: asyncio.StreamReader) -> bytes:
    """What arrives until the site closes the connection, sooner than one that is merely idle."""
    found = b""
    try:
        async with asyncio.timeout(OPTIONS["timeout_keep_alive"] / 2):
            while chunk := await reader.read(65536):
                found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_a_huge_body_is_refused_before_it_is_sent(shared: Latchkey, path: str) -> None:
    async with connected(shared) as (reader, writer):
        writer.write(head(shared, path, f"Content-Length: {HUGE}"))
        status = await reader.readline()
    wanted = b"303" if path.startswith("/admin") else b"413"
    assert wanted in status, "strangers are sent to sign in without being read"


@pytest.mark.parametrize("path", PATHS)
async def test_a_huge_body_of_unknown_length_is_not_kept(shared: Latchkey, path: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 65536
    sent = 0
    async with connected(shared) as (reader, writer):
        writer.write(head(shared, path, "Transfer-Encoding: chunked"))
        answer = asyncio.create_task(reader.readline())
        while sent < HUGE and not answer.done():
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(part)
        status = await answer
    assert (b"303" if path.startswith("/admin") else b"413") in status
    assert sent < HUGE / 4, "it was read to the bound and no further"


async def test_the_refusals_say_what_to_do(shared: Latchkey) -> None:
    large = b"x" * (bodies.MOST + 1)
    answer = await shared.api.post("/products", content=large)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1 MiB" in answer.json()["detail"]
    async with http_client(base_url=shared.url) as client:
        page = await client.post("/login", content=large, headers={"Content-Type": FORM})
    assert page.status_code == 413
    assert "Nothing was changed" in page.text


async def test_a_text_of_the_greatest_length_fits(shared: Latchkey) -> None:
    """Forms encode a character by up to twelve bytes."""
    product = await shared.product("Wordy", slug="wordy")
    text = "🔑" * 200_000
    async with visit(shared) as owner:
        await owner.sign_in()
        await owner.send(f"/admin/products/{product}/content", content=text, content_url="")
    assert (await shared.call("GET", f"/products/{product}"))["content"] == text


@pytest.mark.parametrize("path", ["/login", "/api/v1/products", "/webhooks/stripe"])
async def test_a_trickling_body_is_given_up(
    shared: Latchkey, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "SLOWEST_RATE", float("inf"))
    monkeypatch.setattr(PatientProtocol, "linger_seconds", 0.3)
    monkeypatch.setattr(PatientProtocol, "header_seconds", 3600.0)
    async with connected(shared) as (reader, writer):
        writer.write(head(shared, path, "Content-Length: 1000000", kind=FORM))

        async def trickle() -> None:
            while True:
                writer.write(b"-")
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        answer = await cut_off(reader)
        trickling.cancel()
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"too slow" in answer.lower() or b"slowly" in answer


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /login HTTP/1.1\r\nHost: x", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET"],
)
async def test_headers_that_never_end_are_given_up(
    shared: Latchkey, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.2)
    async with connected(shared) as (reader, writer):
        writer.write(start)
        await cut_off(reader)


async def test_headers_of_a_later_request_are_given_up(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(shared) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")
        monkeypatch.setattr(PatientProtocol, "header_seconds", 0.2)
        writer.write(b"GET /login")
        await cut_off(reader)


async def test_the_next_request_may_begin_in_the_packet_of_a_large_one(shared: Latchkey) -> None:
    host = shared.url.removeprefix("http://")
    body = b"x" * 200_000
    async with connected(shared) as (reader, writer):
        writer.write(head(shared, "/login", f"Content-Length: {len(body)}", kind=FORM))
        writer.write(body + b"GET /healthz HTTP/1.1\r\n")
        assert b"403" in await reader.readline(), "a form without its token"
        writer.write(f"Host: {host}\r\n\r\n".encode())
        await reader.readuntil(b"HTTP/1.1 200")


async def test_slow_headers_are_given_up_however_steadily_they_come(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.3)
    async with connected(shared) as (reader, writer):
        writer.write(b"GET /login HTTP/1.1\r\n")

        async def trickle() -> None:
            while True:
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        await cut_off(reader)
        trickling.cancel()


async def test_endless_headers_are_not_kept(shared: Latchkey) -> None:
    async with connected(shared) as (reader, writer):
        writer.write(b"GET /login HTTP/1.1\r\nHost: x\r\n")
        writer.write(b"X-Long: " + b"x" * 200_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        await cut_off(reader)


async def test_who_does_not_read_is_cut_off(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "reading_seconds", 0.3)
    host = shared.url.removeprefix("http://")
    request = f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    whole = len((await shared.api.get("/openapi.json")).content) * 1000
    lost = asyncio.Event()

    class Unread(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set()

    address, port = host.split(":")
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(Unread, address, int(port))
    client.transport.pause_reading()
    client.transport.write(request * 1000)

    mine = client.transport.get_extra_info("sockname")

    async def is_served() -> bool:
        assert shared._server is not None
        served = shared._server.server_state.connections
        return any(getattr(each, "client", None) == mine for each in served)

    async def is_cut_off() -> bool:
        return not await is_served()

    await until(is_served, "the site has the connection")
    await until(is_cut_off, "the site has cut it off")
    client.transport.abort()
    await lost.wait()
    assert whole > 10 * bodies.MIB, "more than the kernel's buffers take"


async def test_a_connection_is_kept_for_the_next_request(shared: Latchkey) -> None:
    host = shared.url.removeprefix("http://")
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    async with connected(shared) as (reader, writer):
        for _ in range(3):
            writer.write(request)
            assert b"200" in await reader.readline()
            await reader.readuntil(b"}")
