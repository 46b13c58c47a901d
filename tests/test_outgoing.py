"""Connections to others: certificates are checked, redirects aren't followed, silence ends."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosmtplib
import asyncpg
import certifi
import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from latchkey import stripe_api, temporal
from latchkey.mail import server as servers
from latchkey.settings import Settings
from latchkey.store.pool import create_pool
from latchkey.stripe_api import StripeApi, StripeError
from tests.harness import free_port

pytestmark = pytest.mark.anyio

BODY = b'{"id": "acct_1"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture
def forged(tmp_path: Path) -> ssl.SSLContext:
    """The side of a server with a certificate for localhost that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "forged.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def serving(
    answer: bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives every request one answer, or none where it is empty: its address and the
    requests it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        if answer:
            writer.write(answer)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(serve, "localhost", free_port(), ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if context else ''}://localhost:{port}", got
    finally:
        server.close()


async def test_stripe_is_only_told_the_key_where_the_certificate_is_good(
    forged: ssl.SSLContext,
) -> None:
    async with serving(ANSWER, forged) as (address, got):
        api = StripeApi("sk_test_x", base=address)
        with pytest.raises(StripeError) as refused:
            await api.account()
        await api.close()
    assert refused.value.passing
    assert got == []


async def test_redirects_of_stripe_are_not_followed() -> None:
    async with serving(ANSWER) as (elsewhere, got):
        moved = f"HTTP/1.1 307 Moved\r\nlocation: {elsewhere}/\r\ncontent-length: 2\r\n\r\n{{}}"
        async with serving(moved.encode()) as (address, asked):
            api = StripeApi("sk_test_x", base=address)
            with pytest.raises(StripeError):
                await api.account()
            await api.close()
    assert len(asked) == 1
    assert got == []


async def test_a_silent_stripe_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stripe_api._TIMEOUT_SECONDS <= 30
    monkeypatch.setattr(stripe_api, "_TIMEOUT_SECONDS", 0.2)
    async with serving(b"") as (address, _):
        api = StripeApi("sk_test_x", base=address)
        with pytest.raises(StripeError) as given_up:
            await api.account()
        await api.close()
    assert given_up.value.passing


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_no_password_goes_to_a_mail_server_with_a_forged_certificate(
    forged: ssl.SSLContext, scheme: str
) -> None:
    logins: list[object] = []

    def login(*given: object) -> bool:
        logins.append(given)
        return True

    def serve() -> SMTP:
        context = forged if scheme == "smtp" else None
        return SMTP(
            Sink(),
            authenticator=login,  # type: ignore[arg-type]
            auth_require_tls=False,
            tls_context=context,
        )

    loop, port = asyncio.get_running_loop(), free_port()
    context = forged if scheme == "smtps" else None
    server = await loop.create_server(serve, "localhost", port, ssl=context)
    url = f"{scheme}://user:secret@localhost:{port}"
    target = servers.of_settings(Settings.model_validate({"SMTP_URL": url}))
    assert target is not None
    with pytest.raises((aiosmtplib.SMTPException, OSError)) as refused:
        await servers.connected(target)
    server.close()
    assert "The certificate of localhost isn't valid for that name" in servers.explained(
        refused.value, target
    )
    assert logins == []


SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


@asynccontextmanager
async def encrypted(
    context: ssl.SSLContext, *, asked: bytes = b""
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that takes up TLS once it is `asked` to, or at once: its port, and what it was told
    under a certificate that its clients accept."""
    told: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if asked:
                assert await reader.readexactly(len(asked)) == asked
                writer.write(b"S")
                await writer.start_tls(context)
            told.append(await reader.read(1000))
        writer.close()

    at_once = None if asked else context
    server = await asyncio.start_server(serve, "localhost", free_port(), ssl=at_once)
    try:
        yield server.sockets[0].getsockname()[1], told
    finally:
        server.close()


@pytest.mark.parametrize("known", [False, True])
async def test_postgres_is_only_told_who_asks_where_the_certificate_is_good(
    forged: ssl.SSLContext, tmp_path: Path, known: bool
) -> None:
    trusted = tmp_path / "forged.pem" if known else Path(certifi.where())
    refused = asyncpg.ConnectionDoesNotExistError if known else ssl.SSLCertVerificationError
    async with encrypted(forged, asked=SSL_REQUEST) as (port, told):
        with pytest.raises(refused):
            await create_pool(
                f"postgresql://user:secret@localhost:{port}/latchkey"
                f"?sslmode=verify-full&sslrootcert={trusted}"
            )
    assert [b"latchkey" in text for text in told] == ([True] if known else [])


@pytest.mark.parametrize("known", [False, True])
async def test_temporal_is_only_asked_where_the_certificate_is_good(
    forged: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    forged.set_alpn_protocols(["h2"])
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    if known:
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "forged.pem"))
    async with encrypted(forged) as (port, told):
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"localhost:{port}")
        with pytest.raises(RuntimeError):
            await temporal.connect()
    assert any(text.startswith(b"PRI * HTTP/2.0") for text in told) is known
