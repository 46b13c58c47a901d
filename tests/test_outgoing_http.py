"""Requests to addresses that a person typed in go to the internet, and nowhere else."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from latchkey.outgoing_addresses import (
    Address,
    Destination,
    RefusedAddressError,
    networks,
    on_internet,
)
from latchkey.outgoing_http import KEPT, Answer, NoAnswerError, OutgoingHttp, Resolve
from latchkey.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.anyio

HERE = networks(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

INSIDE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1",
    "169.254.169.254", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2001:db8::1", "::7f00:1", "64:ff9b:1::1",
)  # fmt: skip
OUTSIDE = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8")


@pytest.mark.parametrize("text", INSIDE)
def test_inner_addresses_are_not_on_the_internet(text: str) -> None:
    assert not on_internet(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_on_the_internet(text: str) -> None:
    assert on_internet(ip_address(text))


REFUSED = {
    "http://example.com/hook": "https://",
    "ftp://example.com/": "https://",
    "https:///path": "name a host",
    "https://": "name a host",
    "//example.com/": "https://",
    "https://user:word@example.com/": "name or password",
    "https://@example.com/": "name or password",
    "https://example.com/#part": "fragment",
    "https://example.com:0/": "port 0",
    "https://example.com:99999/": "valid URL",
    "https://[::1/": "valid URL",
    "https://exa mple.com/": "blanks",
    "https://example.com/\r\nx: y": "blanks",
    "https://exämple.com/": "punycode",
    "https://under_score.example.com/": "valid host name",
    "https://" + "a" * 64 + ".example.com/": "valid host name",
    "https://example.com/" + "a" * 2000: "2,000",
    "https://10.0.0.1/": "isn't an address on the internet",
    "https://[::1]:8443/": "isn't an address on the internet",
    "https://[::ffff:169.254.169.254]/": "isn't an address on the internet",
    "https://members.example.com/x": "own address",
    "https://MEMBERS.example.com.:443/x": "own address",
}


@pytest.mark.parametrize("url", REFUSED)
async def test_addresses_that_mislead_are_refused(url: str) -> None:
    async with opened() as outgoing:
        with pytest.raises(RefusedAddressError, match=REFUSED[url]):
            outgoing.check(url)
        with pytest.raises(RefusedAddressError, match=REFUSED[url]):
            await outgoing.post(url, body=b"{}", headers={})


async def test_plain_addresses_pass() -> None:
    async with opened() as outgoing:
        outgoing.check("https://example.com")
        outgoing.check("https://xn--exmple-cua.com:8443/a/b?c=d%20e")
        outgoing.check("https://members.example.com:8443/another-program")
        outgoing.check("https://93.184.216.34/")


INNER = ("127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1")


@pytest.mark.parametrize("inner", INNER)
async def test_a_name_that_leads_inside_is_refused(inner: str) -> None:
    """Also if another of its addresses is on the internet."""
    for found in ([inner], ["93.184.216.34", inner]):
        async with opened(resolve=always(found)) as outgoing:
            outgoing.check("https://rebound.example/")
            with pytest.raises(RefusedAddressError, match=r"leads to .*, which isn't"):
                await outgoing.look_up("https://rebound.example/")
            with pytest.raises(RefusedAddressError, match=r"leads to .*, which isn't"):
                await outgoing.post("https://rebound.example/", body=b"{}", headers={})


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "localhost", "127.1"])
async def test_other_ways_to_write_this_machine_are_refused(host: str) -> None:
    """The system resolves most of these to 127.0.0.1; some it doesn't know."""
    async with opened() as outgoing:
        with pytest.raises((RefusedAddressError, NoAnswerError)):
            await outgoing.post(f"https://{host}/", body=b"{}", headers={})


async def test_the_connection_goes_to_the_address_that_was_judged(certified: "Certified") -> None:
    """A name that resolves elsewhere the second time has no second time."""
    asked = []

    async def resolve(host: str, port: int) -> Sequence[Address]:
        asked.append((host, port))
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    async with serving(OK, certified.server) as server:
        url = f"https://receiver.example:{server.port}/hook?a=b"
        trusting = {"certificates": certified.client}
        async with opened(allowed=HERE, resolve=resolve, **trusting) as outgoing:
            answer = await outgoing.post(url, body=b'{"a":1}', headers={"x-one": "1"})
            assert answer == Answer(200, b"ok")
    assert asked == [("receiver.example", server.port)]
    assert server.names == ["receiver.example"], "the name that the certificate is for"
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"host: receiver.example:{server.port}".encode() in head.lower()
    assert b"x-one: 1" in head
    assert body == b'{"a":1}'


async def test_a_certificate_for_another_name_is_refused(certified: "Certified") -> None:
    async with serving(OK, certified.server) as server:
        there = always(["127.0.0.1"])
        trusting = {"certificates": certified.client}
        async with opened(allowed=HERE, resolve=there, **trusting) as outgoing:
            with pytest.raises(NoAnswerError, match="certificate"):
                await outgoing.post(
                    f"https://another.example:{server.port}/", body=b"{}", headers={}
                )
    assert server.requests == []


async def test_redirects_are_answers() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(moved) as server, opened(allowed=HERE) as outgoing:
        answer = await outgoing.post(server.url, body=b"{}", headers={})
    assert answer == Answer(302, b"")
    assert not answer.accepted
    assert len(server.requests) == 1


async def test_http_is_only_for_allowed_networks() -> None:
    async with opened(allowed=HERE, resolve=always(["93.184.216.34"])) as outgoing:
        with pytest.raises(RefusedAddressError, match="https://"):
            await outgoing.post("http://example.com/", body=b"{}", headers={})
        with pytest.raises(RefusedAddressError, match="https://"):
            outgoing.check("http://93.184.216.34/")
        with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.1 isn't"):
            outgoing.check("http://10.0.0.1/")


async def test_only_the_beginning_of_an_answer_is_read() -> None:
    endless = b"HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\n" + b"x" * (KEPT + 1)
    async with serving(endless, hold=True) as server, opened(allowed=HERE) as outgoing:
        answer = await outgoing.post(server.url, body=b"{}", headers={})
    assert answer == Answer(500, b"x" * KEPT)


async def test_silence_ends() -> None:
    async with serving(b"", hold=True) as server, quick() as outgoing:
        with pytest.raises(NoAnswerError, match=r"didn't answer within 0\.5 s"):
            await outgoing.post(server.url, body=b"{}", headers={})


async def test_a_dripping_answer_ends() -> None:
    """Each byte comes in time; all of them don't."""
    dripping = serving(b"HTTP/1.1 200 OK\r\nx-drip: ", drip=True)
    async with dripping as server, quick() as outgoing:
        with pytest.raises(NoAnswerError, match="didn't answer within"):
            await outgoing.post(server.url, body=b"{}", headers={})


async def test_what_is_not_http_is_no_answer() -> None:
    for text in (b"SSH-2.0-OpenSSH\r\n", b""):
        async with serving(text) as server, opened(allowed=HERE) as outgoing:
            with pytest.raises(NoAnswerError, match="broke off"):
                await outgoing.post(server.url, body=b"{}", headers={})


async def test_nobody_there() -> None:
    async with serving(OK) as server:
        pass
    async with opened(allowed=HERE) as outgoing:
        with pytest.raises(NoAnswerError, match="no connection"):
            await outgoing.post(server.url, body=b"{}", headers={})
    async with opened(allowed=HERE) as outgoing:
        with pytest.raises(NoAnswerError, match="can't be resolved"):
            await outgoing.look_up("https://nowhere.invalid/")


async def test_the_next_address_is_tried_if_one_does_not_answer() -> None:
    async with serving(OK) as server:
        both = always(["127.0.0.2", "127.0.0.1"])
        async with opened(allowed=HERE, resolve=both) as outgoing:
            url = f"http://two.example:{server.port}/"
            assert (await outgoing.post(url, body=b"{}", headers={})).accepted


async def test_the_site_itself_is_refused_by_any_name() -> None:
    given = {"public_url": "https://members.example.com", "port": 8123}
    settings = Settings.model_validate(given | {"outgoing_networks": "127.0.0.0/8"})
    outgoing = OutgoingHttp.of(settings)
    for url in (
        "https://members.example.com/webhooks/stripe",
        "http://localhost:8123/",
        "http://127.0.0.1:8123/",
    ):
        with pytest.raises(RefusedAddressError, match="own address"):
            outgoing.check(url)
    await outgoing.aclose()
    own = [Destination("http", "127.0.0.1", 8123)]
    async with opened(allowed=HERE, own=own, resolve=always(["127.0.0.1"])) as outgoing:
        with pytest.raises(RefusedAddressError, match="leads to this site itself"):
            await outgoing.post("http://alias.example:8123/", body=b"{}", headers={})


async def test_a_site_with_an_odd_name_starts_and_is_refused() -> None:
    """Names with an underscore exist in Docker's networks, and as the site's own."""
    settings = Settings.model_validate({"public_url": "http://my_site:8000"})
    await OutgoingHttp.of(settings).aclose()
    settings = Settings.model_validate({"public_url": "https://MEMBERS.example.com"})
    outgoing = OutgoingHttp.of(settings)
    with pytest.raises(RefusedAddressError, match="own address"):
        outgoing.check("https://members.example.com/hook")
    await outgoing.aclose()


def test_networks_in_the_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHKEY_OUTGOING_NETWORKS", "10.0.0.0/8, 127.0.0.1")
    assert load_settings().outgoing_allowed == ("10.0.0.0/8", "127.0.0.1")
    monkeypatch.setenv("LATCHKEY_OUTGOING_NETWORKS", "intranet")
    with pytest.raises(SettingsError, match=r"LATCHKEY_OUTGOING_NETWORKS: must be networks"):
        load_settings()


OWN = [Destination("https", "members.example.com", 443)]


@asynccontextmanager
async def opened(**options: object) -> AsyncIterator[OutgoingHttp]:
    outgoing = OutgoingHttp(**({"own": OWN} | options))  # type: ignore[arg-type]
    try:
        yield outgoing
    finally:
        await outgoing.aclose()


def quick() -> AbstractAsyncContextManager[OutgoingHttp]:
    return opened(allowed=HERE, total_seconds=0.5)


def always(addresses: list[str]) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [ip_address(text) for text in addresses]

    return resolve


@dataclass
class Server:
    """What reached it: whole requests, and the names that clients asked for in TLS."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def serving(
    answer: bytes,
    context: ssl.SSLContext | None = None,
    *,
    hold: bool = False,
    drip: bool = False,
) -> AsyncIterator[Server]:
    """Answers each request with the same bytes; then closes the connection, or holds it, or goes on
    byte by byte."""
    server = Server()
    over = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            server.requests.append(head + await reader.readexactly(int(length or 0)))
            writer.write(answer)
            await writer.drain()
            while drip and not over.is_set():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
            if hold:
                await over.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    if context is not None:
        context.sni_callback = lambda _, name, __: server.names.append(name)
    listening = await asyncio.start_server(respond, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        over.set()
        listening.close()


@dataclass(frozen=True)
class Certified:
    """Both sides of a certificate for receiver.example."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("receiver.example")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "both.pem").write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "both.pem")
    return Certified(server, ssl.create_default_context(cadata=public.decode()))
