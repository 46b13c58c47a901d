"""Makes a span of each request that is chosen for a trace, where traces are on."""

from starlette.types import ASGIApp, Receive, Scope, Send

from latchkey import tracing
from web.measuring import part_of, route_of
from web.request_ids import request_id_of

_QUIET = frozenset({"static", "probe"})


class Traced:
    """Surrounds an app. It begins each trace: what a visitor's browser sends isn't taken over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not tracing.chosen() or scope["type"] != "http" or part_of(scope["path"]) in _QUIET:
            await self._app(scope, receive, send)
            return
        with tracing.root(part_of(scope["path"])):
            try:
                await self._app(scope, receive, send)
            finally:
                tracing.note(route=route_of(scope) or "", request_id=request_id_of(scope) or "")
