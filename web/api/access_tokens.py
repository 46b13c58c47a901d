"""Signed access tokens: proof of access for a server that doesn't ask us, such as one for downloads
or video."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

from pydantic import Field

from latchkey.rules.vocabulary import TokenScope
from latchkey.store import site_identity
from latchkey.store.access import grants
from latchkey.store.oauth import clients
from web.api.access import Who
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, endpoint

LIFE = timedelta(minutes=5)
KIND = "at+jwt"
"""The type of such a token (RFC 9068), so that it can't pass for an ID token."""


class TokenRequest(Who):
    """Who is to open what, and where."""

    audience: str = Field(
        description="the server that the token is for, such as its address: it has to check this",
        min_length=1,
        max_length=200,
        pattern="^[!-~]+$",
    )


class AccessToken(Output):
    """`token` is a JWT, signed by a key of `/oauth/jwks`. It says `product` (the slug) and
    `product_id`, and `sub`, the user's id."""

    token: str
    expires_at: datetime


@endpoint(
    "POST",
    "/access-tokens",
    scope=TokenScope.ACCESS,
    body=TokenRequest,
    answer=AccessToken,
    status=201,
)
async def create(call: Call) -> AccessToken:
    """Sign a token that says that a person may open a product now.

    It is a JWT of the type `at+jwt` (RFC 9068), signed with RS256, and valid for five minutes, or
    until access ends if that is sooner. Whoever gets it verifies the signature with `/oauth/jwks`,
    and that `iss` is this site, `aud` is the audience asked for, and `exp` hasn't passed. A person
    without access gets none: 403 `no_access`. An OAuth client's id can't be the audience, since
    that is what an ID token has.
    """
    asked: TokenRequest = call.body
    if (asked.email is None) == (asked.user is None):
        raise ApiError(422, "invalid", "give exactly one of `email` and `user`")
    if asked.audience.startswith(clients.PREFIX):
        raise ApiError(
            422,
            "invalid",
            f"audience: `{clients.PREFIX}…` names a client, which gets ID tokens. Name the server"
            " that checks this token, such as by its address",
        )
    site = call.site
    async with site.pool.acquire() as connection:
        identity = await site_identity.read(connection, site.public_url)
    if not identity.signs_tokens:
        raise ApiError(409, "copy", "this is a copy of a site: it signs no tokens")
    rows = await grants.access_rows(site.pool, asked.product, email=asked.email, user_id=asked.user)
    if not rows:
        raise not_found("product", asked.product)
    allowed, until = grants.may_open(rows)
    if not allowed:
        raise ApiError(403, "no_access", "this person has no access to the product now")
    now = datetime.now(UTC)
    expires = min(now + LIFE, until) if until else now + LIFE
    claims = {
        "iss": site.public_url,
        "sub": str(rows[0]["user_id"]),
        "aud": asked.audience,
        "client_id": f"token:{call.token}",
        "product": rows[0]["slug"],
        "product_id": rows[0]["product_id"],
        "iat": int(now.timestamp()),
        "exp": int(expires.timestamp()),
        "jti": token_urlsafe(16),
    }
    token = await site.signing.sign(claims, kind=KIND)
    return AccessToken(token=token, expires_at=expires.replace(microsecond=0))
