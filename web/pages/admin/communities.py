"""Discord servers and Slack workspaces: connecting them, and what products give there."""

from typing import TypedDict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import communities as apis
from latchkey import discord, slack
from latchkey.community_api import CommunityError, RoleChoice
from latchkey.discord import Discord, Guild
from latchkey.languages import A_, _
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.communities import communities
from latchkey.store.communities.communities import Community
from latchkey.store.pool import Connection
from latchkey.store.products import listing
from latchkey.store.webhooks import deliveries, endpoints
from latchkey.vault import Purpose, VaultError
from web.pages.admin.community_keys import LONGEST_TOKEN, CommunityKeys, checked_keys, sentence
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import Site, site_of
from web.wording.communities import COMMUNITY_KINDS, COMMUNITY_WORDS
from web.wording.labels import DELIVERY_STATES, WEBHOOK_FORMATS, WEBHOOK_TYPES

RECENT = 20


def routes() -> list[Route]:
    base = "/admin/communities/{id}"
    return [
        Route("/admin/communities", index),
        Route("/admin/communities/new/{kind}", create, methods=["GET", "POST"]),
        Route(base, show),
        Route(f"{base}/server", choose, methods=["POST"]),
        Route(f"{base}/roles", add_role, methods=["POST"]),
        Route(f"{base}/roles/remove", remove_role, methods=["POST"]),
        Route(f"{base}/keys", change_keys, methods=["GET", "POST"]),
        Route(f"{base}/sync", sync, methods=["POST"]),
        Route(f"{base}/pause", pause, methods=["POST"]),
        Route(f"{base}/resume", resume, methods=["POST"]),
        Route(f"{base}/remove", remove, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await communities.listed(connection)
        states = {row.id: await endpoints.find(connection, row.id) for row in rows}
        figures = {row.id: await communities.figures(connection, row.id) for row in rows}
    return page(
        request,
        "admin/communities.html",
        rows=rows,
        states=states,
        figures=figures,
        formats=WEBHOOK_FORMATS,
        words=COMMUNITY_WORDS,
    )


@admin_page
@fresh_page(back="/admin/communities/new/{kind}")
async def create(request: Request) -> Response:
    """The form; posting it asks whose token it is, and connects the server or workspace."""
    kind = COMMUNITY_KINDS.get(request.path_params["kind"])
    if kind is None:
        raise NotFoundError(_("There is no such kind of community."))
    if request.method == "GET":
        return _keys_page(request, kind, None, {})
    site = site_of(request)
    keys, errors = await checked_keys(site, kind, await form(request))
    if keys is None:
        return _keys_page(request, kind, None, errors)
    async with site.changing() as connection:
        made = await communities.create(
            connection,
            kind=kind,
            name=keys.name or COMMUNITY_WORDS[kind].site,
            space_id=keys.space_id,
            actor=request.state.user.id,
            **_sealed(site, keys),
        )
    return redirect(f"/admin/communities/{made}?done=saved")


@admin_page
async def show(request: Request) -> Response:
    return await _show(request, {})


async def _show(request: Request, errors: dict[str, str]) -> Response:
    """One community: its state, what products give, and what was done last. It is asked now what
    there is."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        community = await _requested(connection, request)
        endpoint = await endpoints.find(connection, community.id)
        roles = await communities.roles(connection, community.id)
        figures = await communities.figures(connection, community.id)
        waiting = (await endpoints.figures(connection))[community.id]
        rows = await deliveries.listed(connection, community.id, limit=RECENT)
        products = await listing.names(connection)
    offers, guilds, problem = await _look(site, community)
    words = COMMUNITY_WORDS[community.kind]
    problems = {offer.id: offer.problem for offer in offers}
    known = {offer.id for offer in offers}
    return page(
        request,
        "admin/community.html",
        422 if errors else 200,
        community=community,
        endpoint=endpoint,
        roles=[
            (
                role,
                role.problem
                or problems.get(role.role_id)
                or _gone(community.kind, role.role_id, known),
            )
            for role in roles
        ],
        figures=figures,
        waiting=waiting,
        rows=rows,
        products=products,
        offers=[offer for offer in offers if offer.problem is None],
        out_of_reach=[offer for offer in offers if offer.problem is not None],
        guilds=guilds,
        problem=problem,
        errors=errors,
        callback=f"{site.public_url}{words.callback}",
        invitation=discord.invitation(community.client_id),
        words=words,
        states=DELIVERY_STATES,
        types=WEBHOOK_TYPES,
        formats=WEBHOOK_FORMATS,
    )


def _gone(kind: WebhookFormat, role_id: str, known: set[str]) -> str | None:
    if not known or role_id in known:
        return None
    if kind is WebhookFormat.SLACK_CHANNELS:
        return _("the app isn't in this channel, or the channel is gone")
    return _("doesn't exist any more")


async def _look(
    site: Site, community: Community
) -> tuple[list[RoleChoice], list[Guild], str | None]:
    """The roles to choose from, or the servers if none is chosen, and why it can't be said."""
    try:
        api = apis.api_of(community, vault=site.keyring.vault, outgoing=site.outgoing)
        if not community.space_id and isinstance(api, Discord):
            return [], await api.guilds(), None
        return await api.offers(), [], None
    except CommunityError as error:
        return [], [], sentence(error)
    except VaultError as error:
        return [], [], f"{error}."


@admin_page
async def choose(request: Request) -> Response:
    """Choose the server, of those that the bot is on."""
    site = site_of(request)
    chosen = text(await form(request), "server")
    async with site.pool.acquire() as connection:
        community = await _requested(connection, request)
    _, guilds, problem = await _look(site, community)
    found = next((guild for guild in guilds if guild.id == chosen), None)
    if found is None:
        return await _show(request, {"server": problem or A_("Choose from the list.")})
    async with site.changing() as connection:
        await communities.choose_space(connection, community.id, space_id=found.id, name=found.name)
    return redirect(f"/admin/communities/{community.id}?done=saved")


@admin_page
async def add_role(request: Request) -> Response:
    """Have a product give a role; everybody who has the product is given it."""
    site = site_of(request)
    fields = await form(request)
    product, chosen = text(fields, "product"), text(fields, "role")
    async with site.pool.acquire() as connection:
        community = await _requested(connection, request)
        products = await listing.names(connection)
    errors: dict[str, str] = {}
    if product not in {id_ for id_, _ in products}:
        errors["product"] = A_("Choose a product.")
    offers, _, problem = await _look(site, community)
    offer = next((one for one in offers if one.id == chosen), None)
    if problem:
        errors["role"] = problem
    elif offer is None:
        errors["role"] = A_("Choose from the list.")
    elif offer.problem:
        errors["role"] = f"{offer.name} {offer.problem}."
    if errors or offer is None:
        return await _show(request, errors)
    async with site.changing() as connection:
        if (await _requested(connection, request)).leaving_at is not None:
            return redirect(f"/admin/communities/{community.id}")
        await communities.add_role(
            connection, community.id, product_id=product, role_id=offer.id, name=offer.name
        )
    return redirect(f"/admin/communities/{community.id}?done=community-syncs")


@admin_page
async def remove_role(request: Request) -> Response:
    """Have a product no longer give a role; whoever has it by that loses it."""
    fields = await form(request)
    async with site_of(request).changing() as connection:
        community = await _requested(connection, request)
        await communities.remove_role(
            connection,
            community.id,
            product_id=text(fields, "product"),
            role_id=text(fields, "role"),
        )
    return redirect(f"/admin/communities/{community.id}?done=community-syncs")


@admin_page
@fresh_page(back="/admin/communities/{id}/keys")
async def change_keys(request: Request) -> Response:
    """Enter another token and secret, of the same bot or another one of the same server."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        community = await _requested(connection, request)
    if request.method == "GET":
        return _keys_page(request, community.kind, community, {})
    keys, errors = await checked_keys(site, community.kind, await form(request), known=community)
    if keys is None:
        return _keys_page(request, community.kind, community, errors)
    async with site.changing() as connection:
        await communities.change_keys(connection, community.id, **_sealed(site, keys))
    return redirect(f"/admin/communities/{community.id}?done=saved")


@admin_page
async def sync(request: Request) -> Response:
    """Look at everybody who is connected."""
    await form(request)
    async with site_of(request).changing() as connection:
        community = await _requested(connection, request)
        await communities.sync_all(connection, community.id)
    return redirect(f"/admin/communities/{community.id}?done=community-syncs")


@admin_page
async def pause(request: Request) -> Response:
    await form(request)
    async with site_of(request).changing() as connection:
        community = await _requested(connection, request)
        await endpoints.pause(connection, community.id)
    return redirect(f"/admin/communities/{community.id}?done=community-paused")


@admin_page
async def resume(request: Request) -> Response:
    await form(request)
    async with site_of(request).changing() as connection:
        community = await _requested(connection, request)
        await endpoints.resume(connection, community.id)
        await communities.sync_all(connection, community.id)
    return redirect(f"/admin/communities/{community.id}?done=community-resumed")


@admin_page
@fresh_page(back="/admin/communities/{id}/remove")
async def remove(request: Request) -> Response:
    """Asks whether to take back what was given, then removes a community."""
    site = site_of(request)
    fields = await form(request) if request.method == "POST" else None
    async with site.changing() as connection:
        community = await _requested(connection, request)
        if fields is None:
            figures = await communities.figures(connection, community.id)
            return page(
                request,
                "admin/community_remove.html",
                community=community,
                figures=figures,
                words=COMMUNITY_WORDS[community.kind],
            )
        if text(fields, "roles") == "take":
            await communities.leave(connection, community.id)
            return redirect(f"/admin/communities/{community.id}?done=community-leaves")
        await endpoints.delete(connection, community.id)
    return redirect("/admin/communities?done=deleted")


async def _requested(connection: Connection, request: Request) -> Community:
    found = await communities.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError(_("This community doesn't exist, or it has been removed."))
    return found


class _Sealed(TypedDict):
    """What is stored of the keys of a community."""

    bot_id: str
    token: bytes
    client_id: str
    client_secret: bytes
    invite_url: str | None


def _sealed(site: Site, keys: CommunityKeys) -> _Sealed:
    vault = site.keyring.vault
    return {
        "bot_id": keys.bot_id,
        "token": vault.seal(keys.token, Purpose.COMMUNITY_TOKEN),
        "client_id": keys.client_id,
        "client_secret": vault.seal(keys.secret, Purpose.COMMUNITY_SECRET),
        "invite_url": keys.invite_url,
    }


def _keys_page(
    request: Request,
    kind: WebhookFormat,
    community: Community | None,
    errors: dict[str, str],
) -> Response:
    site, words = site_of(request), COMMUNITY_WORDS[kind]
    callback = f"{site.public_url}{words.callback}"
    return page(
        request,
        f"admin/community_keys_{words.name}.html",
        422 if errors else 200,
        community=community,
        errors=errors,
        callback=callback,
        creation=slack.creation_address(name=site.look.name, redirect_uri=callback),
        longest=LONGEST_TOKEN,
    )
