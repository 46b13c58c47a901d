"""Signing in to another site with one's account here: the authorization endpoint and its pages."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from latchkey.addresses import email_key
from latchkey.jose import TokenRefusedError
from latchkey.languages import N_, _, joined
from latchkey.rules import oauth
from latchkey.rules.oauth import (
    AuthorizationError,
    AuthorizationRequest,
    Prompt,
    ResponseMode,
    Situation,
    Step,
    UnprovenClientError,
    with_query,
)
from latchkey.store import audit_draft
from latchkey.store.oauth import authorizations, claims, clients, consents, requests
from latchkey.store.oauth.clients import Client
from latchkey.store.oauth.requests import WaitingRequest
from latchkey.store.products import products
from latchkey.store.users import sessions, signin
from latchkey.store.users.users import User
from web.pages.errors import NotFoundError
from web.pages.guard import (
    NotYoursError,
    form,
    reader_page,
    redirect,
    session_of,
    text,
    visitor_page,
)
from web.pages.leaving import leave, onward
from web.pages.member import returning
from web.pages.render import page
from web.security import SESSION_COOKIE, forget_cookie, let_form_leave, session_token
from web.site import site_of
from web.visitors import network_of
from web.wording.labels import CLIENT_SCOPES

WAITING_BY_NETWORK = 600
"""How many requests that need their user one network may have kept in an hour."""

_WAY = re.compile(r"/oauth/authorize/([A-Za-z0-9_-]{20,64})")
_OVER = N_("This sign-in is over. Go back to the site that you came from and start again.")


def routes() -> list[Route]:
    return [
        Route("/oauth/authorize", authorize),
        Route("/oauth/authorize/{id}", go_on, methods=["GET", "POST"]),
        Route("/oauth/authorize/{id}/buy", buy),
        Route("/oauth/authorize/{id}/account", choose, methods=["POST"]),
        Route("/oauth/authorize/{id}/sign-out", change_account, methods=["POST"]),
    ]


@visitor_page
async def authorize(request: Request) -> Response:
    """Where another site sends somebody to sign in."""
    given, twice = oauth.once_each(request.query_params.multi_items())
    try:
        client = await _client(request, given, twice)
    except UnprovenClientError as unproven:
        return _stopped(request, str(unproven))
    try:
        asked = oauth.parse(client.rules, given, twice)
        now = datetime.now(UTC)
        step = await _next(request, client, asked, began_at=now, waiting=None)
        if step is Step.ANSWER:
            return await _answer(request, client, asked, waiting=None)
    except AuthorizationError as refused:
        return _refuse(request, given, refused)
    return await _keep(request, client, given)


@reader_page
async def go_on(request: Request) -> Response:
    """A request that waits for its user. What they say on its pages is posted here."""
    agrees = request.method == "POST" and text(await form(request), "answer") == "allow"
    waiting, client = await _waiting(request)
    try:
        asked = oauth.parse(client.rules, waiting.parameters, frozenset())
        if not oauth.redirect_allowed(client.rules, asked.redirect_uri):
            raise NotFoundError(_(_OVER))
        if request.method == "POST":
            await _agreed(request, client, asked, waiting, agrees=agrees)
            waiting, client = await _waiting(request)
        step = await _next(request, client, asked, began_at=waiting.created_at, waiting=waiting)
        if step is Step.ANSWER:
            return await _answer(request, client, asked, waiting=waiting)
    except AuthorizationError as refused:
        return _refuse(request, waiting.parameters, refused)
    return _ask(request, client, asked, waiting, step)


async def offered(request: Request, target: str | None) -> str | None:
    """Where somebody without an account gets access, if that leads to a client that is for people
    who have a product; None if it leads elsewhere."""
    way = _WAY.fullmatch(target or "")
    if way is None:
        return None
    async with site_of(request).pool.acquire() as connection:
        waiting = await requests.find(connection, way[1])
        client = await clients.find(connection, waiting.client_id) if waiting else None
    sold = client is not None and client.product_required and client.product_slug is not None
    return f"{way[0]}/buy" if sold else None


@visitor_page
async def buy(request: Request) -> Response:
    """For whoever has no account yet: the product that the client is for."""
    waiting, client = await _waiting(request)
    if not client.product_required or client.product_slug is None:
        raise NotFoundError(_(_OVER))
    return _sell(request, client.product_slug, waiting)


def _sell(request: Request, slug: str, waiting: WaitingRequest) -> Response:
    """The buy page of a product, from which the request goes on."""
    response = redirect(f"/buy/{slug}")
    returning.remember(request, response, waiting.id)
    return response


async def _client(request: Request, given: Mapping[str, str], twice: frozenset[str]) -> Client:
    """The client that asks, once it is proven where to answer. Raises `UnprovenClientError`."""
    site = site_of(request)
    if not site.identity.signs_tokens:
        raise UnprovenClientError("This is a copy of the site, which signs nobody in elsewhere.")
    if "client_id" not in given:
        raise UnprovenClientError("The request doesn't say who asks (client_id).")
    async with site.pool.acquire() as connection:
        client = await clients.find(connection, given["client_id"])
    if client is None:
        raise UnprovenClientError("This site doesn't know the client that asks (client_id).")
    oauth.redirect_uri_of(client.rules, given, twice)
    return client


async def _waiting(request: Request) -> tuple[WaitingRequest, Client]:
    """The request of this page. Raises `NotFoundError`."""
    async with site_of(request).pool.acquire() as connection:
        waiting = await requests.find(connection, request.path_params["id"])
        client = await clients.find(connection, waiting.client_id) if waiting else None
    if waiting is None or client is None:
        raise NotFoundError(_(_OVER))
    return waiting, client


async def _next(
    request: Request,
    client: Client,
    asked: AuthorizationRequest,
    *,
    began_at: datetime,
    waiting: WaitingRequest | None,
) -> Step:
    """What comes next. Raises `AuthorizationError`, and `NotYoursError` for an admin who sees the
    site as a member: they must not be them elsewhere."""
    user: User | None = request.state.user
    now = datetime.now(UTC)
    wanted = await _wanted(client, asked, request)
    if user is not None and user.acted_by:
        if Prompt.NONE in asked.prompts:
            raise AuthorizationError("login_required", "the member isn't signed in themselves")
        raise NotYoursError
    hinted = await _hinted_subject(request, client, asked)
    if user is None:
        found = Situation(signed_in_at=None, began_at=began_at, now=now)
        return oauth.next_step(client.rules, asked, found)
    async with site_of(request).pool.acquire() as connection:
        known = await claims.of_user(connection, user.id)
        remembered = await consents.of_user(connection, user.id, client.id)
    assert known is not None, "nobody who was erased is signed in"
    session = session_of(request)
    required = site_of(request).look.requires_factor(staff=False) and not user.is_staff
    found = Situation(
        signed_in_at=session.authenticated_at,
        began_at=began_at,
        now=now,
        lacks_factor=required and session.second_factor is None,
        somebody_else=_somebody_else(user, asked, hinted),
        chosen=waiting is not None and waiting.chosen_by == user.id,
        agreed=waiting is not None and waiting.agreed_by == user.id,
        remembered=remembered,
        has_product=wanted is None or known.has(wanted),
    )
    return oauth.next_step(client.rules, asked, found)


async def _wanted(client: Client, asked: AuthorizationRequest, request: Request) -> str | None:
    """The id of the product that the user has to have, None for none: that of the client, or that
    which the request names. Empty if it was deleted. Raises `AuthorizationError`."""
    if client.product_required:
        return client.product_id or ""
    if asked.product is None:
        return None
    async with site_of(request).pool.acquire() as connection:
        product = await products.find(connection, asked.product)
    if product is None:
        raise AuthorizationError("invalid_request", "product isn't one of this site's products")
    return product.id


async def _hinted_subject(
    request: Request, client: Client, asked: AuthorizationRequest
) -> str | None:
    """Whom an earlier ID token of the client's names. Raises `AuthorizationError`."""
    if asked.id_token_hint is None:
        return None
    site = site_of(request)
    try:
        hint = await site.signing.read(asked.id_token_hint)
    except TokenRefusedError:
        hint = {}
    if hint.get("iss") != site.public_url or hint.get("aud") != client.id:
        raise AuthorizationError(
            "invalid_request", "id_token_hint isn't an ID token of this site for this client"
        )
    return str(hint["sub"])


def _somebody_else(user: User, asked: AuthorizationRequest, hinted: str | None) -> bool:
    """Whether the client means somebody else than who is signed in."""
    if hinted is not None and hinted != str(user.id):
        return True
    hint = asked.login_hint or ""
    return "@" in hint and email_key(hint) != email_key(user.email)


async def _keep(request: Request, client: Client, given: dict[str, str]) -> Response:
    """Keep the request and lead to its page."""
    async with site_of(request).pool.acquire() as connection:
        who = f"authorize {network_of(request)}"
        if not await signin.try_once(connection, who, most=WAITING_BY_NETWORK, seconds=3600):
            return page(
                request,
                "message.html",
                429,
                heading=_("Please wait a while"),
                text=_(
                    "Too many sign-ins for other sites were begun from your network within the"
                    " last hour. Try again later."
                ),
                back="/",
            )
        request_id = await requests.keep(connection, client.id, given)
    return redirect(f"/oauth/authorize/{request_id}")


def _ask(
    request: Request,
    client: Client,
    asked: AuthorizationRequest,
    waiting: WaitingRequest,
    step: Step,
) -> Response:
    """Where the user does what comes next."""
    here = f"/oauth/authorize/{waiting.id}"
    match step:
        case Step.SIGN_IN:
            hint = {"login_hint": asked.login_hint[:254]} if asked.login_hint else {}
            return redirect(f"/login?{urlencode({'next': here, **hint})}")
        case Step.SIGN_IN_AGAIN:
            return redirect(f"/login/again?{urlencode({'next': here})}")
        case Step.BUY if client.product_required and client.product_slug is None:
            return page(
                request,
                "message.html",
                403,
                heading=_("You can't sign in to %(name)s", name=client.name),
                text=_("It is only for people who have a product that this site no longer has."),
                back="/library",
            )
        case Step.BUY:
            slug = client.product_slug if client.product_required else asked.product
            assert slug, "who has to buy needs a product"
            return _sell(request, slug, waiting)
    template = "consent" if step is Step.CONSENT else "select_account"
    return page(
        request,
        f"member/{template}.html",
        client=client,
        here=here,
        scopes=[CLIENT_SCOPES[scope] for scope in asked.scopes],
    )


async def _agreed(
    request: Request,
    client: Client,
    asked: AuthorizationRequest,
    waiting: WaitingRequest,
    *,
    agrees: bool,
) -> None:
    """Take what the user answered. Raises `AuthorizationError` if they didn't agree."""
    user = _self(request)
    if not agrees:
        audit_draft.refuse()
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if agrees:
            await requests.agree(connection, waiting.id, user.id)
            await consents.give(connection, user.id, client.id, asked.scopes)
        else:
            await requests.forget(connection, waiting.id)
    if not agrees:
        raise AuthorizationError("access_denied", "the user didn't agree")


def _self(request: Request) -> User:
    """The user, who has to be there in person. Raises `NotYoursError` and `NotFoundError`."""
    user: User | None = request.state.user
    if user is None:
        raise NotFoundError(_(_OVER))
    if user.acted_by:
        raise NotYoursError
    return user


@visitor_page
async def choose(request: Request) -> Response:
    """Go on with the account that is signed in."""
    await form(request)
    user, (waiting, _) = _self(request), await _waiting(request)
    async with site_of(request).pool.acquire() as connection:
        await requests.choose(connection, waiting.id, user.id)
    return onward(request, f"/oauth/authorize/{waiting.id}")


@visitor_page
async def change_account(request: Request) -> Response:
    """Sign out, to go on with another account."""
    await form(request)
    waiting, _ = await _waiting(request)
    _self(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await sessions.end(connection, session_token(request))
    response = redirect(f"/login?{urlencode({'next': f'/oauth/authorize/{waiting.id}'})}")
    forget_cookie(request, response, SESSION_COOKIE)
    return response


async def _answer(
    request: Request,
    client: Client,
    asked: AuthorizationRequest,
    *,
    waiting: WaitingRequest | None,
) -> Response:
    """Give the client a code. A request that waited is used up."""
    site, user = site_of(request), request.state.user
    async with site.pool.acquire() as connection, connection.transaction():
        if waiting is not None and not await requests.forget(connection, waiting.id):
            raise NotFoundError(_(_OVER))
        code = await authorizations.issue_code(
            connection, asked, user_id=user.id, session=session_of(request)
        )
    answer = {"code": code, "state": asked.state, "iss": site.public_url}
    response = _respond(request, asked.redirect_uri, asked.response_mode, answer)
    returning.forget(request, response)
    return response


def _refuse(request: Request, given: Mapping[str, str], refused: AuthorizationError) -> Response:
    """Tell the client what is wrong. Where to is proven."""
    answer = {
        "error": refused.error,
        "error_description": refused.description,
        "state": given.get("state"),
        "iss": site_of(request).public_url,
    }
    mode = oauth.response_mode_of(given)
    return _respond(request, given["redirect_uri"], mode, answer)


def _respond(
    request: Request, address: str, mode: ResponseMode, answer: Mapping[str, str | None]
) -> Response:
    response: Response
    if mode is ResponseMode.FORM_POST:
        fields = {name: value for name, value in answer.items() if value is not None}
        response = page(request, "member/form_post.html", address=address, fields=fields)
        let_form_leave(response, address)
    elif request.method == "POST":
        return leave(request, with_query(address, answer))
    else:
        response = RedirectResponse(with_query(address, answer), 303)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _stopped(request: Request, why: str) -> Response:
    """Our own page, since nothing may be sent to whoever asks."""
    return page(
        request,
        "message.html",
        400,
        heading=_("You can't sign in to that site"),
        text=joined(why, _("Nobody was signed in. Tell whoever runs the site that you came from.")),
        back="/",
    )
