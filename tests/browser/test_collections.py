"""A collection that is sold, in a browser: bought, opened, cancelled, over."""

import re
import time

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import follow, press
from tests.browser.test_crawl import as_user
from tests.browser.test_member import shot
from tests.harness import Latchkey, until
from tests.web.pages import user
from tests.web.test_member_checkout import for_sale

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

EMAIL = "cora@fleet.example"
BOATS = ("Dinghy", "Ketch", "Yawl")


def tile(page: Page, name: str) -> Locator:
    named = page.locator(".name").get_by_text(name, exact=True)
    return page.locator("a.tile").filter(has=named)


async def test_a_collection_is_bought_and_ends(site: Latchkey, page: Page) -> None:
    boats = [await site.product(name, content=f"# All about the {name}") for name in BOATS]
    fleet, slug, _, _ = await for_sale(site, "Whole fleet", payment_link=False)
    collection = await site.call(
        "POST", "/collections", 201, json={"name": "Fleet", "products": boats}
    )
    await site.call("PATCH", f"/collections/{collection['id']}", json={"sold_as": [fleet]})
    await site.call("PATCH", f"/products/{fleet}", json={"show_locked": True})
    await site.call("POST", f"/products/{boats[0]}/grants", 201, json={"email": EMAIL})
    await as_user(page, site, await user(site, EMAIL))

    await page.goto(f"{site.url}/library")
    await expect(tile(page, "Whole fleet")).to_contain_text("1 of 3 yours")
    await expect(tile(page, "Dinghy")).to_contain_text("Yours")
    await expect(tile(page, "Yawl")).to_have_count(0)
    await shot(page, "library-collection")
    await follow(tile(page, "Whole fleet"))
    await page.get_by_label("Name", exact=True).fill("Cora Crew")
    await press(page, "Subscribe")
    await expect(page.get_by_role("heading", name=re.compile("^Thank you!"))).to_be_visible()
    await site.has(boats[2], EMAIL)

    await page.goto(f"{site.url}/library")
    await expect(tile(page, "Whole fleet")).to_contain_text("Yours")
    await expect(tile(page, "Whole fleet")).not_to_contain_text("of 3 yours")
    await expect(tile(page, "Yawl")).to_contain_text("From Whole fleet")
    await follow(tile(page, "Yawl"))
    await expect(page.get_by_role("heading", name="All about the Yawl", exact=True)).to_be_visible()

    await page.goto(f"{site.url}/account")
    await press(page, "Manage billing")
    await press(page, "Cancel subscription")
    await follow(page.get_by_role("link", name=re.compile("^Return to")))

    async def ending() -> bool:
        await page.goto(f"{site.url}/library")
        return await tile(page, "Yawl").get_by_text(re.compile("nds on ")).count() == 1

    await until(ending, "what is in the collection says when it ends")
    subscription = await site.pool.fetchval("select id from subscriptions")
    found = await site.stripe.get(f"subscriptions/{subscription}")
    await site.stripe.control("clock/advance", seconds=found["cancel_at"] - int(time.time()) - 4)
    await site.has(fleet, EMAIL, access=False)

    await page.goto(f"{site.url}/library")
    await expect(tile(page, "Whole fleet")).to_contain_text("Your access has ended")
    await expect(tile(page, "Whole fleet")).to_contain_text("1 of 3 yours")
    await expect(tile(page, "Dinghy")).to_contain_text("Yours")
    answer = await page.goto(f"{site.url}/products/yawl")
    assert answer
    assert answer.status == 403
    included = page.get_by_role("main").get_by_role("link", name="Whole fleet", exact=True)
    await expect(included).to_have_attribute("href", f"/buy/{slug}")
