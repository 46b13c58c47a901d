"""The JSON API under `/api/v1`; importing this declares every call."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.api import (
    access,
    audit_log,
    checkout,
    collections,
    feed,
    identity,
    inbox,
    links,
    openapi,
    policy,
    products,
    reconciliations,
    registry,
    team,
    users,
)
from web.api.problems import ApiError

__all__ = [
    "access",
    "audit_log",
    "checkout",
    "collections",
    "feed",
    "identity",
    "inbox",
    "links",
    "policy",
    "products",
    "reconciliations",
    "routes",
    "team",
    "users",
]


def routes() -> list[Route]:
    """Every route of the API, including its OpenAPI description."""
    return [
        Route(f"{registry.PREFIX}/openapi.json", openapi.serve),
        *registry.routes(),
        Route(f"{registry.PREFIX}/{{rest:path}}", _unknown),
    ]


async def _unknown(request: Request) -> Response:
    return ApiError(
        404, "not_found", f"there is no endpoint {request.method} {request.url.path}"
    ).response()
