"""Requests that another site has a browser post here. They come without our cookies, so they are
led to the page at the same address, as a link would be."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from web.oauth.calls import call, read_form


def routes() -> list[Route]:
    return [
        Route("/oauth/authorize", lead, methods=["POST"]),
        Route("/oauth/logout", lead, methods=["POST"]),
    ]


@call
async def lead(request: Request) -> Response:
    """Lead to the page with the same parameters."""
    fields = await read_form(request)
    return RedirectResponse(f"{request.url.path}?{urlencode(fields)}", 303)
