"""Keeps web pages of others from driving the sandbox through a browser.

The sandbox has no sign-in, and it listens where browsers of the same machine reach it. A request
must name a known host (so that no foreign name can be pointed at it), and one that a page sends
must come from a page of the sandbox itself.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """Middleware that refuses foreign hosts and origins, and control calls that aren't JSON.
    `hosts` are names that it answers to besides the local ones."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = LOCAL | hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self._foreign(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and (refusal := self._refusal(Request(scope))):
            status, message = refusal
            answer = JSONResponse({"error": {"message": message}}, status)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _foreign(self, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("Host", "")
        if _name(f"//{host}") not in self._hosts:
            return 421, (
                f"The sandbox doesn't answer to the host {host!r}. Start it with --public-host to"
                " allow it."
            )
        origin = headers.get("Origin")
        if origin is not None and _name(origin) not in self._hosts:
            return 403, f"The sandbox doesn't take requests from pages of {origin!r}."
        return None

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if refusal := self._foreign(request.headers):
            return refusal
        if _is_control(request) and not _is_json(request):
            return 415, "Send the body as JSON, with Content-Type: application/json."
        return None


@lru_cache
def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_control(request: Request) -> bool:
    has_body = request.headers.get("Content-Length", "0") != "0" or (
        "Transfer-Encoding" in request.headers
    )
    return str(request.scope["path"]).startswith("/_sandbox") and has_body


def _is_json(request: Request) -> bool:
    kind = request.headers.get("Content-Type", "")
    return kind.partition(";")[0].strip().lower() == "application/json"
