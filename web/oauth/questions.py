"""Questions about a token: whose it is, and what they may open at this second."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from latchkey.store.oauth.authorizations import TokenQuestion
from latchkey.texts import storable
from web.oauth.calls import (
    CallError,
    answer,
    app_of,
    call,
    credentials,
    form,
    posted,
    refused_client,
    require_signing,
)
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/oauth/userinfo", userinfo, methods=["GET", "POST"]),
        *posted("/oauth/introspect", introspect),
    ]


def exact() -> dict[tuple[str, str], ASGIApp]:
    """The same calls, by method and path."""
    return {
        ("GET", "/oauth/userinfo"): app_of(userinfo),
        ("POST", "/oauth/userinfo"): app_of(userinfo),
        ("POST", "/oauth/introspect"): app_of(introspect),
    }


@call
async def userinfo(request: Request) -> Response:
    """The claims of an access token's user. Who no longer has the product that the client is for
    gets no answer about themselves."""
    site = site_of(request)
    await require_signing(site)
    token = await _bearer(request)
    state = (await site.tokens.ask(TokenQuestion(token))).state
    if state is None or state.kind != "access" or not state.has_product:
        raise _invalid_token("the access token is unknown, has expired or was ended")
    return answer({"sub": state.user.subject, **state.user.of_scopes(state.scopes)})


async def _bearer(request: Request) -> str:
    """The access token, in the header or in a form (RFC 6750). Raises `CallError`."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and storable(token.strip()):
            return token.strip()
    elif request.method == "POST" and "access_token" in (fields := await form(request)):
        return fields["access_token"]
    raise CallError(401, "invalid_request", "send an access token", challenge="Bearer")


def _invalid_token(description: str) -> CallError:
    challenge = f'Bearer error="invalid_token", error_description="{description}"'
    return CallError(401, "invalid_token", description, challenge=challenge)


@call
async def introspect(request: Request) -> Response:
    """What a client's token stands for now (RFC 7662). Only confidential clients may ask."""
    site, fields = site_of(request), await form(request)
    await require_signing(site)
    given, token = credentials(request, fields), fields.get("token")
    if given.secret is None:
        raise await refused_client(request, basic=given.basic)
    if token is None:
        raise CallError(400, "invalid_request", "token is missing")
    found = await site.tokens.ask(TokenQuestion(token, (given.client_id, given.secret)))
    if not found.authentic:
        raise await refused_client(request, basic=given.basic)
    state = found.state
    if state is None or not state.has_product:
        return answer({"active": False})
    claims: dict[str, Any] = {
        "active": True,
        "iss": site.public_url,
        "sub": state.user.subject,
        "client_id": state.client_id,
        "aud": state.client_id,
        "scope": " ".join(state.scopes),
        "iat": int(state.created_at.timestamp()),
        "exp": int(state.expires_at.timestamp()),
        **state.user.of_scopes(state.scopes),
    }
    if state.kind == "access":
        claims["token_type"] = "Bearer"
    return answer(claims)
