"""Choosing the language of the pages: a member's is kept with the account, and used for emails,
too; a visitor's in the browser."""

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import languages
from latchkey.languages import _
from latchkey.store.users import account
from web.language import remember
from web.pages.errors import NotFoundError
from web.pages.guard import form, member_page, redirect, visitor_page
from web.pages.member.signin import safe_target
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/language", choose),
        Route("/account/language", choose_own, methods=["POST"]),
    ]


@visitor_page
async def choose(request: Request) -> Response:
    """Keep a visitor's choice in the browser. It changes nothing else, so it takes a link."""
    return _chosen(request, request.query_params)


@member_page
async def choose_own(request: Request) -> Response:
    """Keep a member's choice with their account."""
    fields = await form(request)
    response = _chosen(request, fields)
    async with site_of(request).pool.acquire() as connection:
        await account.choose_language(connection, request.state.user.id, str(fields["to"]))
    return response


def _chosen(request: Request, given: FormData | QueryParams) -> Response:
    language = languages.LANGUAGES.get(str(given.get("to")))
    if language is None:
        raise NotFoundError(_("These pages aren't available in that language."))
    response = redirect(safe_target(str(given.get("next") or "")) or "/")
    remember(request, response, language)
    return response
