"""Communities in a browser: an admin connects a Discord server, a member an account there by the
page on which Discord asks, and the role goes with access."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from latchkey import signin_links
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.browser.test_member import shot
from tests.communities.server import ADA, LOW, SECRET, TOKEN, DiscordServer, run_discord
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def discord(shared: Latchkey) -> AsyncIterator[DiscordServer]:
    """The stand-in. The communities go afterwards: other tests share the site."""
    async with run_discord() as running:
        yield running
        await shared.pool.execute("delete from webhook_endpoints")


async def test_a_role_comes_and_goes_with_access(
    shared: Latchkey, page: Page, open_page: OpenPage, discord: DiscordServer
) -> None:
    product = await shared.product("Sailing with friends")
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/communities")
    await follow(page.get_by_role("link", name="Connect a Discord server", exact=True))
    await page.get_by_label("Bot token", exact=True).fill("not a token")
    await page.get_by_label("Client secret", exact=True).fill(SECRET)
    await press(page, "Check and connect")
    await expect(page.locator("#token-error")).to_contain_text("Copy it from the Discord Developer")
    await page.get_by_label("Bot token", exact=True).fill(TOKEN)
    await page.get_by_label("Client secret", exact=True).fill(SECRET)
    await press(page, "Check and connect")
    await expect(page.get_by_role("heading", name="The harbour", exact=True)).to_be_visible()
    await page.get_by_label("Product", exact=True).select_option(label="Sailing with friends")
    await page.get_by_label("Role", exact=True).select_option(label="Sailor")
    await press(page, "Add")
    given = page.get_by_role("row").filter(has_text="Sailing with friends")
    await expect(given).to_contain_text("Sailor")

    email = "ada@harbour.example"
    member = await user(shared, email)
    grant = await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    theirs = await open_page(viewport={"width": 1280, "height": 800})
    link = signin_links.sign(member, "communities: the browser", secrets=SECRETS)
    await theirs.goto(f"{shared.url}/login/{link}")
    await press(theirs, "Sign in")
    await theirs.goto(f"{shared.url}/account/communities")
    await follow(theirs.get_by_role("button", name="Connect with The harbour", exact=True))
    await theirs.wait_for_url(f"{discord.url}/oauth2/authorize*")
    await follow(theirs.get_by_role("link", name="Authorize", exact=True))
    await expect(theirs.get_by_text(re.compile(r"^\s*Connected as Ada"))).to_be_visible()

    async def has(roles: set[str]) -> bool:
        return discord.members.get(ADA) == roles

    await until(lambda: has({LOW}), "the role is given")

    async def told() -> bool:
        await theirs.reload()
        return await theirs.get_by_text("Your roles: Sailor", exact=True).is_visible()

    await until(told, "the member sees the role")

    async def logged() -> bool:
        await page.reload()
        return await page.get_by_text("Delivered", exact=True).first.is_visible()

    await until(logged, "the log says so")
    await shot(page, "community")
    await shared.call("DELETE", f"/grants/{grant['id']}")
    await until(lambda: has(set()), "the role is taken")
    await theirs.reload()
    await expect(theirs.get_by_text(re.compile(r"^\s*Connected as Ada"))).to_be_visible()
    await expect(theirs.get_by_text(re.compile("Your roles"))).to_have_count(0)
