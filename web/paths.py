"""Paths with extra slashes or control characters: webhooks are accepted, pages with extra slashes
are redirected, and control characters lead nowhere."""

import re

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

WEBHOOKS = "/webhooks/stripe"
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_WEBHOOKS = re.compile(r"/+webhooks/+stripe/*")


class PlainPaths:
    """Stands in front of the routes.

    An endpoint that was registered by hand with an extra slash would lose every event. A redirect
    names a path only: Starlette's own would name whatever host the request claims. No path of the
    site has a control character; with U+FFFD in its place, each route finds nothing in its own way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] == "http" and _CONTROL.search(path):
            path = _CONTROL.sub("\ufffd", path)
            scope = {**scope, "path": path}
        if scope["type"] == "http" and path != WEBHOOKS and _WEBHOOKS.fullmatch(path):
            scope = {**scope, "path": WEBHOOKS, "raw_path": WEBHOOKS.encode()}
        elif scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and _odd(path):
            query = scope["query_string"].decode("latin-1")
            plain = re.sub("/{2,}", "/", path).rstrip("/") or "/"
            await RedirectResponse(plain + (f"?{query}" if query else ""), 308)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)


def _odd(path: str) -> bool:
    return "//" in path or (len(path) > 1 and path.endswith("/"))
