"""The token endpoint: codes and refresh tokens for tokens."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.rules.oauth import AuthorizationError, context_of, methods_of
from latchkey.store.oauth import authorizations
from latchkey.store.oauth.authorizations import ACCESS_LIFE, Issued
from latchkey.store.oauth.clients import Client
from latchkey.store.pool import Connection
from web.oauth.calls import CallError, answer, call, client_of, form, posted, require_signing
from web.site import Site, site_of

ID_LIFE = timedelta(hours=1)


def routes() -> list[Route]:
    return [*posted("/oauth/token", token), *posted("/oauth/revoke", revoke)]


@call
async def token(request: Request) -> Response:
    """Tokens for a code or a refresh token."""
    site, fields = site_of(request), await form(request)
    await require_signing(site)
    client = await client_of(request, fields)
    kind = fields.get("grant_type")
    if kind not in ("authorization_code", "refresh_token"):
        raise CallError(
            400,
            "unsupported_grant_type" if kind else "invalid_request",
            "grant_type has to be authorization_code or refresh_token",
        )
    async with site.pool.acquire() as connection, connection.transaction():
        issued = await _issued(connection, client, kind, fields)
    if isinstance(issued, str):
        raise CallError(400, "invalid_grant", issued)
    return answer(await _tokens(site, issued))


async def _issued(
    connection: Connection, client: Client, kind: str, fields: Mapping[str, str]
) -> Issued | str:
    if kind == "authorization_code":
        return await authorizations.exchange(
            connection,
            client,
            code=_needed(fields, "code"),
            redirect_uri=fields.get("redirect_uri"),
            verifier=fields.get("code_verifier"),
        )
    try:
        return await authorizations.refresh(
            connection,
            client,
            token=_needed(fields, "refresh_token"),
            scope=fields.get("scope"),
        )
    except AuthorizationError as refused:
        raise CallError(400, refused.error, refused.description) from None


def _needed(fields: Mapping[str, str], name: str) -> str:
    if name not in fields:
        raise CallError(400, "invalid_request", f"{name} is missing")
    return fields[name]


async def _tokens(site: Site, issued: Issued) -> dict[str, Any]:
    made: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "scope": " ".join(issued.scopes),
        "id_token": await site.signing.sign(id_claims(site.public_url, issued)),
    }
    if issued.refresh_token is not None:
        made["refresh_token"] = issued.refresh_token
    return made


def id_claims(issuer: str, issued: Issued) -> dict[str, Any]:
    """The claims of an ID token."""
    found, now = issued.authorization, datetime.now(UTC)
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": issued.user.subject,
        "aud": found.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + ID_LIFE).timestamp()),
        "auth_time": int(found.auth_time.timestamp()),
        "acr": context_of(found.via, found.second_factor),
        "amr": methods_of(found.via, found.second_factor),
        "sid": found.sid,
        **issued.user.of_scopes(issued.scopes),
    }
    if found.nonce is not None:
        claims["nonce"] = found.nonce
    return claims


@call
async def revoke(request: Request) -> Response:
    """End a token (RFC 7009). One that isn't this client's is answered in the same way."""
    fields = await form(request)
    client = await client_of(request, fields)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await authorizations.revoke(connection, client, _needed(fields, "token"))
    return answer({})
