"""The paths under `/.latchkey/` of a protected site, which its web server passes on to us: where
the way in begins, and where its ticket is taken."""

import secrets
from collections.abc import Awaitable, Callable
from functools import wraps

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from latchkey import signin_links
from latchkey.languages import N_
from latchkey.rules.forward_auth import safe_target
from latchkey.signin_links import SitePass
from latchkey.store.forward_auth import entries, sites
from latchkey.store.pool import DATABASE_AWAY
from latchkey.store.users import signin
from web.forward_auth import proxied
from web.forward_auth.proxied import (
    BROWSER_COOKIE,
    PASS_COOKIE,
    RefusedError,
    message,
)
from web.forward_auth.verify import ENTER
from web.security import read_cookie_of, set_cookie_of
from web.site import site_of
from web.visitors import network_of

ENTRIES_BY_NETWORK = 600
"""How many ways in one network may begin in an hour."""

Handle = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("forward_auth")


def routes() -> list[Route]:
    return [
        Route(ENTER, enter),
        Route("/.latchkey/ticket", take_ticket),
        Route("/.latchkey/{rest:path}", nothing),
    ]


def _at_protected_site(handle: Handle) -> Handle:
    """A page at a protected site's address."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        try:
            await site_of(request).refresh_look()
            if not site_of(request).identity.signs_tokens:
                raise proxied.copy_of_a_site()
            response = await handle(request)
        except RefusedError as refused:
            response = refused.response(request)
        except DATABASE_AWAY as error:
            response = proxied.database_away(request, error)
        except Exception:
            log.exception("page at a protected site failed")
            response = proxied.failed(request)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return guarded


@_at_protected_site
async def enter(request: Request) -> Response:
    """Note where somebody wants to go, and lead them to our own address, to sign in or buy."""
    site, origin = site_of(request), proxied.original(request).origin
    product = request.query_params.get("product") or None
    target = safe_target(request.query_params.get("to"))
    browser = read_cookie_of(origin, request, BROWSER_COOKIE) or secrets.token_urlsafe(32)
    async with site.pool.acquire() as connection:
        protected = await sites.by_origin(connection, origin)
        if protected is None:
            raise proxied.unknown_site(origin)
        chosen = protected.chosen(product)
        if product is not None and not chosen:
            raise proxied.unknown_product(origin)
        who = f"site entry {network_of(request)}"
        if not await signin.try_once(connection, who, most=ENTRIES_BY_NETWORK, seconds=3600):
            raise RefusedError(
                429,
                N_("Please wait a while"),
                N_(
                    "Too many people began to sign in to this site from your network within the"
                    " last hour. Try again later."
                ),
            )
        entry_id = await entries.begin(
            connection,
            site_id=protected.id,
            product_id=chosen[0].id if product is not None else None,
            target=target,
            browser=browser,
        )
    response = RedirectResponse(f"{site.public_url}/auth/enter/{entry_id}", 302)
    life = int(entries.LIFE.total_seconds())
    set_cookie_of(origin, response, BROWSER_COOKIE, browser, max_age=life)
    return response


@_at_protected_site
async def take_ticket(request: Request) -> Response:
    """Exchange a ticket for the cookie of this site, once, in the browser that began the way in."""
    site, origin = site_of(request), proxied.original(request).origin
    ticket = request.query_params.get("t", "")
    async with site.pool.acquire() as connection:
        admitted = await entries.use_ticket(
            connection,
            ticket,
            origin=origin,
            browser=read_cookie_of(origin, request, BROWSER_COOKIE),
        )
    if admitted is None:
        return message(
            request,
            403,
            N_("This sign-in is over"),
            N_(
                "It took more than a minute, was used before, or began in another browser. If this"
                " happens again, allow cookies for this site."
            ),
            link=("/", N_("Start again")),
        )
    response = RedirectResponse(origin + admitted.target, 303)
    if admitted.session_id is not None:
        signed = signin_links.sign_pass(
            SitePass(admitted.site_id, admitted.session_id), secrets=site.secrets
        )
        life = signin_links.PASS_SECONDS
        set_cookie_of(origin, response, PASS_COOKIE, signed, max_age=life)
    return response


@_at_protected_site
async def nothing(request: Request) -> Response:
    return message(
        request,
        404,
        N_("Not found"),
        N_("There's no page at this address."),
        link=("/", N_("Go back")),
    )
