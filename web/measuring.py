"""Measures each request."""

import time

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, sending)
        finally:
            REQUEST.labels(part_of(scope["path"]), status).observe(time.perf_counter() - began)
