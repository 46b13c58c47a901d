"""Viewing the site as a member: started by an admin, logged, stopped by them or after an hour."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import signin_links
from latchkey.languages import A_, _
from latchkey.store.users import impersonation, signin
from web.pages.admin.lookup import person_of
from web.pages.guard import admin_page, form, redirect, signed_in_page, text
from web.pages.render import page
from web.security import session_token
from web.site import site_of

_NOT_THEM = A_(
    "Only admins can view the site as another user, and only as a member: not as"
    " someone on the team, and not as an erased user."
)
_START_AGAIN = A_("Start again from the user's page. Each time is recorded in the activity feed.")


def routes() -> list[Route]:
    return [
        Route("/admin/users/{id}/sign-in-as", start, methods=["GET", "POST"]),
        Route("/acting/stop", stop, methods=["POST"]),
    ]


@admin_page
async def start(request: Request) -> Response:
    """Asks for confirmation, with a form that works once; then shows the site as they see it."""
    fields = await form(request) if request.method == "POST" else None
    actor, secrets = request.state.user, site_of(request).secrets
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        if fields is None:
            if not actor.is_admin or person.role != "member":
                return _refused(request, person.id, _NOT_THEM)
            handover = signin_links.sign_acting(actor.id, person.id, secrets=secrets)
            return page(request, "admin/user_impersonate.html", person=person, handover=handover)
        try:
            nonce = signin_links.read_acting(
                text(fields, "handover"), actor=actor.id, user_id=person.id, secrets=secrets
            )
        except signin_links.LinkRefusedError as refused:
            return _refused(request, person.id, f"{refused} {_START_AGAIN}")
        if not await signin.use_link(connection, nonce):
            return _refused(
                request,
                person.id,
                _("This form has already been used. %(start_again)s", start_again=_START_AGAIN),
            )
        token = session_token(request)
        started = await impersonation.start(connection, token, user_id=person.id, actor=actor.id)
    return redirect("/library") if started else _refused(request, person.id, _NOT_THEM)


@signed_in_page
async def stop(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        user_id = await impersonation.stop(connection, session_token(request))
    return redirect(f"/admin/users/{user_id}?done=acting-over" if user_id else "/")


def _refused(request: Request, user_id: int, reason: str) -> Response:
    return page(
        request,
        "message.html",
        403,
        heading=_("You're still signed in as yourself"),
        text=reason,
        back=f"/admin/users/{user_id}",
    )
