"""Where requests come from: the visitor's address behind a proxy, and the network it is in."""

import ipaddress
from collections.abc import Awaitable
from typing import Any, cast

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

UNKNOWN = "unknown"
_PEER = "latchkey.peer"
_PROXIED = "latchkey.proxied"
_FORWARDED = (b"x-forwarded-", b"x-original-url")


class VisitorAddresses:
    """Takes the visitor's address from `X-Forwarded-For` if the request comes from a trusted proxy.

    Text in that header that isn't an IP address is ignored: then the proxy's own address counts.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        self._app = app
        proxied = ProxyHeadersMiddleware(cast(Any, self._checked), trusted)
        self._trusted = proxied.trusted_hosts
        self._proxied = cast(ASGIApp, proxied)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and not _forwarded(scope):
            return self._app(scope, receive, send)
        peer = scope[_PEER] = scope.get("client")
        scope[_PROXIED] = peer is not None and peer[0] in self._trusted
        return self._proxied(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.pop(_PEER)
        client = scope.get("client")
        if client and address(client[0]) is None:
            scope["client"] = peer
        await self._app(scope, receive, send)


def _forwarded(scope: Scope) -> bool:
    return any(name.startswith(_FORWARDED) for name, _ in scope["headers"])


def from_trusted_proxy(request: HTTPConnection) -> bool:
    """Whether a proxy that is trusted says in headers what was requested of it."""
    return is_proxied(request.scope)


def is_proxied(scope: Scope) -> bool:
    """The same for a bare request."""
    return scope.get(_PROXIED, False) is True


def address(text: str) -> str | None:
    """An IP address in its normal form; None for other text, and for addresses with a zone."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return None
        return str(found.ipv4_mapped or found)
    return str(found)


def address_of(request: HTTPConnection) -> str:
    """The IP address that a request comes from; `unknown` if the server doesn't know it."""
    return (address(request.client.host) if request.client else None) or UNKNOWN


def network_of(request: HTTPConnection) -> str:
    """The network that a request comes from, for counting."""
    return network(address_of(request))


def network(address: str) -> str:
    """The network of an address: itself for IPv4, and for IPv6 the 64 bits that one customer of a
    provider usually has."""
    if ":" in address:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return address
