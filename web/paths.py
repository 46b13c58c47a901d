"""Paths on their way to the routes. Those with extra slashes or control characters: webhooks are
accepted, pages with extra slashes are redirected, and control characters lead nowhere."""

import re
from collections.abc import Awaitable, Mapping

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

WEBHOOKS = "/webhooks/stripe"
EXACT = "latchkey.exact"
"""The key in the scope of what `ExactPaths` answers, with the path that it found."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_WEBHOOKS = re.compile(r"/+webhooks/+stripe/*")
_PLAIN = re.compile("/|(?:/[^/\x00-\x1f\x7f]++)++")


class PlainPaths:
    """Stands in front of the routes.

    An endpoint that was registered by hand with an extra slash would lose every event. A redirect
    names a path only: Starlette's own would name whatever host the request claims. No path of the
    site has a control character; with U+FFFD in its place, each route finds nothing in its own way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or _PLAIN.fullmatch(scope["path"]):
            return self._app(scope, receive, send)
        path = scope["path"] = _CONTROL.sub("\ufffd", scope["path"])
        if _WEBHOOKS.fullmatch(path):
            scope["path"], scope["raw_path"] = WEBHOOKS, WEBHOOKS.encode()
        elif scope["method"] in ("GET", "HEAD") and _odd(path):
            query = scope["query_string"].decode("latin-1")
            plain = re.sub("/{2,}", "/", path).rstrip("/") or "/"
            moved = RedirectResponse(plain + (f"?{query}" if query else ""), 308)
            return moved(scope, receive, send)
        return self._app(scope, receive, send)


class ExactPaths:
    """Answers requests for fixed paths at once, where the routes would be tried one by one.
    `table` has the apps by method and path."""

    def __init__(self, app: ASGIApp, *, table: Mapping[tuple[str, str], ASGIApp]) -> None:
        self._app = app
        self._table = table

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app = self._app
        if scope["type"] == "http":
            path = scope["path"]
            found = self._table.get((scope["method"], path))
            if found is not None:
                scope[EXACT] = path
                app = found
        return app(scope, receive, send)


def _odd(path: str) -> bool:
    return "//" in path or (len(path) > 1 and path.endswith("/"))
