"""An id for each request: in a header of the response, in every log line about it, and on error
pages."""

import random
import re
from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from web.visitors import is_proxied

REQUEST_ID = "latchkey.request_id"
"""The key of the id in the scope."""

HEADER = b"x-request-id"
_PLAIN = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_IDS = random.Random()
"""Requests leave the generator that all share as it is: tests notice when it moves under them."""


class RequestIds:
    """Gives each request an id: that of a trusted proxy if it is plain, otherwise one of our own.
    It isn't a secret."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            given = _given(scope) if is_proxied(scope) else None
            scope[REQUEST_ID] = name = given or f"{_IDS.getrandbits(64):016x}"
            bind_contextvars(request_id=name)
        return self._app(scope, receive, send)


def request_id_of(scope: Scope) -> str | None:
    """The id of a request that has come as far as its id; None for one that was refused before."""
    return scope.get(REQUEST_ID)


def _given(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == HEADER]
    return values[0].decode() if len(values) == 1 and _PLAIN.fullmatch(values[0]) else None
