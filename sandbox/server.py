"""The sandbox's web server: API, control API, pages; its clock and deliveries run beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox import control, pages, v2
from sandbox.box import Sandbox


def create_app(box: Sandbox) -> Starlette:
    """The ASGI app of one sandbox."""

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
            *v2.routes(box),
            *control.routes(box),
            *pages.routes(box),
        ],
        lifespan=lifespan,
    )
