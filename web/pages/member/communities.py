"""Connecting a member's Discord account, for the roles that their products give."""

import base64
import hashlib
import secrets
from contextlib import suppress

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import communities as apis
from latchkey import discord
from latchkey.community_api import CommunityError
from latchkey.discord import Member
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.communities import accounts, communities
from latchkey.store.communities.accounts import AccountTakenError
from latchkey.store.communities.communities import Community
from latchkey.store.pool import Connection
from latchkey.store.users import passkeys, signin
from latchkey.vault import Purpose
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, form, member_page, redirect
from web.pages.leaving import leave
from web.pages.render import page
from web.security import browser_of
from web.site import Site, site_of

CALLBACK = "/account/communities/discord"
ASKED_SECONDS = 600
TRIES_PER_HOUR = 20

log = structlog.get_logger("communities")


def routes() -> list[Route]:
    return [
        Route("/account/communities", show),
        Route(CALLBACK, connected),
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
    )


@member_page
async def connect(request: Request) -> Response:
    """Lead to Discord, where the member agrees."""
    site, user = site_of(request), request.state.user
    await form(request)
    async with site.pool.acquire() as connection:
        community = await _open(connection, request.path_params["id"])
        if not await _may_try(connection, user.id):
            return _busy(request, "Not connected")
        if not site.identity.notifies_sites:
            return _refused(request, "This is a copy of the site. Nothing was changed.", 503)
        state = f"{community.id}.{secrets.token_urlsafe(32)}"
        await passkeys.keep_challenge(
            connection,
            _digest(state),
            browser=browser_of(request),
            user_id=user.id,
            seconds=ASKED_SECONDS,
        )
    verifier = _verifier(site, state)
    challenge = hashlib.sha256(verifier.encode()).digest()
    return leave(
        request,
        discord.consent_address(
            client_id=community.client_id,
            redirect_uri=f"{site.public_url}{CALLBACK}",
            state=state,
            challenge=base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        ),
    )


@member_page
async def connected(request: Request) -> Response:
    """Where Discord leads back to. The state works once, for the user and browser that began."""
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
                request, "This answer is too old, or was used already. Please connect again.", 400
            )
        community = await _open(connection, state.partition(".")[0])
    if not code:
        return _refused(request, "You didn't agree at Discord, so nothing was changed.", 400)
    try:
        member = await _identified(site, community, code, state)
    except CommunityError as error:
        log.error("account at Discord not connected", reason=str(error))
        return _refused(request, "Discord didn't confirm who you are. Please try again.", 502)
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
            "This Discord account is connected to another account here. Disconnect it there"
            " first, or sign in to Discord with another one.",
            409,
        )
    except LookupError:
        raise NotFoundError("Your account isn't here any more.") from None
    return redirect("/account/communities?done=community-joined")


async def _identified(site: Site, community: Community, code: str, state: str) -> Member:
    """Who agreed. They join the server, if they aren't there and it lets them, and their token is
    given back. Raises `CommunityError`."""
    assert community.client_secret is not None, "a Discord server has one"
    secret = site.keyring.vault.open(community.client_secret, Purpose.COMMUNITY_SECRET)
    token = await discord.exchange(
        site.outgoing,
        client_id=community.client_id,
        client_secret=secret,
        code=code,
        redirect_uri=f"{site.public_url}{CALLBACK}",
        verifier=_verifier(site, state),
    )
    member = await discord.identify(site.outgoing, token)
    bot = apis.discord_of(community, vault=site.keyring.vault, outgoing=site.outgoing)
    try:
        await bot.join(member.id, access_token=token)
    except CommunityError as error:
        log.warning("member couldn't join the Discord server", reason=str(error))
    with suppress(CommunityError):
        await discord.revoke(
            site.outgoing,
            client_id=community.client_id,
            client_secret=secret,
            access_token=token,
        )
    return member


@member_page
async def sync(request: Request) -> Response:
    """Look at the member's account again, since they have joined the server."""
    user_id = request.state.user.id
    await form(request)
    async with site_of(request).changing() as connection:
        if not await _may_try(connection, user_id):
            return _busy(request, "Not looked at")
        await accounts.sync(connection, user_id)
    return redirect("/account/communities?done=community-syncs")


@member_page
async def disconnect(request: Request) -> Response:
    """Disconnect an account; its roles are taken away."""
    await form(request)
    account = number(request.path_params["account"])
    async with site_of(request).changing() as connection:
        known = account and await accounts.unbind(
            connection, account, user_id=request.state.user.id
        )
    if not known:
        raise NotFoundError("This account isn't connected.")
    return redirect("/account/communities?done=community-left")


async def _open(connection: Connection, community_id: str) -> Community:
    found = await communities.find(connection, community_id)
    if found is None or not found.open or found.kind is not WebhookFormat.DISCORD_ROLES:
        raise NotFoundError("There is no such community to connect with.")
    return found


async def _may_try(connection: Connection, user_id: int) -> bool:
    """Counts a try. Each costs calls that everybody's roles wait for."""
    return await signin.try_once(
        connection, f"communities {user_id}", most=TRIES_PER_HOUR, seconds=3600
    )


def _digest(state: str) -> bytes:
    return hashlib.sha256(f"community {state}".encode()).digest()


def _verifier(site: Site, state: str) -> str:
    """The PKCE verifier of an attempt, which only this site can make of its state."""
    return site.keyring.vault.sign(state, Purpose.COMMUNITY_STATE)


def _busy(request: Request, heading: str) -> Response:
    text = "You've tried this many times. Please wait an hour."
    return _refused(request, text, 429, heading=heading)


def _refused(
    request: Request, text: str, status: int, *, heading: str = "Not connected"
) -> Response:
    return page(
        request,
        "message.html",
        status,
        heading=heading,
        text=text,
        back="/account/communities",
    )
