"""Requests to addresses that a person typed in: outgoing webhooks, logout notices.

Such an address could lead into the network that Latchkey runs in (server-side request forgery), so
each name is resolved once, what it resolves to is judged, and the connection goes to exactly that.
Redirects aren't followed. Everything else about the request, such as the Host header and the name
that the certificate has to be for, is as the address says.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from types import MappingProxyType
from typing import Self
from urllib.parse import urlsplit

import httpcore
import httpx

from latchkey.outgoing_addresses import (
    Address,
    Destination,
    Network,
    RefusedAddressError,
    destination_of,
    in_networks,
    networks,
    on_internet,
)
from latchkey.settings import Settings

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
LONGEST_BODY = 256 * 1024
KEPT = 16 * 1024
"""How many bytes of an answer are read, if nothing else is said."""
IDLE_CONNECTIONS = 20
IDLE_SECONDS = 15.0
LOOKUPS = 32
"""At once. The system's resolver takes a thread for each, and may hang for long."""

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class NoAnswerError(OSError):
    """Nothing answered in time, or not in HTTP. The message says what happened."""


@dataclass(frozen=True)
class Answer:
    """What a server answered: the status, the beginning of its body, and its headers, with names in
    lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def location(self) -> str:
        """Where it redirects to."""
        return self.headers.get("location", "")

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class OutgoingHttp:
    """Sends such requests. `own` are the places that this site answers at, which are refused; only
    addresses in `allowed` may be outside the internet, and only these may be reached by http."""

    def __init__(
        self,
        *,
        own: Iterable[Destination],
        allowed: Sequence[Network] = (),
        resolve: Resolve | None = None,
        certificates: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._own = {(goal.host, goal.port) for goal in own}
        self._allowed = tuple(allowed)
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")
        self._resolve = resolve or self._ask_system
        self._total = total_seconds
        self._certificates = certificates
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        public = urlsplit(settings.public_url)
        port = public.port or (443 if public.scheme == "https" else 80)
        own = [Destination(public.scheme, public.hostname or "", port)]
        names = ("localhost", "127.0.0.1", "::1", *settings.hosts)
        own += [Destination("http", name, settings.port) for name in names]
        return cls(own=own, allowed=networks(settings.outgoing_allowed))

    @property
    def allows_inside(self) -> bool:
        """Whether any addresses outside the internet may be reached."""
        return bool(self._allowed)

    def check(self, url: str) -> None:
        """What can be said of an address without resolving its name. Raises
        `RefusedAddressError`."""
        goal = destination_of(url)
        if (goal.host, goal.port) in self._own:
            raise RefusedAddressError("it is this site's own address")
        if goal.scheme == "http" and not self._allowed:
            raise RefusedAddressError("it has to begin with https://")
        try:
            address = ip_address(goal.host)
        except ValueError:
            return
        self._judge(goal.host, address, secure=goal.scheme == "https")

    async def look_up(self, url: str) -> None:
        """Also resolves the name. Raises `RefusedAddressError`, and `NoAnswerError` if there is no
        such name."""
        self.check(url)
        goal = destination_of(url)
        await self._addresses(goal.host, goal.port, secure=goal.scheme == "https")

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once. Raises `RefusedAddressError` and `NoAnswerError`."""
        assert len(body) <= LONGEST_BODY, "a body is small"
        return await self.request("POST", url, body=body, headers=headers)

    async def get(self, url: str) -> Answer:
        """Get once. Raises `RefusedAddressError` and `NoAnswerError`."""
        return await self.request("GET", url)

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
        kept: int = KEPT,
    ) -> Answer:
        """Send one request, and read up to `kept` bytes of the answer. Raises `RefusedAddressError`
        and `NoAnswerError`."""
        self.check(url)
        try:
            async with asyncio.timeout(self._total):
                return await self._send(method, url, body, headers, kept)
        except TimeoutError:
            raise NoAnswerError(f"it didn't answer within {self._total:g} s") from None
        except httpcore.ConnectTimeout:
            raise NoAnswerError(f"no connection within {CONNECT_SECONDS:g} s") from None
        except httpcore.TimeoutException:
            raise NoAnswerError(f"it didn't answer within {self._total:g} s") from None
        except ssl.SSLError as error:
            raise NoAnswerError(f"TLS failed: {error.reason or error}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            if isinstance(error, NoAnswerError):
                raise
            raise NoAnswerError(_words(error)) from None

    async def _send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], kept: int
    ) -> Answer:
        limits = dict.fromkeys(("read", "write", "pool"), self._total)
        request = self._pool(destination_of(url).scheme).stream(
            method,
            url,
            headers=[("accept", "*/*"), *headers.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS, **limits}},
        )
        async with request as response:
            given = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            return Answer(response.status, await _beginning(response, kept), given)

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        """The connections of a scheme, made with the first one: certificates take long to load."""
        if scheme not in self._pools:
            secure = scheme == "https"
            if secure and self._certificates is None:
                self._certificates = httpx.create_ssl_context()
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=self._certificates,
                max_connections=None,
                max_keepalive_connections=IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=_GuardedNetwork(partial(self._addresses, secure=secure)),
            )
        return self._pools[scheme]

    async def _addresses(self, host: str, port: int, *, secure: bool) -> Sequence[Address]:
        """What a host name resolves to, all of it allowed. Raises `RefusedAddressError`, and
        `NoAnswerError` if there is no such name."""
        try:
            found: Sequence[Address] = [ip_address(host)]
        except ValueError:
            found = await self._resolve(host, port)
        for address in found:
            self._judge(host, address, secure=secure)
            if (str(address), port) in self._own:
                raise RefusedAddressError("it leads to this site itself")
        return found

    def _judge(self, host: str, address: Address, *, secure: bool) -> None:
        if in_networks(address, self._allowed):
            return
        if not on_internet(address):
            leads = "" if host == str(address) else f" leads to {address}, which"
            raise RefusedAddressError(
                f"{host}{leads} isn't an address on the internet (LATCHKEY_OUTGOING_NETWORKS can"
                " allow it)"
            )
        if not secure:
            raise RefusedAddressError("it has to begin with https://")

    async def _ask_system(self, host: str, port: int) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await loop.run_in_executor(self._threads, look_up)
        except OSError as error:
            raise NoAnswerError(f"{host} can't be resolved ({error.strerror or error})") from None
        texts = dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in found)
        return [ip_address(text) for text in texts]

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to what a name resolves to, after it was judged, one address after the other."""

    def __init__(self, addresses: Resolve) -> None:
        self._addresses = addresses
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        assert timeout is not None, "every request has a limit"
        until = time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                addresses = list(await self._addresses(host, port))
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        for nth, address in enumerate(addresses):
            left = (until - time.monotonic()) / (len(addresses) - nth)
            try:
                return await self._network.connect_tcp(
                    str(address), port, max(left, 0.1), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if nth == len(addresses) - 1:
                    raise
        raise NoAnswerError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


async def _beginning(response: httpcore.Response, most: int) -> bytes:
    """The first bytes of a body; the rest isn't waited for."""
    kept = bytearray()
    async for part in response.aiter_stream():
        kept += part
        if len(kept) >= most:
            break
    return bytes(kept[:most])


def _words(error: Exception) -> str:
    """What happened, without the address that it happened at."""
    match error:
        case httpcore.ConnectError():
            return f"no connection ({error})"
        case httpcore.ProtocolError():
            return f"it broke off, or didn't answer in HTTP ({error})"
    return f"the connection broke off ({error or type(error).__name__})"
