"""Leading browsers on to another site after a form was posted.

The pages' `form-action` policy keeps forms on this site, and Chromium applies it to the redirects
that answer a form, too. Where the other site is can't be listed: Stripe's pages may have domains of
the shop's own. So a page leads on, which isn't the form's redirect anymore.
"""

from starlette.requests import Request
from starlette.responses import Response

from web.pages.guard import redirect
from web.pages.render import page

LEADS_AWAY = ("/buy/", "/oauth/authorize/", "/auth/enter/", "/embed/sign-in/")
"""Pages of ours that may redirect to another site."""


def leave(request: Request, address: str) -> Response:
    """Lead on to another site. It isn't told which page the visitor comes from."""
    response = page(request, "leaving.html", address=address)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def onward(request: Request, path: str) -> Response:
    """Lead on to a page of ours after a form was posted, wherever that leads."""
    return leave(request, path) if path.startswith(LEADS_AWAY) else redirect(path)
