"""Measures each request."""

import time
from collections.abc import Awaitable

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latchkey.timings import REQUEST, ROUTE
from web.paths import EXACT

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
_BY_ROUTE = frozenset({"page", "admin", "api"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def part_of(path: str) -> str:
    """The part of the site that a path belongs to: a few fixed words, whatever visitors type."""
    return next((part for prefix, part in _PARTS if path.startswith(prefix)), "page")


class Measured:
    """Measures the requests of the app that it surrounds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._parts: dict[tuple[str, str], Histogram] = {}
        self._routes: dict[tuple[str, str], Histogram] = {}

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
            part = part_of(scope["path"])
            _labelled(REQUEST, self._parts, part, status).observe(seconds)
            if part in _BY_ROUTE and (route := route_of(scope)):
                method = scope["method"] if scope["method"] in _METHODS else "other"
                _labelled(ROUTE, self._routes, method, route).observe(seconds)


def route_of(scope: Scope) -> str | None:
    """The pattern of the route that answered, such as `/admin/products/{product}`; None if none
    did."""
    return scope.get(EXACT) or getattr(scope.get("route"), "path", None)


def _labelled(
    metric: Histogram, known: dict[tuple[str, str], Histogram], first: str, second: str
) -> Histogram:
    """Asking the metric itself takes a lock each time."""
    found = known.get((first, second))
    if found is None:
        found = known[first, second] = metric.labels(first, second)
    return found
