"""Looking at the site as a member: begun by an admin, logged, ended by them or after an hour."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import signin_links
from latchkey.store.users import impersonation, signin
from web.pages.admin.lookup import person_of
from web.pages.guard import admin_page, form, member_page, redirect, text
from web.pages.render import page
from web.security import SESSION_COOKIE
from web.site import site_of

_NOT_THEM = (
    "Only admins can look at the site as somebody else, and only as a member: nobody signs in as"
    " those who look after the site, or as somebody who was erased."
)
_BEGIN_ANEW = "Each time is begun anew on the person's page, and is written into the activity feed."


def routes() -> list[Route]:
    return [
        Route("/admin/users/{id}/sign-in-as", start, methods=["GET", "POST"]),
        Route("/acting/stop", stop, methods=["POST"]),
    ]


@admin_page
async def start(request: Request) -> Response:
    """Asks first, with a form that works once; then shows the site as they see it."""
    given = await form(request) if request.method == "POST" else None
    actor, secrets = request.state.user, site_of(request).secrets
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        found = await person_of(request, connection)
        if given is None:
            if not actor.is_admin or found.role != "member":
                return _refused(request, found.id, _NOT_THEM)
            handover = signin_links.sign_acting(actor.id, found.id, secrets=secrets)
            return page(request, "admin/user_impersonate.html", person=found, handover=handover)
        try:
            nonce = signin_links.read_acting(
                text(given, "handover"), actor=actor.id, user_id=found.id, secrets=secrets
            )
        except signin_links.LinkRefusedError as refused:
            return _refused(request, found.id, f"{refused} {_BEGIN_ANEW}")
        if not await signin.use_link(connection, nonce):
            return _refused(request, found.id, f"That was used already. {_BEGIN_ANEW}")
        token = request.cookies[SESSION_COOKIE]
        begun = await impersonation.start(connection, token, user_id=found.id, actor=actor.id)
    return redirect("/library") if begun else _refused(request, found.id, _NOT_THEM)


@member_page
async def stop(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        user_id = await impersonation.stop(connection, request.cookies[SESSION_COOKIE])
    return redirect(f"/admin/users/{user_id}?done=acting-over" if user_id else "/")


def _refused(request: Request, user_id: int, reason: str) -> Response:
    return page(
        request,
        "message.html",
        403,
        heading="You still see the site as yourself",
        text=reason,
        back=f"/admin/users/{user_id}",
    )
