"""The sites that a member signs in to with their account here, and how to take that back."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.oauth import consents
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, form, member_page, redirect
from web.pages.render import page
from web.site import site_of
from web.wording.labels import CLIENT_SCOPES


def routes() -> list[Route]:
    return [
        Route("/account/sites", show),
        Route("/account/sites/{id}/disconnect", disconnect, methods=["POST"]),
    ]


@member_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        sites = await consents.connected(connection, request.state.user.id)
    return page(request, "member/connected_sites.html", sites=sites, scopes=CLIENT_SCOPES)


@member_page
async def disconnect(request: Request) -> Response:
    """Forget that the member agreed, and end what the site was given."""
    await form(request)
    if request.state.user.acted_by:
        raise NotYoursError
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        known = await consents.withdraw(
            connection, request.state.user.id, request.path_params["id"]
        )
    if not known:
        raise NotFoundError(_("This site isn't connected to your account."))
    return redirect("/account/sites?done=site-disconnected")
