"""The command palette by keyboard alone, and its page without JavaScript."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import Latchkey
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_palette_by_keyboard(shared: Latchkey, page: Page) -> None:
    first = await user(shared, "palette-one@find.example")
    second = await user(shared, "palette-two@find.example")
    await sign_in(page, shared)
    await page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search everything")
    await expect(field).to_be_focused()
    options = page.get_by_role("listbox", name="Results").get_by_role("option")
    await expect(options.filter(has_text="Dashboard")).to_have_count(1)
    await page.keyboard.type("palette-")
    await expect(options).to_have_count(2)
    await expect(options.nth(0)).to_have_text("palette-two@find.example")
    await expect(page.get_by_role("dialog", name="Search").get_by_role("status")).to_have_text(
        "2 results"
    )
    for key, chosen in (("ArrowDown", 1), ("ArrowDown", 0), ("ArrowUp", 1), ("PageUp", 0)):
        await page.keyboard.press(key)
        await expect(options.nth(chosen)).to_have_attribute("aria-selected", "true")
        await expect(options.nth(1 - chosen)).to_have_attribute("aria-selected", "false")
        id_ = await options.nth(chosen).get_attribute("id")
        assert id_
        await expect(field).to_have_attribute("aria-activedescendant", id_)
    await page.keyboard.press("ArrowDown")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{shared.url}/admin/users/{first}")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("PALETTE-TWO@FIND.example")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{shared.url}/admin/users/{second}")


async def test_the_palette_closes_and_gives_the_focus_back(shared: Latchkey, page: Page) -> None:
    await sign_in(page, shared)
    opener = page.get_by_role("link", name="Search").first
    await opener.click()
    dialog = page.get_by_role("dialog", name="Search")
    await expect(dialog.get_by_role("option").first).to_be_visible()
    await page.keyboard.type("zz-nobody")
    await expect(dialog.get_by_role("status")).to_contain_text("No results")
    field = page.get_by_role("combobox")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_searching_on_a_phone_without_javascript(
    shared: Latchkey, open_page: OpenPage
) -> None:
    person = await user(shared, "plain-search@find.example")
    phone = await open_page(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    await sign_in(phone, shared)
    await follow(phone.get_by_role("link", name="Search", exact=True))
    await phone.get_by_label("Search everything").fill("plain-search")
    await press(phone, "Search")
    await follow(phone.get_by_role("link", name=re.compile("^plain-search@")))
    await expect(phone).to_have_url(f"{shared.url}/admin/users/{person}")
