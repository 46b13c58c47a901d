"""What other sites read about this one: the public keys that its tokens are verified with."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.site import site_of

_PUBLIC = {
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""These documents are the same for everybody, so that scripts of other sites may read them, too."""


def routes() -> list[Route]:
    return [Route("/oauth/jwks", jwks)]


async def jwks(request: Request) -> Response:
    """The JSON Web Key Set. A key is in it for a week before it signs."""
    return _public({"keys": await site_of(request).signing.published()})


def _public(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=_PUBLIC)
