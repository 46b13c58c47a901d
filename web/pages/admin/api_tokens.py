"""Tokens for the JSON API: create, show once, revoke."""

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.rules.vocabulary import TokenScope
from latchkey.store.users import api_tokens
from latchkey.texts import on_one_line
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of
from web.wording.labels import TOKEN_SCOPES

ENDS: dict[str, tuple[int | None, str]] = {
    "30": (30, A_("In 30 days")),
    "90": (90, A_("In 90 days")),
    "365": (365, A_("In a year")),
    "never": (None, A_("Never")),
}
"""When a new token can end: the value of the form, days, label."""


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
    values = {"name": "", "scope": TokenScope.READ.value, "ends": "365"}
    if request.method == "POST":
        fields = await form(request)
        values = {name: text(fields, name) or default for name, default in values.items()}
        errors = _errors(values)
        if not errors:
            days = ENDS[values["ends"]][0]
            async with site.pool.acquire() as connection, connection.transaction():
                token = await api_tokens.create(
                    connection,
                    name=values["name"],
                    scope=TokenScope(values["scope"]),
                    expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
                    actor=request.state.user.id,
                )
            values["name"] = ""
    async with site.pool.acquire() as connection:
        rows = await api_tokens.listed(connection)
    return page(
        request,
        "admin/api_tokens.html",
        422 if errors else 200,
        rows=rows,
        token=token,
        values=values,
        errors=errors,
        scopes=TOKEN_SCOPES,
        ends=[(value, label) for value, (_, label) in ENDS.items()],
        unlimited=sum(row.unlimited for row in rows),
    )


def _errors(values: dict[str, str]) -> dict[str, str]:
    errors = {}
    if not 1 <= len(values["name"]) <= 100 or not on_one_line(values["name"]):
        errors["name"] = _("Enter a name on one line, up to 100 characters.")
    if values["scope"] not in TOKEN_SCOPES:
        errors["scope"] = _("Choose what programs may do with it.")
    if values["ends"] not in ENDS:
        errors["ends"] = _("Choose when it ends.")
    return errors


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
            raise NotFoundError(_("This token doesn't exist, or it has already been revoked."))
        if not confirmed:
            return page(request, "admin/api_token_revoke.html", token=token)
        await api_tokens.revoke(connection, token.id)
    return redirect("/admin/tokens?done=revoked")
