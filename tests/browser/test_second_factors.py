"""An authenticator app and recovery codes in a browser, and a site that requires them."""

import re
from pathlib import Path

import pyotp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import follow, press
from tests.browser.test_member import shot, sign_out
from tests.browser.test_passkeys import HERE, PASSWORD, person
from tests.harness import Latchkey

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def sign_in(page: Page, site: Latchkey, email: str) -> None:
    await page.goto(f"{site.url}/login?next={HERE}")
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email", exact=True).fill(email)
    await form.get_by_label("Password", exact=True).fill(PASSWORD)
    await follow(form.get_by_role("button", name="Sign in", exact=True))


async def set_up(page: Page, site: Latchkey) -> tuple[pyotp.TOTP, list[str]]:
    """Set up an app by the page's key: the app, and the downloaded recovery codes."""
    await press(page, "Set up an app")
    await expect(
        page.get_by_role("img", name="QR code of the key below", exact=True)
    ).to_be_visible()
    await shot(page, "app-setup")
    app = pyotp.TOTP((await page.locator("#app-key").inner_text()).replace(" ", ""))
    await page.get_by_label(re.compile("Code that the app shows")).fill(app.now())
    await press(page, "Turn on")
    await expect(
        page.get_by_role("heading", name="Your recovery codes", exact=True)
    ).to_be_visible()
    await shot(page, "recovery-codes")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download as text", exact=True).click()
    download = await waiting.value
    assert download.suggested_filename == "recovery-codes.txt"
    saved = Path(await download.path()).read_text()
    codes = (await page.locator("#codes").inner_text()).split()
    assert all(code in saved for code in codes)
    await follow(page.get_by_role("link", name="I have saved them", exact=True))
    await site.pool.execute("update authenticator_apps set last_step = last_step - 10")
    return app, codes


async def give(page: Page, code: str) -> None:
    await page.get_by_label(re.compile("Code from your authenticator app")).fill(code)
    await press(page, "Continue")


async def test_a_phone_is_used_then_lost(shared: Latchkey, page: Page) -> None:
    email = "phone@app.example"
    await person(shared, email)
    await sign_in(page, shared, email)
    app, codes = await set_up(page, shared)
    await expect(page.get_by_text(re.compile(r"^\s*You have 10 unused codes"))).to_be_visible()
    await shot(page, "security")
    await sign_out(page)

    await sign_in(page, shared, email)
    await expect(page.get_by_role("heading", name="One more step", exact=True)).to_be_visible()
    await shot(page, "code")
    await give(page, "000 00")
    await expect(page.get_by_text(re.compile("or was used before"))).to_be_visible()
    await give(page, app.now())
    await expect(page).to_have_url(f"{shared.url}{HERE}")
    await sign_out(page)

    await sign_in(page, shared, email)
    await give(page, codes[0])
    await expect(page.get_by_text(re.compile(r"^\s*You have 9 unused codes"))).to_be_visible()
    await press(page, "Remove the app")
    await expect(page.get_by_role("button", name="Set up an app", exact=True)).to_be_visible()
    await sign_out(page)
    await sign_in(page, shared, email)
    await expect(page).to_have_url(f"{shared.url}{HERE}")


async def test_a_site_requires_it_of_its_team(shared: Latchkey, page: Page) -> None:
    await person(shared, "boss@app.example", "owner")
    await person(shared, "staff@app.example", "admin")
    await sign_in(page, shared, "boss@app.example")
    app, _ = await set_up(page, shared)
    await page.goto(f"{shared.url}/admin/settings/team")
    await follow(page.get_by_role("link", name=re.compile("^Second factors: who has one")))
    await page.get_by_label(re.compile("Everyone on the team needs a second factor")).check()
    await press(page, "Save")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await shot(page, "team-factors")
    await page.goto(f"{shared.url}{HERE}")
    await sign_out(page)
    try:
        await sign_in(page, shared, "staff@app.example")
        await page.goto(f"{shared.url}/admin/users")
        await expect(
            page.get_by_text(re.compile(r"^\s*This site requires a second factor"))
        ).to_be_visible()
        await set_up(page, shared)
        await follow(page.get_by_role("link", name="Admin", exact=True))
        await expect(page.get_by_role("heading", name="Dashboard", exact=True)).to_be_visible()
        await page.goto(f"{shared.url}{HERE}")
        await sign_out(page)
    finally:
        await sign_in(page, shared, "boss@app.example")
        await give(page, app.now())
        await page.goto(f"{shared.url}/admin/settings/team/second-factor")
        await page.get_by_label(re.compile("Everyone on the team needs a second factor")).uncheck()
        await press(page, "Save")
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        await shared.pool.execute(
            "update users set role = 'member' where email like '%@app.example'"
        )
