"""Signing in and out in a browser: confirming that it's you, emailed links, ending sessions."""

import re

import pytest
from playwright.async_api import Page, expect

from latchkey import passwords, signin_links
from tests.browser.conftest import OpenPage, follow, press
from tests.browser.test_member import shot
from tests.harness import SECRETS, Latchkey
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PASSWORD = "purple anvils sing"


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
async def visitor(open_page: OpenPage, request: pytest.FixtureRequest) -> Page:
    """A page with and without JavaScript."""
    return await open_page(java_script_enabled=request.param)


@pytest.fixture
async def other(open_page: OpenPage) -> Page:
    """A page in another browser."""
    return await open_page()


async def person(site: Latchkey, email: str, role: str = "member") -> int:
    """A user with a password and no session."""
    made = await user(site, email, role)
    hashed = await passwords.hash_password(PASSWORD)
    await site.pool.execute("update users set password_hash = $2 where id = $1", made, hashed)
    await site.pool.execute("delete from sessions where user_id = $1", made)
    return made


async def link(site: Latchkey, user_id: int, nonce: str) -> str:
    epoch = await site.pool.fetchval("select link_epoch from users where id = $1", user_id)
    return f"{site.url}/login/{signin_links.sign(user_id, nonce, secrets=SECRETS, epoch=epoch)}"


async def sign_in(page: Page, site: Latchkey, email: str, target: str) -> None:
    await page.goto(f"{site.url}/login?next={target}")
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email", exact=True).fill(email)
    await form.get_by_label("Password", exact=True).fill(PASSWORD)
    await follow(form.get_by_role("button", name="Sign in", exact=True))
    await expect(page).to_have_url(f"{site.url}{target}")


async def long_ago(site: Latchkey, user_id: int) -> None:
    """Date the sign-in of a user's sessions back, so that it isn't fresh any more."""
    await site.pool.execute(
        "update sessions set authenticated_at = now() - interval '1 hour' where user_id = $1",
        user_id,
    )


async def confirm(page: Page, password: str) -> None:
    await expect(
        page.get_by_role("heading", name="Confirm that it's you", exact=True)
    ).to_be_visible()
    await page.get_by_label("Password", exact=True).fill(password)
    await press(page, "Continue")


async def test_a_change_after_a_while_asks_who_it_is_and_leads_back(
    shared: Latchkey, visitor: Page, request: pytest.FixtureRequest
) -> None:
    email = f"idle-{'no' not in request.node.name}@browser.example"
    member = await person(shared, email)
    await sign_in(visitor, shared, email, "/account/settings")
    await long_ago(shared, member)
    address = visitor.locator("#address")
    await address.get_by_label("New email address", exact=True).fill("next@browser.example")
    await follow(address.get_by_role("button", name="Send me the link", exact=True))
    await shot(visitor, "confirm")
    await confirm(visitor, "a wrong guess")
    await expect(visitor.locator("#password-error")).to_contain_text("isn't the password")
    await confirm(visitor, PASSWORD)
    await visitor.wait_for_url("**/account/settings")
    assert not await shared.pool.fetchval(
        "select count(*) from email_changes where user_id = $1", member
    )
    await address.get_by_label("New email address", exact=True).fill("next@browser.example")
    await follow(address.get_by_role("button", name="Send me the link", exact=True))
    await expect(visitor.get_by_text(re.compile("We've sent a link"))).to_be_visible()
    assert await shared.pool.fetchval(
        "select count(*) from email_changes where user_id = $1", member
    )


async def test_the_page_says_that_it_will_ask_and_a_link_confirms_too(
    shared: Latchkey, page: Page
) -> None:
    email = "owner@browser.example"
    owner = await person(shared, email, "owner")
    await sign_in(page, shared, email, "/admin/tokens")
    await expect(page.get_by_text(re.compile("You signed in more than"))).to_have_count(0)
    await long_ago(shared, owner)
    await page.reload()
    await shot(page, "confirm-first")
    await follow(page.get_by_role("link", name="confirm that it's you", exact=True))
    await press(page, "Send me a link")
    await expect(page.get_by_text(re.compile("a sign-in link is on its way"))).to_be_visible()
    await page.goto(f"{await link(shared, owner, 'confirms')}?next=/admin/tokens")
    await expect(
        page.get_by_text(re.compile("signed in with this account already"))
    ).to_be_visible()
    await press(page, "Sign in")
    await page.wait_for_url("**/admin/tokens")
    await page.get_by_label("Name", exact=True).fill("Made in a browser")
    await press(page, "Create token")
    await expect(page.locator("#token")).to_be_visible()


async def test_a_link_says_as_whom_works_once_and_then_leads_on(
    shared: Latchkey, page: Page, other: Page
) -> None:
    ada = await person(shared, "ada@browser.example")
    bob = await person(shared, "bob@browser.example")
    await sign_in(page, shared, "ada@browser.example", "/account/settings")
    address = f"{await link(shared, bob, 'bob in a browser')}?next=/account/settings"
    await page.goto(address)
    await expect(page.locator("main")).to_contain_text("sign in as b•••@browser.example")
    await expect(page.locator("main")).to_contain_text("You're signed in as ada@browser.example")
    await shot(page, "link-as-whom")
    await press(page, "Sign in")
    await page.wait_for_url("**/account/settings")
    await expect(page.locator("#address")).to_contain_text("bob@browser.example")
    left = "select count(*) from sessions where user_id = $1"
    assert await shared.pool.fetchval(left, ada) == 0, "the session of before has ended"

    await page.goto(address)
    await page.wait_for_url("**/account/settings")
    await other.goto(address)
    await expect(other.get_by_role("alert")).to_contain_text("already been used")
    await expect(other.get_by_role("button", name="Send me a link", exact=True)).to_be_visible()


async def test_sessions_are_ended_one_by_one_and_by_an_admin(
    shared: Latchkey, visitor: Page, other: Page, request: pytest.FixtureRequest
) -> None:
    email = f"two-{'no' not in request.node.name}@browser.example"
    member = await person(shared, email)
    await sign_in(other, shared, email, "/account/settings")
    await sign_in(visitor, shared, email, "/account/settings")
    await expect(visitor.get_by_text("This browser", exact=True)).to_have_count(1)
    await shot(visitor, "sessions")
    await follow(visitor.get_by_role("button", name=re.compile("Sign out the session")))
    await expect(
        visitor.get_by_text("Session ended. Whoever was using it has to sign in again.", exact=True)
    ).to_be_visible()
    await other.goto(f"{shared.url}/account/settings")
    await expect(other.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()

    await person(shared, "admin@browser.example", "admin")
    await sign_in(other, shared, "admin@browser.example", f"/admin/users/{member}")
    await shot(other, "sessions-of-a-user")
    await press(other, "Sign out everywhere")
    await expect(other.get_by_text("They are signed out there.", exact=True)).to_be_visible()
    await visitor.reload()
    await expect(visitor.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
