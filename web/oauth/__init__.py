"""The OpenID Connect provider's calls by other sites' servers. Its pages are in
`web/pages/member/`."""

from starlette.routing import Route
from starlette.types import ASGIApp

from web.oauth import metadata, posted, questions, token


def routes() -> list[Route]:
    """The calls, which need none of the pages' middleware."""
    return [*metadata.routes(), *token.routes(), *questions.routes(), *posted.routes()]


def exact() -> dict[tuple[str, str], ASGIApp]:
    """The calls that other sites make all the time, by method and path."""
    return questions.exact()
