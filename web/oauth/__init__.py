"""The OpenID Connect provider's calls by other sites' servers. Its pages are in
`web/pages/member/`."""

from starlette.routing import Route

from web.oauth import metadata, posted, questions, token


def routes() -> list[Route]:
    """The calls, which need none of the pages' middleware."""
    return [*metadata.routes(), *token.routes(), *questions.routes(), *posted.routes()]
