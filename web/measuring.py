"""Measures each request."""

import time
from collections.abc import Awaitable

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latchkey.timings import REQUEST

_PARTS = (
    ("/webhooks/", "webhook"),
    ("/api/v1/access", "access"),
    ("/api/", "api"),
    ("/admin", "admin"),
    ("/static/", "static"),
    ("/healthz", "probe"),
    ("/readyz", "probe"),
    ("/metrics", "probe"),
)


def part_of(path: str) -> str:
    """The part of the site that a path belongs to: a few fixed words, whatever visitors type."""
    return next((part for prefix, part in _PARTS if path.startswith(prefix)), "page")


class Measured:
    """Measures the requests of the app that it surrounds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._measured: dict[tuple[str, str], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        def sending(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            return send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            self._histogram(part_of(scope["path"]), status).observe(seconds)

    def _histogram(self, part: str, status: str) -> Histogram:
        """Asking the metric itself takes a lock each time."""
        found = self._measured.get((part, status))
        if found is None:
            found = self._measured[part, status] = REQUEST.labels(part, status)
        return found
