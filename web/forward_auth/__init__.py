"""Forward authentication: what the web server of a protected site asks at each request, and the
paths of that site that it passes on to us."""

from starlette.routing import Route
from starlette.types import ASGIApp

from web.forward_auth import protected_host, verify


def routes() -> list[Route]:
    """What is answered at a protected site's own address."""
    return protected_host.routes()


def exact() -> dict[tuple[str, str], ASGIApp]:
    """The question that is asked at each request, by method and path."""
    return {("GET", verify.PATH): verify.Verify()}
