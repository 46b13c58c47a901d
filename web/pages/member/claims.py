"""A member's claim that purchases made with another email address are theirs."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import signin_links
from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.store.users import claims, identity, signin
from web.inputs import shown_address
from web.pages.guard import form, member_page, redirect, text
from web.pages.render import page
from web.site import site_of

CLAIMS_PER_DAY = 5


def routes() -> list[Route]:
    return [
        Route("/account/claims", ask, methods=["GET", "POST"]),
        Route("/account/claims/{token}", confirm, methods=["GET", "POST"]),
    ]


@member_page
async def ask(request: Request) -> Response:
    """The form; posting it sends a link to the other address."""
    if request.method == "GET":
        return await _form(request)
    user, typed = request.state.user, text(await form(request), "email")
    email = shown_address(typed)
    if email is None:
        error = _("That isn't a valid email address. Try something like ada@example.com.")
        return await _form(request, email=typed, error=error, status=422)
    if email_key(email) == email_key(user.email):
        error = _("That's your own address. Anything bought with it is already in your account.")
        return await _form(request, email=email, error=error, status=422)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if not await signin.try_once(
            connection, f"claim {user.id}", most=CLAIMS_PER_DAY, seconds=86400
        ):
            error = _("You've asked for this several times today. Please try again tomorrow.")
            return await _form(request, email=email, error=error, status=429)
        await claims.ask(connection, user.id, email)
    return redirect("/account/claims?done=claim-sent")


@member_page
async def confirm(request: Request) -> Response:
    """The emailed link; like every emailed link, it asks for a click."""
    site, user_id = site_of(request), request.state.user.id
    try:
        claim_id = signin_links.read_claim(request.path_params["token"], secrets=site.secrets)
        if request.method == "GET":
            async with site.pool.acquire() as connection:
                claim = await claims.open_claim(connection, claim_id, user_id=user_id)
            return page(request, "member/claim_confirm.html", email=claim.email)
        await form(request)
        async with site.changing() as connection:
            await claims.confirm(connection, claim_id, user_id=user_id)
    except (signin_links.LinkRefusedError, claims.ClaimRefusedError) as refused:
        return page(
            request,
            "message.html",
            400,
            heading=_("Nothing was changed"),
            text=str(refused),
            back="/account/claims",
        )
    return redirect("/account/claims?done=claimed")


async def _form(
    request: Request, *, email: str = "", error: str | None = None, status: int = 200
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        further = await identity.addresses(connection, request.state.user.id)
    errors = {"email": error} if error else {}
    return page(request, "member/claims.html", status, email=email, errors=errors, further=further)
