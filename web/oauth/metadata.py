"""What other sites read about this one: what it can do, where, and the keys of its tokens."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.jose import ALGORITHM
from latchkey.rules.oauth import AUTHENTICATION_CONTEXTS, Prompt, ResponseMode, Scope
from web.site import site_of

_PUBLIC = {
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""These documents are the same for everybody, so that scripts of other sites may read them, too."""


def routes() -> list[Route]:
    return [
        Route("/.well-known/openid-configuration", configuration),
        Route("/.well-known/oauth-authorization-server", configuration),
        Route("/oauth/jwks", jwks),
    ]


async def configuration(request: Request) -> Response:
    """What the provider can do, and where (OpenID Connect Discovery, RFC 8414)."""
    return _public(document(site_of(request).public_url))


def document(issuer: str) -> dict[str, Any]:
    """The provider's metadata."""
    ways = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(Scope),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
            *("name", "email", "email_verified", "access", "groups"),
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": list(ResponseMode),
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "acr_values_supported": list(AUTHENTICATION_CONTEXTS),
        "prompt_values_supported": list(Prompt),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*ways, "none"],
        "introspection_endpoint_auth_methods_supported": ways,
        "revocation_endpoint_auth_methods_supported": [*ways, "none"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


async def jwks(request: Request) -> Response:
    """The JSON Web Key Set. A key is in it for a week before it signs."""
    return _public({"keys": await site_of(request).signing.published()})


def _public(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=_PUBLIC)
