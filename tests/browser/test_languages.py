"""The team's pages in German: chosen in the menu, with dates, amounts and errors, and narrow."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import press, sign_in
from tests.harness import ADMIN, Latchkey
from web.pages.navigation import MENU, SUBPAGES

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_an_owner_reads_the_admin_pages_in_german(shared: Latchkey, page: Page) -> None:
    stripe_product = await shared.stripe.product("Zg Segelkurs")
    price = await shared.stripe.price(stripe_product)
    product = await shared.product("Zg Segeln")
    await shared.link(product, stripe_product)
    await shared.stripe.subscribe("zg-german@lang.example", price)
    await shared.has(product, "zg-german@lang.example")
    await sign_in(page, shared)
    before = await shared.pool.fetchval("select locale from users where email = $1", ADMIN)
    try:
        await press(page, "Deutsch")
        await expect(page.get_by_role("heading", name="Übersicht", exact=True)).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await page.get_by_role("link", name="Benutzer", exact=True).click()
        await expect(page.get_by_role("heading", name="Benutzer", exact=True)).to_be_visible()
        await page.goto(f"{shared.url}/admin/products/{product}")
        await expect(page.get_by_text("Preise, die Zugriff geben", exact=True)).to_be_visible()
        await expect(page.get_by_text(re.compile(r"15,00\s\$ pro Monat"))).to_be_visible()
        await page.goto(f"{shared.url}/admin/products/{product}/members")
        row = page.get_by_role("row").filter(has_text="zg-german@lang.example")
        await expect(row).to_contain_text(re.compile(r"nächste Zahlung am \d+\. \w+ \d{4}"))
        await page.goto(f"{shared.url}/admin/products/{product}")
        await page.get_by_label("Slug", exact=True).fill("Nicht so!")
        await press(page, "Speichern")
        await expect(page.locator("#slug-error")).to_contain_text("Kleinbuchstaben")
        await page.set_viewport_size({"width": 320, "height": 800})
        entries = [*(entry for group in MENU for entry in group.entries), *SUBPAGES]
        wide = []
        for address in [entry.address for entry in entries if entry.address.startswith("/admin")]:
            await page.goto(f"{shared.url}{address}")
            await expect(page.locator("html")).to_have_attribute("lang", "de")
            if await page.evaluate("document.documentElement.scrollWidth") > 320:
                wide.append(address)
        assert wide == []
    finally:
        await shared.pool.execute("update users set locale = $2 where email = $1", ADMIN, before)
