"""Browser tests: a real browser with a real Latchkey."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.install import find
from tests.harness import ADMIN, PASSWORD, Latchkey

MILLISECONDS = 60_000
"""How long a page may take: only what fails takes as long."""

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=MILLISECONDS)
    path = find()
    assert path, "no Chromium: run `python -m tests.browser.install`"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield started
        await started.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A new page. Any error in its console fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    made = await context.new_page()
    made.set_default_timeout(MILLISECONDS)
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "status of 4" not in message.text
            else None
        ),
    )
    yield made
    await context.close()
    assert complaints == []


async def sign_in(page: Page, site: Latchkey) -> None:
    """Sign in as the admin."""
    await page.goto(f"{site.url}/login")
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email").fill(ADMIN)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/admin")
