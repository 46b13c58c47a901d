"""On the way into a protected site: sign in, perhaps buy, and go back with a ticket."""

import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from latchkey.languages import N_, _
from latchkey.rules.forward_auth import WithoutAccess
from latchkey.store.forward_auth import entries, sites
from latchkey.store.forward_auth.entries import Entry
from latchkey.store.forward_auth.sites import ProtectedSite
from latchkey.store.forward_auth.standings import StandingQuestion
from latchkey.store.users.users import User
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, reader_page, redirect, session_of, visitor_page
from web.pages.member import returning
from web.pages.render import page
from web.site import site_of

_WAY = re.compile(r"/auth/enter/([A-Za-z0-9_-]{20,64})")
_OVER = N_("This sign-in is over. Go back to the site that you came from and start again.")


def routes() -> list[Route]:
    return [
        Route("/auth/enter/{id}", enter),
        Route("/auth/enter/{id}/buy", buy),
    ]


@reader_page
async def enter(request: Request) -> Response:
    """Whoever may enter the protected site goes back to it with a ticket. Others sign in, or are
    told how to get access."""
    site, user = site_of(request), request.state.user
    entry, protected = await _entry(request)
    if user is None:
        return redirect(f"/login?{urlencode({'next': f'/auth/enter/{entry.id}'})}")
    if user.acted_by:
        raise NotYoursError
    question = StandingQuestion(entry.origin, session_of(request).id)
    standing = await site.standings.ask(question)
    if standing is None or not any(standing.chosen(entry.product_id)):
        return _without_access(request, entry, protected)
    async with site.pool.acquire() as connection:
        ticket = await entries.give_ticket(connection, entry.id, session_of(request).id)
    query = urlencode({"t": ticket})
    leads = f"/.latchkey/ticket?{query}" if ticket else entry.target
    response = RedirectResponse(entry.origin + leads, 303)
    response.headers["Referrer-Policy"] = "no-referrer"
    returning.forget(request, response)
    return response


async def offered(request: Request, target: str | None) -> str | None:
    """Where somebody without an account gets access, if that leads to a protected site; None if it
    leads elsewhere, or isn't for sale."""
    way = _WAY.fullmatch(target or "")
    if way is None:
        return None
    async with site_of(request).pool.acquire() as connection:
        entry = await entries.find(connection, way[1])
        protected = await sites.find(connection, entry.site_id) if entry else None
    sold = protected is not None and protected.without_access is WithoutAccess.BUY
    return f"/auth/enter/{way[1]}/buy" if sold else None


@visitor_page
async def buy(request: Request) -> Response:
    """For whoever has no account yet: what opens the protected site."""
    entry, protected = await _entry(request)
    return _without_access(request, entry, protected)


async def _entry(request: Request) -> tuple[Entry, ProtectedSite]:
    """The entry of this page, and its site. Raises `NotFoundError`."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        entry = await entries.find(connection, request.path_params["id"])
        protected = await sites.find(connection, entry.site_id) if entry else None
    if entry is None or protected is None or not site.identity.signs_tokens:
        raise NotFoundError(_(_OVER))
    return entry, protected


def _without_access(request: Request, entry: Entry, protected: ProtectedSite) -> Response:
    chosen = protected.chosen(entry.product_id)
    if protected.without_access is WithoutAccess.REFUSE or not chosen:
        user: User | None = request.state.user
        return page(
            request,
            "message.html",
            403,
            heading=_("You don't have access to %(host)s", host=protected.host),
            text=_(
                "You're signed in as %(email)s. If you have another account, sign out and use"
                " that one.",
                email=user.email,
            )
            if user
            else _("Access to it isn't for sale here."),
            back="/library",
        )
    if len(chosen) == 1:
        response = redirect(f"/buy/{chosen[0].slug}")
    else:
        response = page(request, "member/entry_buy.html", site=protected, products=chosen)
    returning.remember_entry(request, response, entry.id)
    return response
