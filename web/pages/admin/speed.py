"""Speed: how many purchases opened what was bought within a second."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.rules.objective import GOAL_PER_MILLE, WITHIN_SECONDS
from latchkey.store.checks import purchase_speed
from web.pages.guard import admin_page
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [Route("/admin/speed", show)]


@admin_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        speed = await purchase_speed.read(connection)
    return page(
        request,
        "admin/speed.html",
        speed=speed,
        goal=GOAL_PER_MILLE / 10,
        within=WITHIN_SECONDS,
    )
