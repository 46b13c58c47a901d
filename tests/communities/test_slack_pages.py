"""Slack in a browser without scripts: an admin connects a workspace, a member an account. What the
pages share with Discord is tested with Discord."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from activities import webhooks
from latchkey.rules.vocabulary import WebhookFormat
from tests.communities.slack_server import (
    ADA,
    BOT,
    CLIENT,
    CREW,
    SAILING,
    SECRET,
    TOKEN,
    SlackServer,
    channel,
    run_slack,
)
from tests.harness import Latchkey, http_client, until
from tests.web.pages import Visitor, left_for, user, visit
from tests.web.test_admin_users import shown, words

pytestmark = pytest.mark.anyio

NEW = "/admin/communities/new/slack"
MINE = "/account/communities"
INVITE = "https://join.slack.com/t/quay/shared_invite/zt-1"
KEYS = {"token": TOKEN, "client": CLIENT, "secret": SECRET, "invite": INVITE}


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    async with run_slack() as running:
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
    member = await user(shared, "ada@slack.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "communities: slack")
        yield visitor


async def connect_workspace(owner: Visitor, product: str) -> str:
    """Connects the workspace, whose channel `SAILING` the product gives; returns its page."""
    made = await owner.send(NEW, token=TOKEN, client=CLIENT, secret=SECRET, invite=INVITE)
    here = made.headers["location"].partition("?")[0]
    await owner.send(here, f"{here}/roles", product=product, role=SAILING)
    return here


async def agree(visitor: Visitor, here: str, expect: int = 303) -> str:
    """Connects the visitor's account at Slack; returns what the page says."""
    community = here.rpartition("/")[2]
    answer = await visitor.send(MINE, f"{MINE}/{community}/connect", 200)
    async with http_client() as browser:
        led = await browser.get(left_for(answer), headers={"accept": "*/*"})
    back = urlsplit(led.headers["location"])
    return words((await visitor.get(f"{back.path}?{back.query}", expect)).text)


async def test_a_member_with_a_product_is_let_into_its_channel_and_out(
    shared: Latchkey,
    owner: Visitor,
    ada: Visitor,
    slack: SlackServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(webhooks.BETWEEN, WebhookFormat.SLACK_CHANNELS, 0.0)
    product = await shared.product("Sailing club")
    for name, kind in (("lobby", {"is_private": False}), ("wreck", {"is_archived": True})):
        id_ = f"C0{name.upper()}00"
        slack.channels[id_], slack.members[id_] = channel(id_, name) | kind, {BOT}
    here = await connect_workspace(owner, product)
    page = await shown(owner, here)
    assert "The quay" in page
    assert "#lobby" not in page, "everybody may join it"
    assert "#wreck" not in page, "nobody can be added to it"
    assert "#sailing" in page
    assert "#crew" not in page, "the app isn't in it"
    mine = await ada.get(MINE)
    assert INVITE in mine.text
    await agree(ada, here)
    assert slack.member_tokens == set(), "the member's token was given back"
    assert "Connected as Ada" in await shown(ada, MINE)
    grant = await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "ada@slack.example"}
    )

    async def is_in(channels: set[str]) -> bool:
        return slack.of(ADA) == channels

    await until(lambda: is_in({SAILING}), "the member is added")

    async def told() -> bool:
        return "Your channels: #sailing" in await shown(ada, MINE)

    await until(told, "the page says so")
    found = (await shared.call("GET", f"/users/{grant['user_id']}"))["communities"][0]
    assert (found["kind"], found["id"], found["roles"]) == ("slack_channels", ADA, ["#sailing"])
    await shared.call("DELETE", f"/grants/{grant['id']}")
    await until(lambda: is_in(set()), "the member is removed")
    slack.members[SAILING].discard(BOT)
    assert "the app isn't in this channel" in await shown(owner, here)
    removing = await shown(owner, f"{here}/remove")
    assert "Take back the channels first" in removing


async def test_an_account_of_another_workspace_is_refused(
    shared: Latchkey, owner: Visitor, ada: Visitor, slack: SlackServer
) -> None:
    here = await connect_workspace(owner, await shared.product("Foreigners"))
    slack.consenting_in = "T0ANOTHER1"
    assert "an account that isn't in The quay" in await agree(ada, here, 409)
    slack.consenting_in, slack.claims = "T0HARBOUR1", {"nonce": "of another attempt"}
    assert "Slack didn't confirm who you are" in await agree(ada, here, 502)
    slack.declined = True
    assert "You didn't agree at Slack" in await agree(ada, here, 400)
    assert slack.member_tokens == set(), "tokens are given back in any case"
    assert await shared.pool.fetchval("select count(*) from community_accounts") == 0


async def test_bad_keys_are_explained_and_change_nothing(
    shared: Latchkey, owner: Visitor, slack: SlackServer
) -> None:
    for field, value, why in (
        ("token", "", "Copy it from the settings of your Slack app"),
        ("token", "xoxp-a-person", "This isn't a bot token"),
        ("token", "xoxb-wrong", "Slack doesn't accept the bot's token"),
        ("client", "two words", "Copy it from Basic Information"),
        ("secret", "x" * 501, "Copy it from the settings of your Slack app"),
        ("invite", "http://join.slack.com/t", "It begins with https://"),
        ("invite", "javascript:alert(1)", "It begins with https://"),
    ):
        answer = await owner.send(NEW, expect=422, **KEYS | {field: value})
        assert why in words(answer.text), (field, value)
    await owner.get("/admin/communities/new/irc", 404)
    assert await shared.pool.fetchval("select count(*) from communities") == 0
    product = await shared.product("Knots of Slack")
    here = await connect_workspace(owner, product)
    answer = await owner.send(here, f"{here}/roles", 422, product=product, role=CREW)
    assert "Choose from the list." in words(answer.text)
    slack.team = "T0ANOTHER1"
    answer = await owner.send(f"{here}/keys", expect=422, **KEYS)
    assert "This app is in The quay, not in The quay." in words(answer.text)
    slack.team = "T0HARBOUR1"
    assert INVITE in (await owner.get(f"{here}/keys")).text, "what isn't secret is shown again"
    await owner.send(f"{here}/keys", f"{here}/keys", 303, **KEYS | {"invite": ""})
    assert await shared.pool.fetchval("select invite_url from communities") is None
