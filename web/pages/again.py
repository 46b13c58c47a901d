"""Shows a form again whose fields hold what can't be stored: the errors beside the fields, and what
was typed."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from web.pages.errors import NotFoundError, RefusedFieldsError

FORMS = {
    "/account/email": "/account/settings",
    "/account/password": "/account/settings",
    "/admin/users/labels": "/admin/users",
    **{
        f"/admin/{name}{what}": f"/admin/{name}"
        for name in ("users", "subscriptions", "purchases", "customers")
        for what in (".csv", "/emails")
    },
}
"""Where the form is that is sent to an address. Others are at the address itself, or at the nearest
one above it."""


async def shown_again(request: Request, error: RefusedFieldsError) -> Response | None:
    """The page with the form; None if it has no such fields, so that the errors would be lost."""
    for path in _paths(request.url.path):
        if found := _page_at(request, path):
            break
    else:
        return None
    page, scope = found
    target = error.fields.get("next")
    query = {"next": target} if isinstance(target, str) else {}
    scope |= {"method": "GET", "path": path, "query_string": urlencode(query).encode()}
    again = Request(scope, request.receive)
    again.state.form, again.state.refused = error.fields, error.errors
    try:
        response = await page.endpoint(again)
    except NotFoundError:
        return None
    body = bytes(response.body).decode() if response.status_code == 422 else ""
    shown = any(f'id="{name}-error"' in body for name in error.errors)
    return response if shown else None


def _paths(path: str) -> list[str]:
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(len(parts), 1, -1)]
    return [FORMS.get(path, path), *above[1:]]


def _page_at(request: Request, path: str) -> tuple[Route, dict[str, object]] | None:
    scope = {**request.scope, "method": "GET", "path": path}
    for route in request.app.routes:
        match, found = route.matches(scope)
        if match is Match.FULL and isinstance(route, Route):
            return route, scope | found
    return None
