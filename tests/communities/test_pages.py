"""Communities in a browser without scripts: an admin connects a server, a member connects an
account, buys nothing and is given a role, and everything that can go wrong on the way."""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from latchkey.store.site_identity import SiteIdentity
from tests.communities.server import (
    ADA,
    BOB,
    BOT,
    HIGH,
    LOW,
    SECRET,
    TOKEN,
    DiscordServer,
    error,
    run_discord,
)
from tests.harness import Latchkey, http_client, until
from tests.web.pages import Visitor, left_for, user, visit
from tests.web.test_admin_users import shown, words
from web.pages.member import communities

pytestmark = pytest.mark.anyio

NEW = "/admin/communities/new/discord"
MINE = "/account/communities"


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with run_discord() as running:
        yield running


@pytest.fixture
async def owner(shared: Latchkey) -> AsyncIterator[Visitor]:
    """An owner who is signed in, of a site without communities. Theirs go afterwards: other tests
    share the site."""
    await shared.pool.execute("delete from webhook_endpoints")
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor
    await shared.pool.execute("delete from webhook_endpoints")


@pytest.fixture
async def ada(shared: Latchkey) -> AsyncIterator[Visitor]:
    """A member who is signed in, without access to anything."""
    member = await user(shared, "ada@discord.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "communities")
        yield visitor


async def connect_server(owner: Visitor, product: str) -> str:
    """Connects the server, whose role `LOW` the product gives; returns the community's page."""
    made = await owner.send(NEW, token=TOKEN, secret=SECRET)
    here = made.headers["location"].partition("?")[0]
    await owner.send(here, f"{here}/roles", product=product, role=LOW)
    return here


async def agree(visitor: Visitor, here: str, expect: int = 303) -> str:
    """Connects the visitor's account at Discord; returns the address that Discord leads back to."""
    community = here.rpartition("/")[2]
    answer = await visitor.send(MINE, f"{MINE}/{community}/connect", 200)
    async with http_client() as browser:
        led = await browser.get(left_for(answer), headers={"accept": "*/*"})
    back = led.headers["location"]
    path = urlsplit(back)
    await visitor.get(f"{path.path}?{path.query}", expect)
    return f"{path.path}?{path.query}"


async def test_a_member_with_a_product_gets_its_role_and_loses_it(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    """Through Temporal: the account is connected, access given and ended, and each is brought to
    Discord, where the member joins by it."""
    product = await shared.product("Sailing school")
    here = await connect_server(owner, product)
    page = await shown(owner, here)
    assert "The harbour" in page
    assert "Captain is above the bot" in page
    assert "Booster belongs to an app" in page

    async def tab() -> bool:
        return f'href="{MINE}"' in (await ada.get("/account")).text

    await until(tab, "the account has a tab for communities")
    await agree(ada, here)
    assert discord.members[ADA] == set(), "who agreed has joined the server"
    assert discord.member_tokens == {}, "the member's token was given back"
    assert "Connected as Ada" in await shown(ada, MINE)
    grant = await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "ada@discord.example"}
    )

    async def has(roles: set[str]) -> bool:
        return discord.members[ADA] == roles

    await until(lambda: has({LOW}), "the role is given")

    async def told(roles: list[str]) -> bool:
        found = await shared.call("GET", f"/users/{grant['user_id']}")
        return [one["roles"] for one in found["communities"]] == [roles]

    await until(lambda: told(["Sailor"]), "the API says so")
    found = (await shared.call("GET", f"/users/{grant['user_id']}"))["communities"][0]
    assert (found["community"], found["kind"]) == ("The harbour", "discord_roles")
    assert (found["id"], found["name"], found["away"]) == (ADA, "Ada", False)
    assert "Your roles: Sailor" in await shown(ada, MINE)
    assert "Sailor" in await shown(owner, f"/admin/users/{grant['user_id']}")
    await shared.call("DELETE", f"/grants/{grant['id']}")
    await until(lambda: has(set()), "the role is taken")
    log = await shown(owner, here)
    assert "Access granted" in log
    links = re.findall(
        r'href="(/admin/webhooks/we_\w+/deliveries/\d+)"', (await owner.get(here)).text
    )
    calls = "".join([(await owner.get(link)).text for link in links])
    assert "members/…" in calls
    assert ADA not in calls
    types = {line["type"] for line in await shared.lines(user=grant["user_id"])}
    assert "community_joined" in types


async def test_disconnecting_and_removing_take_the_roles_back(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    product = await shared.product("Rowing school")
    await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "ada@discord.example"}
    )
    here = await connect_server(owner, product)
    await agree(ada, here)

    async def has(roles: set[str]) -> bool:
        return discord.members[ADA] == roles

    await until(lambda: has({LOW}), "the role is given")
    account = await shared.pool.fetchval("select id from community_accounts")
    await ada.send(MINE, f"{MINE}/{account}/disconnect")
    await until(lambda: has(set()), "the role is taken")
    await ada.send("/account/settings", f"{MINE}/{account}/disconnect", 404)
    await agree(ada, here)
    await until(lambda: has({LOW}), "the role is given again")
    await owner.send(f"{here}/remove", roles="take")
    await until(lambda: has(set()), "the role is taken")

    async def gone() -> bool:
        return not await shared.pool.fetchval("select count(*) from communities")

    await until(gone, "the community goes once that is done")
    await owner.get(here, 404)


async def test_an_answer_of_discord_works_once_for_who_began_it(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    here = await connect_server(owner, await shared.product("Knots"))
    back = await agree(ada, here)
    await ada.get(back, 400)
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert state.startswith(here.rpartition("/")[2])
    for forged in ("", "?code=x", f"?code=x&state={state}x", f"?state={state}"):
        await ada.get(f"{MINE}/discord{forged}", 400)
    community = here.rpartition("/")[2]
    asked = await ada.send(MINE, f"{MINE}/{community}/connect", 200)
    discord.consenting = BOB
    async with http_client() as browser:
        led = await browser.get(left_for(asked), headers={"accept": "*/*"})
    other = urlsplit(led.headers["location"])
    member = await user(shared, "bob@discord.example")
    async with visit(shared) as bob:
        await bob.sign_in_as(member, "communities: another")
        await bob.get(f"{other.path}?{other.query}", 400)
    discord.declined = True
    asked = await ada.send(MINE, f"{MINE}/{community}/connect", 200)
    async with http_client() as browser:
        led = await browser.get(left_for(asked), headers={"accept": "*/*"})
    declined = urlsplit(led.headers["location"])
    said = await ada.get(f"{declined.path}?{declined.query}", 400)
    assert "didn't agree at Discord" in words(said.text)
    assert await shared.pool.fetchval("select external_id from community_accounts") == ADA


async def test_a_member_s_token_is_given_back_though_discord_fails(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    here = await connect_server(owner, await shared.product("Fog"))
    refused = error(404, 0, "404: Not Found")
    discord.refuse = lambda method, path: refused if path == "/users/@me" else None
    await agree(ada, here, 502)
    assert "GET /users/@me" in discord.calls
    assert discord.member_tokens == {}


async def test_a_member_has_their_account_looked_at_a_few_times_an_hour(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(communities, "TRIES_PER_HOUR", 2)
    member = await user(shared, "often@discord.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "communities: often")
        for status in (303, 303, 429):
            await visitor.send("/account/settings", f"{MINE}/sync", status)


async def test_an_admin_who_views_the_site_as_a_member_connects_nothing_for_them(
    shared: Latchkey, owner: Visitor, discord: DiscordServer
) -> None:
    here = await connect_server(owner, await shared.product("Lighthouse"))
    member = await user(shared, "seen@discord.example")
    handover = await owner.handover(member)
    await owner.send(f"/admin/users/{member}/sign-in-as", handover=handover)
    assert "The harbour" in await shown(owner, MINE)
    await owner.send(MINE, f"{MINE}/{here.rpartition('/')[2]}/connect", 403)
    await owner.get(f"{MINE}/discord?state=x&code=x", 403)


async def test_a_copy_of_the_site_connects_nobody(
    shared: Latchkey,
    owner: Visitor,
    ada: Visitor,
    discord: DiscordServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await connect_server(owner, await shared.product("Mirror"))
    monkeypatch.setattr(SiteIdentity, "notifies_sites", False)
    refused = await ada.send(MINE, f"{MINE}/{here.rpartition('/')[2]}/connect", 503)
    assert "This is a copy of the site" in words(refused.text)


async def test_an_account_of_somebody_else_is_refused(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    here = await connect_server(owner, await shared.product("Anchors"))
    await agree(ada, here)
    member = await user(shared, "bob@discord.example")
    async with visit(shared) as bob:
        await bob.sign_in_as(member, "communities: taken")
        await agree(bob, here, 409)


async def test_bad_input_is_explained_and_changes_nothing(
    shared: Latchkey, owner: Visitor, discord: DiscordServer
) -> None:
    for token, secret, why in (
        ("", SECRET, "Copy it from the Discord Developer Portal"),
        ("x" * 501, SECRET, "Copy it from the Discord Developer Portal"),
        (TOKEN, "two words", "Copy it from the Discord Developer Portal"),
        ("wrong", SECRET, "Discord doesn't accept the bot's token"),
    ):
        answer = await owner.send(NEW, expect=422, token=token, secret=secret)
        assert why in words(answer.text)
    assert await shared.pool.fetchval("select count(*) from communities") == 0
    product = await shared.product("Ropes")
    here = await connect_server(owner, product)
    for fields, why in (
        ({"product": product, "role": HIGH}, "Captain is above"),
        ({"product": product, "role": "1"}, "Choose from the list."),
        ({"product": "prd_none", "role": LOW}, "Choose a product."),
    ):
        answer = await owner.send(here, f"{here}/roles", 422, **fields)
        assert why in words(answer.text)
    assert await shared.pool.fetchval("select count(*) from community_roles") == 1
    await owner.get(f"/admin/webhooks/{here.rpartition('/')[2]}", 404)
    discord.on_server = False
    answer = await owner.send(f"{here}/keys", expect=422, token=TOKEN, secret=SECRET)
    assert "This bot isn't on The harbour" in words(answer.text)
    discord.on_server = True
    discord.token = "another"
    assert "enter a new one" in await shown(owner, here)
    discord.members[BOT] = set()
    await owner.send(f"{here}/keys", token="another", secret=SECRET)
    assert "lacks the permission Manage Roles" in await shown(owner, here)


async def test_the_server_is_chosen_once_the_bot_is_on_it(
    shared: Latchkey, owner: Visitor, discord: DiscordServer
) -> None:
    discord.on_server = False
    made = await owner.send(NEW, token=TOKEN, secret=SECRET)
    here = made.headers["location"].partition("?")[0]
    assert "The bot isn't on any server yet" in await shown(owner, here)
    discord.on_server = True
    await owner.send(here, f"{here}/server", 422, server="1")
    await owner.send(here, f"{here}/server", server="41771983423143937")
    assert "What products give" in await shown(owner, here)


async def test_support_reads_and_changes_nothing(
    shared: Latchkey, owner: Visitor, discord: DiscordServer
) -> None:
    here = await connect_server(owner, await shared.product("Sails"))
    helper = await user(shared, "support@discord.example", "support")
    async with visit(shared) as support:
        await support.sign_in_as(helper, "communities: support")
        assert "The harbour" in await shown(support, here)
        for act in ("server", "roles", "roles/remove", "keys", "sync", "pause", "resume", "remove"):
            await support.send("/admin/mails", f"{here}/{act}", 403)
        await support.send("/admin/mails", NEW, 403)


async def test_pausing_holds_back_and_resuming_goes_on(
    shared: Latchkey, owner: Visitor, ada: Visitor, discord: DiscordServer
) -> None:
    product = await shared.product("Buoys")
    here = await connect_server(owner, product)
    await agree(ada, here)
    await owner.send(here, f"{here}/pause")
    await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "ada@discord.example"}
    )

    async def waits() -> bool:
        return "Waiting" in (await shown(owner, here)).partition("Log")[2]

    await until(waits, "the change waits")
    assert discord.members[ADA] == set()
    await owner.send(here, f"{here}/resume")

    async def has() -> bool:
        return discord.members[ADA] == {LOW}

    await until(has, "the role is given")
