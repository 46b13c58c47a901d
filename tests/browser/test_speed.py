"""The page about speed in a browser: on a phone, and from a slow purchase to its buyer."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage, follow, sign_in
from tests.harness import Latchkey
from tests.life.play import linked

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PHONE = {"width": 320, "height": 700}


async def test_a_slow_purchase_leads_to_its_buyer(shared: Latchkey, open_page: OpenPage) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.buy("slow@phone.example", price)
    await shared.has(product, "slow@phone.example")
    await shared.pool.execute(
        "update activities set recorded_at = recorded_at + interval '950 days'"
        " where product_id = $1 and type = 'product_purchased'",
        product,
    )
    page = await open_page(viewport=PHONE, color_scheme="dark")
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/speed")
    await expect(page.get_by_role("heading", name=re.compile("^Error budget"))).to_be_visible()
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert await page.evaluate(fits), "nothing is wider than a phone"
    await follow(page.get_by_role("link", name="slow@phone.example", exact=True))
    await expect(page.get_by_text("slow@phone.example", exact=True).first).to_be_visible()
