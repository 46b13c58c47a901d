"""Outgoing webhooks in a browser: from the form to an event that a receiver verifies."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import follow, press, sign_in
from tests.harness import Latchkey, until
from tests.receiver import receiving

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_an_endpoint_is_added_and_tried(shared: Latchkey, page: Page) -> None:
    async with receiving() as receiver:
        await sign_in(page, shared)
        await page.goto(f"{shared.url}/admin/webhooks")
        await follow(page.get_by_role("link", name="Add an endpoint", exact=True))
        await page.get_by_label("Address", exact=True).fill("https://10.0.0.1/hook")
        await press(page, "Add endpoint")
        await expect(page.locator("#url-error")).to_contain_text("isn't an address on the internet")
        await page.get_by_label("Address", exact=True).fill(receiver.url)
        await page.get_by_label("Description", exact=True).fill("The forum")
        await page.get_by_role("checkbox", name=re.compile("^Access granted")).check()
        await press(page, "Add endpoint")
        secret = await page.locator("#secret").inner_text()
        await follow(page.get_by_role("link", name="Go to the endpoint", exact=True))
        await expect(page.get_by_role("heading", name="The forum", exact=True)).to_be_visible()
        await press(page, "Send a test event")
        [request] = await receiver.got(1)
        assert request.verified(secret)["type"] == "test"

        async def delivered() -> bool:
            await page.reload()
            return await page.get_by_text("Delivered", exact=True).is_visible()

        await until(delivered, "the log says so")
        endpoint = page.get_by_role("link", name="The forum", exact=True)
        await follow(endpoint)
        await page.get_by_role("link", name="Delete", exact=True).click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("This can't be undone")
        await follow(dialog.get_by_role("button", name="Delete", exact=True))
        await expect(page).to_have_url(re.compile(r"/admin/webhooks\?done="))
        await expect(endpoint).to_have_count(0)
