"""The site's settings: its name, logo and colour; who looks after it."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store import site_settings
from latchkey.store.users import team, users
from web import theme
from web.inputs import Email, Input, Name, Url
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of

ROLES = {
    "support": "Support: reads everything and sends again, changes nothing",
    "admin": "Admin: everything but owners",
    "owner": "Owner: everything",
}


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("must be a colour such as #3d4ed8")
    return value.lower()


class Look(Input):
    """What the form of the site's look sends."""

    name: Name
    logo_url: Url | None = None
    colour: Annotated[str, AfterValidator(_colour)]
    public_content: bool


class Invitation(Input):
    """Somebody to look after the site."""

    email: Email


def routes() -> list[Route]:
    return [
        Route("/theme.css", style_sheet),
        Route("/admin/settings", look, methods=["GET", "POST"]),
        Route("/admin/settings/team", people, methods=["GET", "POST"]),
        Route("/admin/settings/team/{id}", change, methods=["POST"]),
    ]


async def style_sheet(request: Request) -> Response:
    """The site's colour; its address names the colour, so that browsers may keep it."""
    given = "#" + request.query_params.get("colour", "")
    try:
        colour = _colour(given)
    except ValueError:
        colour = theme.DEFAULT
    return Response(
        theme.style_sheet(colour),
        media_type="text/css",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


@admin_page
async def look(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        async with site.pool.acquire() as connection:
            found = await site_settings.read(connection)
        return page(request, "admin/site_settings.html", values=vars(found), errors={})
    given = await form(request)
    values: dict[str, Any] = {
        "name": text(given, "name"),
        "logo_url": text(given, "logo_url") or None,
        "colour": text(given, "colour"),
        "public_content": text(given, "public_content") == "yes",
    }
    try:
        wanted = Look.model_validate(values)
    except ValidationError as error:
        return page(request, "admin/site_settings.html", 422, values=values, errors=errors_of(error))
    async with site.pool.acquire() as connection:
        site.look = await site_settings.change(connection, **wanted.model_dump())
    return redirect("/admin/settings?done=saved")


@admin_page
async def people(request: Request) -> Response:
    """Who looks after the site; posted, somebody is invited."""
    if request.method == "GET":
        return await _team(request)
    given = await form(request)
    values = {"email": text(given, "email"), "role": text(given, "role")}
    if values["role"] not in ROLES:
        return await _team(request, values, {"role": "Choose a role."})
    try:
        wanted = Invitation.model_validate({"email": values["email"]})
    except ValidationError as error:
        return await _team(request, values, errors_of(error))
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await team.invite(connection, wanted.email, values["role"], actor=request.state.user)
    except team.RoleRefusedError as error:
        return await _team(request, values, {"email": str(error)})
    return redirect("/admin/settings/team?done=invited")


@admin_page
async def change(request: Request) -> Response:
    """Another role for somebody, or none."""
    given = await form(request)
    user_id, role = number(request.path_params["id"]), text(given, "role")
    if user_id is None or role not in ("member", *ROLES):
        raise NotFoundError("There is no such user or role.")
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
