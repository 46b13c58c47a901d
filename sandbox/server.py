"""The sandbox's web server: API, control API, pages; its clock and deliveries run beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from sandbox import control, pages, v2
from sandbox.box import Sandbox
from sandbox.guard import Guard


def create_app(box: Sandbox, *, hosts: frozenset[str] = frozenset()) -> Starlette:
    """The ASGI app of one sandbox. `hosts` are names it answers to besides the local ones and that
    of its own address."""
    own = urlsplit(box.shop.world.base_url).hostname or ""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        box.deliveries.start()
        ticking = asyncio.create_task(box.clock.run())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            await box.deliveries.stop()
            box.flush()
            box.storage.close()

    return Starlette(
        routes=[
            Route("/v1/{path:path}", box.api, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
            WebSocketRoute("/stripecli/subscribe", box.shop.listeners.serve),
            *v2.routes(box),
            *control.routes(box),
            *pages.routes(box),
        ],
        middleware=[Middleware(Guard, hosts=hosts | {own})],
        lifespan=lifespan,
    )
