"""Signing out here at the wish of another site (OpenID Connect RP-Initiated Logout)."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from latchkey.jose import TokenRefusedError
from latchkey.languages import _, joined
from latchkey.rules import oauth
from latchkey.store.oauth import clients
from latchkey.store.oauth.clients import Client
from latchkey.store.users import sessions
from latchkey.store.users.users import User
from web.pages.guard import form, redirect, visitor_page
from web.pages.leaving import leave
from web.pages.render import page
from web.security import SESSION_COOKIE, forget_cookie, session_token
from web.site import site_of

SIGNED_OUT = "/login?done=signed-out"


def routes() -> list[Route]:
    return [
        Route("/oauth/logout", log_out),
        Route("/oauth/logout/confirm", confirm, methods=["GET", "POST"]),
    ]


class _RefusedError(Exception):
    """The request can't be trusted. The message is for whoever set up the client."""


@dataclass(frozen=True)
class _Wish:
    """Who wants somebody to be signed out, where to go on, and the claims of their ID token."""

    client: Client | None
    target: str | None
    hint: dict[str, Any] | None


@visitor_page
async def log_out(request: Request) -> Response:
    """Sign out at once if the client shows an ID token of this very session, otherwise ask
    first."""
    try:
        wish = await _wish(request)
    except _RefusedError as refused:
        return page(
            request,
            "message.html",
            400,
            heading=_("You can't be signed out this way"),
            text=joined(
                str(refused),
                _("You're still signed in if you were."),
                _("Tell whoever runs the site that you came from."),
            ),
            back="/",
        )
    user: User | None = request.state.user
    if user is None:
        return RedirectResponse(wish.target or SIGNED_OUT, 303)
    if not user.acted_by and wish.hint is not None and _same_session(request, wish.hint):
        return await _signed_out(request, wish.target)
    return redirect(f"/oauth/logout/confirm?{request.url.query}")


def _same_session(request: Request, hint: dict[str, Any]) -> bool:
    return bool(hint.get("sid") == request.state.session.sid)


@visitor_page
async def confirm(request: Request) -> Response:
    """Asks whether to sign out, and does so."""
    fields = await form(request) if request.method == "POST" else None
    try:
        wish = await _wish(request)
    except _RefusedError:
        wish = _Wish(None, None, None)
    if fields is None:
        return page(request, "member/logout.html", client=wish.client, again=request.url.query)
    return await _signed_out(request, wish.target)


async def _wish(request: Request) -> _Wish:
    """What the query asks for. Raises `_RefusedError`."""
    given, twice = oauth.once_each(request.query_params.multi_items())
    if twice:
        raise _RefusedError(f"{min(twice)[:40]} was given twice.")
    site, hint, client_id = site_of(request), None, given.get("client_id")
    if "id_token_hint" in given:
        try:
            hint = await site.signing.read(given["id_token_hint"])
        except TokenRefusedError:
            hint = None
        if hint is not None and hint.get("iss") != site.public_url:
            raise _RefusedError("The ID token (id_token_hint) is from another site.")
        if hint is not None and client_id not in (None, hint.get("aud")):
            raise _RefusedError("The ID token (id_token_hint) was made for another client.")
        client_id = client_id or (str(hint["aud"]) if hint else None)
    client = None
    if client_id is not None:
        async with site.pool.acquire() as connection:
            client = await clients.find(connection, client_id)
    target = given.get("post_logout_redirect_uri")
    if target is None:
        return _Wish(client, None, hint)
    if client is None:
        raise _RefusedError(
            "Where to go on (post_logout_redirect_uri) is named, but not by a client that this"
            " site knows."
        )
    if target not in client.post_logout_redirect_uris:
        raise _RefusedError(
            "Where to go on (post_logout_redirect_uri) isn't one of the addresses that are"
            " registered for this client."
        )
    return _Wish(client, oauth.with_query(target, {"state": given.get("state")}), hint)


async def _signed_out(request: Request, target: str | None) -> Response:
    token = session_token(request)
    if token:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await sessions.end(connection, token)
    if target is None:
        response = redirect(SIGNED_OUT)
    elif request.method == "POST":
        response = leave(request, target)
    else:
        response = RedirectResponse(target, 303)
    forget_cookie(request, response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
