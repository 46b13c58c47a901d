"""The site's settings: name, language, visitors; the team."""

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import languages
from latchkey.languages import A_, _
from latchkey.store import site_settings
from latchkey.store.users import team, users
from web.inputs import Email, Input, Name
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, fresh_page, mail_by_hand, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of

ROLES = {
    "support": A_("Support: can view everything and resend, but not make changes"),
    "admin": A_("Admin: can do everything except manage owners"),
    "owner": A_("Owner: can do everything"),
}


def _language(value: str) -> str:
    if value not in languages.LANGUAGES:
        raise ValueError(A_("must be one of the languages in the list"))
    return value


class SiteForm(Input):
    """What the site settings form sends."""

    name: Name
    language: Annotated[str, AfterValidator(_language)]
    public_content: bool


class Invitation(Input):
    """A new member of the team."""

    email: Email


def routes() -> list[Route]:
    return [
        Route("/admin/settings", look, methods=["GET", "POST"]),
        Route("/admin/settings/team", people, methods=["GET", "POST"]),
        Route("/admin/settings/team/{id}", change, methods=["POST"]),
    ]


@admin_page
async def look(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        async with site.pool.acquire() as connection:
            current = await site_settings.read(connection)
        return page(request, "admin/site_settings.html", values=vars(current), errors={})
    fields = await form(request)
    values: dict[str, Any] = {
        "name": text(fields, "name"),
        "language": text(fields, "language") or site.look.language,
        "public_content": text(fields, "public_content") == "yes",
    }
    try:
        wanted = SiteForm.model_validate(values)
    except ValidationError as error:
        return page(
            request, "admin/site_settings.html", 422, values=values, errors=errors_of(error)
        )
    async with site.pool.acquire() as connection, connection.transaction():
        site.look = await site_settings.change(connection, **wanted.model_dump())
    return redirect("/admin/settings?done=saved")


@admin_page
@fresh_page(back="/admin/settings/team")
async def people(request: Request) -> Response:
    """The team; posting invites somebody."""
    if request.method == "GET":
        return await _team(request)
    fields = await form(request)
    values = {"email": text(fields, "email"), "role": text(fields, "role")}
    if values["role"] not in ROLES:
        return await _team(request, values, {"role": _("Choose a role.")})
    try:
        wanted = Invitation.model_validate({"email": values["email"]})
    except ValidationError as error:
        return await _team(request, values, errors_of(error))
    await mail_by_hand(request)
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await team.invite(connection, wanted.email, values["role"], actor=request.state.user)
    except team.RoleRefusedError as error:
        return await _team(request, values, {"email": str(error)})
    return redirect("/admin/settings/team?done=invited")


@admin_page
@fresh_page(back="/admin/settings/team")
async def change(request: Request) -> Response:
    """Change somebody's role, or remove it."""
    fields = await form(request)
    user_id, role = number(request.path_params["id"]), text(fields, "role")
    if user_id is None or role not in ("member", *ROLES):
        raise NotFoundError(_("This user or role doesn't exist."))
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await team.change(connection, user_id, role, actor=request.state.user)
    except team.RoleRefusedError as error:
        return await _team(request, problem=str(error))
    return redirect("/admin/settings/team?done=saved")


async def _team(
    request: Request,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    *,
    problem: str | None = None,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await users.staff(connection)
    return page(
        request,
        "admin/team.html",
        422 if errors or problem else 200,
        rows=rows,
        roles=ROLES,
        values=values or {},
        errors=errors or {},
        problem=problem,
    )
