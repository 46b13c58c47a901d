"""The question that a protected site's web server asks at each request: whether to let it in."""

from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from latchkey import signin_links
from latchkey.languages import N_
from latchkey.rules.forward_auth import OriginalRequest
from latchkey.store.forward_auth.standings import SiteStanding, StandingQuestion
from latchkey.store.pool import DATABASE_AWAY
from web.forward_auth import proxied
from web.forward_auth.proxied import PASS_COOKIE, RefusedError, message
from web.security import read_cookie_of
from web.site import Site, site_of

PATH = "/auth/verify"
ENTER = "/.latchkey/enter"
"""The path of the protected site that begins the way in."""

log = structlog.get_logger("forward_auth")


class Verify:
    """The ASGI app. It answers whatever goes wrong itself, and never with a success."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await _respond(Request(scope, receive))
        await response(scope, receive, send)


async def _respond(request: Request) -> Response:
    try:
        return await _answer(request)
    except RefusedError as refused:
        return refused.response(request)
    except DATABASE_AWAY as error:
        return proxied.database_away(request, error)
    except Exception:
        log.exception("verify failed")
        return proxied.failed(request)


async def _answer(request: Request) -> Response:
    site, asked = site_of(request), proxied.original(request)
    await site.refresh_look()
    if not site.identity.signs_tokens:
        raise proxied.copy_of_a_site()
    product = request.query_params.get("product") or None
    signed = read_cookie_of(asked.origin, request, PASS_COOKIE)
    found = signin_links.read_pass(signed, secrets=site.secrets) if signed else None
    question = StandingQuestion(asked.origin, found.session_id if found else None)
    standing = await site.standings.ask(question)
    if standing is None:
        raise proxied.unknown_site(asked.origin)
    chosen = standing.chosen(product)
    if product is not None and not chosen:
        raise proxied.unknown_product(asked.origin)
    signed_in = found is not None and found.site_id == standing.site_id and _whole(site, standing)
    if signed_in and any(chosen):
        return _let_in(standing)
    return _led(request, asked, product, signed_in=signed_in)


def _whole(site: Site, standing: SiteStanding) -> bool:
    """Whether the session has not ended, and has the second factor that the site requires of
    members."""
    if standing.user_id is None:
        return False
    required = standing.role == "member" and site.look.requires_factor(staff=False)
    return not required or standing.second_factor is not None


def _let_in(standing: SiteStanding) -> Response:
    assert standing.email is not None, "there is a user"
    response = Response()
    response.raw_headers += [
        (b"x-latchkey-user", str(standing.user_id).encode()),
        (b"x-latchkey-email", standing.email.encode() if standing.email.isprintable() else b""),
        (b"x-latchkey-products", ",".join(standing.held).encode()),
    ]
    return response


def _led(
    request: Request, asked: OriginalRequest, product: str | None, *, signed_in: bool
) -> Response:
    """Lead a browser that opens a page to the way in, and refuse anything else. A server that can't
    pass a redirect on gets its address with a 401."""
    if not asked.page:
        return _refused(request, signed_in=signed_in)
    wish = {"product": product, "to": asked.target}
    query = urlencode({name: value for name, value in wish.items() if value is not None})
    response = Response(status_code=302 if asked.redirects else 401)
    response.headers["Location"] = f"{asked.origin}{ENTER}?{query}"
    return response


def _refused(request: Request, *, signed_in: bool) -> Response:
    if signed_in:
        return message(request, 403, N_("No access"), N_("You don't have access to this page."))
    return message(
        request,
        401,
        N_("Please sign in"),
        N_("You aren't signed in. Open the page again to sign in."),
    )
