"""Bounds for the bodies of requests: how large they may be, and how long they may take."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.numbers import number

MIB = 1024 * 1024
MOST = MIB
"""The bound of every body whose handler doesn't ask for another one."""

LONG_TEXT = 3 * MIB
"""A form with a text of 200,000 characters, each of up to 12 bytes as forms encode it."""

CSV_FILE = 8 * MIB
"""A form with a file of 8 MB."""

PICTURE = 12 * MIB
"""A form with a picture of 10 MB and a long text."""

MEMBERS_FILE = 48 * MIB
"""A form with the members of another system."""

GRACE_SECONDS, SLOWEST_RATE = 20.0, 64 * 1024
"""A body has 20 seconds, and one more for each 64 KiB that it may have."""

_KEY = "latchkey.body"


class BodyRefusedError(HTTPException):
    """The body is too large (413) or arrives too slowly (408). It isn't read any further."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(status, detail)
        self.code = code


class BoundedBodies:
    """Bounds what handlers read of a request's body. It stores nothing, so a request needs no more
    memory than its handler takes at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        bound = scope[_KEY] = _Bound()
        return self._app(scope, _Body(scope, receive, bound).receive, send)


@dataclass
class _Bound:
    """How large a request's body may be. The request's scope holds this alone: a body that refers
    to what holds the scope would be garbage that only a search finds."""

    most: int = MOST


class _Body:
    def __init__(self, scope: Scope, receive: Receive, bound: _Bound) -> None:
        self._receive = receive
        self._bound = bound
        self._declared = _declared(scope)
        self._began = time.monotonic()
        self._size = 0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        self._check(self._declared)
        seconds = GRACE_SECONDS + self._bound.most / SLOWEST_RATE - (time.monotonic() - self._began)
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise BodyRefusedError(
                408, "too_slow", "the request's body arrived too slowly: try again"
            ) from None
        self._size += len(message.get("body", b""))
        self._check(self._size)
        self._complete = not message.get("more_body", False)
        return message

    def _check(self, size: int) -> None:
        if size > self._bound.most:
            most = f"{self._bound.most // MIB} MiB"
            raise BodyRefusedError(413, "too_large", f"the request's body is larger than {most}")


def _declared(scope: Scope) -> int:
    """How many bytes the headers announce; 0 if they don't say."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return number(value.decode("latin-1")) or 0
    return 0


def expect(request: Request, *, most: int) -> None:
    """Let a request's body have up to `most` bytes. Call it before the body is read."""
    bound: _Bound = request.scope[_KEY]
    bound.most = most


async def read(receive: Receive) -> bytes:
    """The whole body, for handlers without a `Request`. Raises `BodyRefusedError` if it is refused
    or the connection closes before it has arrived."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefusedError(
                400, "malformed", "the connection closed before the whole body arrived"
            )
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
