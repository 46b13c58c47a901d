"""Numbers in a browser without JavaScript: choose, look, open the people behind a point. The menu
is taller than the window, and its foot stays in sight."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from latchkey.store.figures import counting
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import Latchkey
from tests.life.play import linked

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

BUYER = "growth@numbers.example"


async def test_a_point_leads_to_the_people_behind_it(shared: Latchkey, open_page: OpenPage) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.buy(BUYER, price)
    await shared.has(product, BUYER)
    async with shared.pool.acquire() as connection:
        await counting.count(connection)
    page = await open_page(viewport={"width": 1280, "height": 720}, java_script_enabled=False)
    await sign_in(page, shared)
    await page.get_by_role("link", name="Audit log", exact=True).scroll_into_view_if_needed()
    await expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_in_viewport()
    await follow(page.get_by_role("link", name="Numbers", exact=True))
    await page.get_by_label("Product", exact=True).select_option(product)
    await press(page, "Show")
    await follow(page.get_by_role("link", name="30 days", exact=True))
    await expect(page.get_by_label("Product", exact=True)).to_have_value(product)
    here = page.url
    tile = page.get_by_role("link", name="Recurring revenue (MRR) $15.00", exact=True)
    await expect(tile).to_be_visible()

    await follow(
        page.get_by_role("figure", name="Monthly recurring revenue", exact=True)
        .locator("a")
        .nth(29)
    )
    await expect(page.get_by_role("heading", name="Subscribers", exact=True)).to_be_visible()
    await expect(page.get_by_text(re.compile(r"\$15\.00"))).to_be_visible()
    await follow(page.get_by_role("row").filter(has_text=BUYER).get_by_role("link"))
    await expect(page.get_by_text(BUYER, exact=True).first).to_be_visible()

    await page.goto(here)
    await page.get_by_text(re.compile("Table: members")).click()
    table = page.get_by_role("figure", name="Members", exact=True).get_by_role("table")
    await follow(table.get_by_role("row").nth(1).get_by_role("link").first)
    await expect(page.get_by_role("heading", name="Members", exact=True)).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text=BUYER)).to_be_visible()

    await page.goto(here)
    await follow(
        page.get_by_role("region", name="Who stays", exact=True).get_by_role(
            "link", name=re.compile("100 %")
        )
    )
    await expect(page.get_by_role("heading", name=re.compile("still paying"))).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text=BUYER)).to_be_visible()

    async with page.expect_download() as file:
        await page.get_by_role("link", name="Download CSV", exact=True).click()
    text = Path(await (await file.value).path()).read_text()
    assert [line.split(",")[2] for line in text.splitlines()] == ["email", BUYER]
