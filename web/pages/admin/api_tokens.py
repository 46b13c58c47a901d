"""Tokens for the JSON API: create, show once, revoke."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store.users import api_tokens
from latchkey.texts import on_one_line
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/admin/tokens", index, methods=["GET", "POST"]),
        Route("/admin/tokens/{id}/revoke", revoke, methods=["GET", "POST"]),
    ]


@admin_page
@fresh_page(back="/admin/tokens")
async def index(request: Request) -> Response:
    """The tokens; posting creates one, which is shown only then."""
    site = site_of(request)
    token = None
    errors: dict[str, str] = {}
    name = ""
    if request.method == "POST":
        name = text(await form(request), "name")
        if not 1 <= len(name) <= 100 or not on_one_line(name):
            errors["name"] = "Enter a name on one line, up to 100 characters."
        else:
            async with site.pool.acquire() as connection, connection.transaction():
                token = await api_tokens.create(connection, name=name, actor=request.state.user.id)
    async with site.pool.acquire() as connection:
        rows = await api_tokens.listed(connection)
    return page(
        request,
        "admin/api_tokens.html",
        422 if errors else 200,
        rows=rows,
        token=token,
        name=name if errors else "",
        errors=errors,
    )


@admin_page
@fresh_page(back="/admin/tokens/{id}/revoke")
async def revoke(request: Request) -> Response:
    """Asks for confirmation, then revokes the token."""
    confirmed = request.method == "POST" and await form(request) is not None
    token_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        rows = await api_tokens.listed(connection)
        token = next((row for row in rows if row.id == token_id), None)
        if token is None or token.revoked_at:
            raise NotFoundError("This token doesn't exist, or it has already been revoked.")
        if not confirmed:
            return page(request, "admin/api_token_revoke.html", token=token)
        await api_tokens.revoke(connection, token.id)
    return redirect("/admin/tokens?done=revoked")
