"""The JSON API under `/api/v1`; importing this declares every call."""

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from web.api import (
    access,
    access_tokens,
    audit_log,
    checkout,
    checkout_sessions,
    collections,
    customers,
    feed,
    identity,
    inbox,
    lessons,
    links,
    member_imports,
    metrics,
    openapi,
    pictures,
    policy,
    products,
    purchases,
    reconciliations,
    registry,
    speed,
    subscriptions,
    team,
    users,
)
from web.api.problems import ApiError

__all__ = [
    "access",
    "access_tokens",
    "audit_log",
    "checkout",
    "checkout_sessions",
    "collections",
    "customers",
    "exact",
    "feed",
    "identity",
    "inbox",
    "lessons",
    "links",
    "member_imports",
    "metrics",
    "pictures",
    "policy",
    "products",
    "purchases",
    "reconciliations",
    "routes",
    "speed",
    "subscriptions",
    "team",
    "users",
]


def routes() -> list[Route]:
    """Every route of the API, including its OpenAPI description."""
    return [
        Route(f"{registry.PREFIX}/openapi.json", openapi.serve),
        *registry.routes(),
        Route(f"{registry.PREFIX}/{{rest:path}}", _Unknown()),
    ]


def exact() -> dict[tuple[str, str], ASGIApp]:
    """The calls whose path has no parameters, by method and path."""
    return registry.exact()


class _Unknown:
    """Answers what no call answers: 405 where the path has calls of other methods, or else 404."""

    def __init__(self) -> None:
        self._known = registry.routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        allowed: set[str] = set()
        for route in self._known:
            if route.path_regex.match(path):
                allowed |= route.methods or set()
        if allowed:
            listed = ", ".join(sorted(allowed))
            detail = f"{path} doesn't take {method}: it takes {listed}"
            response = ApiError(405, "method_not_allowed", detail).response()
            response.headers["Allow"] = listed
        else:
            detail = f"there is no endpoint {method} {path}"
            response = ApiError(404, "not_found", detail).response()
        await response(scope, receive, send)
