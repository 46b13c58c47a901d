"""Tokens of the JSON API: made, shown once, revoked."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store.users import api_tokens
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/admin/tokens", index, methods=["GET", "POST"]),
        Route("/admin/tokens/{id}/revoke", revoke, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """The tokens; posted, a new one, which is shown this once."""
    site = site_of(request)
    made = None
    errors: dict[str, str] = {}
    name = ""
    if request.method == "POST":
        name = text(await form(request), "name")
        if not 1 <= len(name) <= 100 or any(character < " " for character in name):
            errors["name"] = "Give the token a name of one line, up to 100 characters."
        else:
            async with site.pool.acquire() as connection:
                made = await api_tokens.create(connection, name=name, actor=request.state.user.id)
    async with site.pool.acquire() as connection:
        rows = await api_tokens.listed(connection)
    return page(
        request,
        "admin/api_tokens.html",
        422 if errors else 200,
        rows=rows,
        made=made,
        name=name if errors else "",
        errors=errors,
    )


@admin_page
async def revoke(request: Request) -> Response:
    """Asks first; then the token is refused."""
    given = await form(request) if request.method == "POST" else None
    token_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        found = [row for row in await api_tokens.listed(connection) if row.id == token_id]
        if not found or found[0].revoked_at:
            raise NotFoundError("There is no such token, or it is revoked already.")
        if given is None:
            return page(request, "admin/api_token_revoke.html", token=found[0])
        await api_tokens.revoke(connection, found[0].id)
    return redirect("/admin/tokens?done=revoked")
