"""The page behind an emailed link: does its reader agree that two accounts are merged?"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import signin_links
from latchkey.languages import _
from latchkey.store.users import factors, merge_requests, users
from web.pages.guard import form, text, visitor_page
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [Route("/merge/{token}", answer, methods=["GET", "POST"])]


@visitor_page
async def answer(request: Request) -> Response:
    """Says what agreeing moves, and asks for a click. The link proves whose mailbox it is, so no
    session is needed, and none begins. An account that asks for a second factor agrees only in a
    session of its own."""
    site = site_of(request)
    try:
        request_id, user_id = signin_links.read_merge(
            request.path_params["token"], secrets=site.secrets
        )
        if request.method == "GET":
            return await _question(request, request_id, user_id)
        agreed = text(await form(request), "answer") == "yes"
        if agreed and not await _proved_enough(request, user_id):
            return _said(
                request,
                _("Please sign in first"),
                _(
                    "This account asks for a second factor. Sign in to it, then open the link in"
                    " the email again."
                ),
                status=403,
            )
        async with site.changing() as connection:
            if not agreed:
                await merge_requests.decline(connection, request_id, user_id=user_id)
                return _said(request, _("Nothing was changed"), _("We've told the site's team."))
            done = await merge_requests.agree(connection, request_id, user_id=user_id)
    except (signin_links.LinkRefusedError, merge_requests.RequestRefusedError) as refused:
        return _said(request, _("Nothing was changed"), str(refused), status=400)
    if done.waits_for:
        return _said(
            request,
            _("Thank you"),
            _(
                "The owner of the other account still has to agree, by the link that we've emailed"
                " there. Until then nothing changes."
            ),
        )
    return _said(
        request,
        _("The accounts are merged"),
        _(
            "Everything is in one account now. Sign in with either email address; emails go to the"
            " account that stays."
        ),
    )


async def _proved_enough(request: Request, user_id: int) -> bool:
    """Whether a mailbox is all that this user needs to sign in, or they are signed in."""
    if request.state.user is not None and request.state.user.id == user_id:
        return request.state.user.acted_by is None
    async with site_of(request).pool.acquire() as connection:
        user = await users.by_id(connection, user_id)
        return user is not None and not await factors.asked_of(connection, user)


async def _question(request: Request, request_id: int, user_id: int) -> Response:
    async with site_of(request).pool.acquire() as connection:
        asked = await merge_requests.open_request(connection, request_id, user_id=user_id)
        known = await merge_requests.sides(connection, [asked.into_user, asked.other_user])
    return page(
        request,
        "member/merge_answer.html",
        into=known[asked.into_user],
        gone=known[asked.other_user],
        goes=user_id == asked.other_user,
    )


def _said(request: Request, heading: str, says: str, *, status: int = 200) -> Response:
    return page(request, "message.html", status, heading=heading, text=says, back="/library")
