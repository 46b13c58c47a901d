"""Connecting a member's accounts at Discord and Slack, for what their products give there."""

import hashlib
import secrets

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import communities as apis
from latchkey.community_api import CommunityError
from latchkey.languages import _
from latchkey.store.communities import accounts, communities
from latchkey.store.communities.accounts import AccountTakenError
from latchkey.store.communities.communities import Community
from latchkey.store.pool import Connection
from latchkey.store.users import passkeys, signin
from latchkey.vault import Purpose, VaultError
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, form, member_page, redirect
from web.pages.leaving import leave
from web.pages.render import page
from web.security import browser_of
from web.site import Site, site_of
from web.wording.communities import COMMUNITY_KINDS, COMMUNITY_WORDS, CommunityWords

ASKED_SECONDS = 600
TRIES_PER_HOUR = 20

log = structlog.get_logger("communities")


def routes() -> list[Route]:
    return [
        Route("/account/communities", show),
        *(Route(f"/account/communities/{name}", connected) for name in COMMUNITY_KINDS),
        Route("/account/communities/{id}/connect", connect, methods=["POST"]),
        Route("/account/communities/sync", sync, methods=["POST"]),
        Route("/account/communities/{account}/disconnect", disconnect, methods=["POST"]),
    ]


@member_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        open_ = [one for one in await communities.listed(connection) if one.open]
        mine = (await accounts.of_users(connection, [request.state.user.id]))[request.state.user.id]
    return page(
        request,
        "member/communities.html",
        communities=open_,
        mine={account.community_id: account for account in mine},
        words=COMMUNITY_WORDS,
    )


@member_page
async def connect(request: Request) -> Response:
    """Lead to Discord or Slack, where the member agrees."""
    site, user = site_of(request), request.state.user
    await form(request)
    async with site.pool.acquire() as connection:
        community = await _open(connection, request.path_params["id"])
        if not await _may_try(connection, user.id):
            return _busy(request, _("Not connected"))
        if not site.identity.notifies_sites:
            return _refused(request, _("This is a copy of the site. Nothing was changed."), 503)
        state = f"{community.id}.{secrets.token_urlsafe(32)}"
        await passkeys.keep_challenge(
            connection,
            _digest(state),
            browser=browser_of(request),
            user_id=user.id,
            seconds=ASKED_SECONDS,
        )
    address = apis.consent_address(
        community,
        redirect_uri=f"{site.public_url}{COMMUNITY_WORDS[community.kind].callback}",
        state=state,
        proof=_proof(site, state),
    )
    return leave(request, address)


@member_page
async def connected(request: Request) -> Response:
    """Where members come back to. The state works once, for the user and browser that began."""
    site, user = site_of(request), request.state.user
    if user.acted_by:
        raise NotYoursError
    state, code = (request.query_params.get(name, "") for name in ("state", "code"))
    async with site.pool.acquire() as connection:
        known = await passkeys.take_challenge(
            connection, _digest(state), browser=browser_of(request), user_id=user.id
        )
        if not known:
            return _refused(
                request,
                _("This answer is too old, or was used already. Please connect again."),
                400,
            )
        community = await _open(connection, state.partition(".")[0])
    words = COMMUNITY_WORDS[community.kind]
    if not code:
        return _refused(
            request,
            _("You didn't agree at %(site)s, so nothing was changed.", site=words.site),
            400,
        )
    try:
        member = await apis.identify(
            community,
            vault=site.keyring.vault,
            outgoing=site.outgoing,
            code=code,
            redirect_uri=f"{site.public_url}{words.callback}",
            proof=_proof(site, state),
        )
    except (CommunityError, VaultError) as error:
        return _not_identified(request, community, words, error)
    try:
        async with site.changing() as connection:
            await accounts.bind(
                connection,
                community.id,
                user_id=user.id,
                external_id=member.id,
                name=member.name,
            )
    except AccountTakenError:
        return _refused(
            request,
            _(
                "This %(site)s account is connected to another account here. Disconnect it"
                " there first, or sign in to %(site)s with another one.",
                site=words.site,
            ),
            409,
        )
    except LookupError:
        raise NotFoundError(_("Your account isn't here any more.")) from None
    return redirect("/account/communities?done=community-joined")


def _not_identified(
    request: Request, community: Community, words: CommunityWords, error: Exception
) -> Response:
    if isinstance(error, CommunityError) and error.of_member:
        said = _(
            "You signed in with an account that isn't in %(name)s. Please choose %(name)s at"
            " %(site)s.",
            name=community.name,
            site=words.site,
        )
        return _refused(request, said, 409)
    log.error("account not connected", community=community.id, reason=str(error))
    return _refused(
        request, _("%(site)s didn't confirm who you are. Please try again.", site=words.site), 502
    )


@member_page
async def sync(request: Request) -> Response:
    """Look at the member's account again, since they have joined."""
    user_id = request.state.user.id
    await form(request)
    async with site_of(request).changing() as connection:
        if not await _may_try(connection, user_id):
            return _busy(request, _("Not looked at"))
        await accounts.sync(connection, user_id)
    return redirect("/account/communities?done=community-syncs")


@member_page
async def disconnect(request: Request) -> Response:
    """Disconnect an account; what it was given is taken away."""
    await form(request)
    account = number(request.path_params["account"])
    async with site_of(request).changing() as connection:
        known = account and await accounts.unbind(
            connection, account, user_id=request.state.user.id
        )
    if not known:
        raise NotFoundError(_("This account isn't connected."))
    return redirect("/account/communities?done=community-left")


async def _open(connection: Connection, community_id: str) -> Community:
    found = await communities.find(connection, community_id)
    if found is None or not found.open:
        raise NotFoundError(_("There is no such community to connect with."))
    return found


async def _may_try(connection: Connection, user_id: int) -> bool:
    """Counts a try. Each costs calls that everybody's roles wait for."""
    return await signin.try_once(
        connection, f"communities {user_id}", most=TRIES_PER_HOUR, seconds=3600
    )


def _digest(state: str) -> bytes:
    return hashlib.sha256(f"community {state}".encode()).digest()


def _proof(site: Site, state: str) -> str:
    """The secret of an attempt, which only this site can make of its state."""
    return site.keyring.vault.sign(state, Purpose.COMMUNITY_STATE)


def _busy(request: Request, heading: str) -> Response:
    text = _("You've tried this many times. Please wait an hour.")
    return _refused(request, text, 429, heading=heading)


def _refused(request: Request, text: str, status: int, *, heading: str | None = None) -> Response:
    return page(
        request,
        "message.html",
        status,
        heading=heading or _("Not connected"),
        text=text,
        back="/account/communities",
    )
