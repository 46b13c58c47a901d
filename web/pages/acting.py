"""Looking at the site as a member: begun by an admin, logged, ended by them or after an hour."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store import acting
from web.pages.guard import admin_page, form, member_page, see
from web.pages.render import page
from web.pages.user import person_of
from web.security import SESSION_COOKIE
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/admin/users/{id}/sign-in-as", start, methods=["GET", "POST"]),
        Route("/acting/stop", stop, methods=["POST"]),
    ]


@admin_page
async def start(request: Request) -> Response:
    given = request.method == "POST" and await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        found = await person_of(request, connection)
        if not given:
            if not request.state.user.is_admin:
                return await _refused(request, found.id)
            return page(request, "admin/user_sign_in_as.html", person=found)
        token = request.cookies[SESSION_COOKIE]
        begun = await acting.start(connection, token, user_id=found.id, actor=request.state.user.id)
    return see("/library") if begun else await _refused(request, found.id)


@member_page
async def stop(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection:
        user_id = await acting.stop(connection, request.cookies[SESSION_COOKIE])
    return see(f"/admin/users/{user_id}" if user_id else "/")


async def _refused(request: Request, user_id: int) -> Response:
    return page(
        request,
        "message.html",
        403,
        heading="Not possible",
        text="Only admins can look at the site as somebody else, and only as a member: nobody signs"
        " in as those who look after the site, or as somebody who was erased.",
        back=f"/admin/users/{user_id}",
    )
