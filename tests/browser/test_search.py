"""The command palette by keyboard alone, its page without JavaScript, and copying ids."""

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
    field = page.get_by_role("combobox", name="Search everything", exact=True)
    await expect(field).to_be_focused()
    options = page.get_by_role("listbox", name="Results", exact=True).get_by_role("option")
    await expect(options.filter(has_text="Dashboard")).to_have_count(1)
    await page.keyboard.type("palette-")
    await expect(options).to_have_count(2)
    await expect(options.nth(0)).to_have_text("palette-two@find.example")
    await expect(
        page.get_by_role("dialog", name="Search", exact=True).get_by_role("status")
    ).to_have_text("2 results")
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
    opener = page.get_by_role("link", name=re.compile("^Search( Ctrl K)?$")).first
    await opener.click()
    dialog = page.get_by_role("dialog", name="Search", exact=True)
    await expect(dialog.get_by_role("option").first).to_be_visible()
    await page.keyboard.type("zz-nobody")
    await expect(dialog.get_by_role("status")).to_contain_text("No results")
    field = page.get_by_role("combobox")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_a_result_opens_in_a_new_tab_with_ctrl(shared: Latchkey, page: Page) -> None:
    person = await user(shared, "palette-tab@find.example")
    await sign_in(page, shared)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("palette-tab@")
    dialog = page.get_by_role("dialog", name="Search", exact=True)
    option = dialog.get_by_role("option")
    await expect(option).to_have_count(1)
    async with page.context.expect_page() as by_key:
        await page.keyboard.press("Control+Enter")
    async with page.context.expect_page() as by_click:
        await option.click(modifiers=["Control"])
    for opened in (by_key, by_click):
        await expect(await opened.value).to_have_url(f"{shared.url}/admin/users/{person}")
    await expect(page).to_have_url(f"{shared.url}/admin")
    await expect(dialog).to_be_visible()


async def test_an_id_under_details_is_copied(shared: Latchkey, open_page: OpenPage) -> None:
    person = await user(shared, "copied@find.example")
    await shared.pool.execute(
        "insert into customers (id, account_id, livemode, user_id, email)"
        " values ('cus_copied', 'acct_copied', false, $1, 'copied@find.example')",
        person,
    )
    page = await open_page(permissions=["clipboard-read", "clipboard-write"])
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/users/{person}")
    customers = page.get_by_role("region", name="Stripe customers", exact=True)
    copy = customers.get_by_role("button", name="Copy cus_copied", exact=True)
    await expect(copy).to_be_hidden()
    await customers.get_by_text(re.compile("Details")).click()
    await copy.click()
    await expect(customers.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "cus_copied"


async def test_searching_on_a_phone_without_javascript(
    shared: Latchkey, open_page: OpenPage
) -> None:
    person = await user(shared, "plain-search@find.example")
    phone = await open_page(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    await sign_in(phone, shared)
    await follow(phone.get_by_role("link", name=re.compile("^Search( Ctrl K)?$")))
    await phone.get_by_label("Search everything", exact=True).fill("plain-search")
    await press(phone, "Search")
    await follow(phone.get_by_role("link", name=re.compile("^plain-search@")))
    await expect(phone).to_have_url(f"{shared.url}/admin/users/{person}")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_emails_of_ticked_people_are_copied_or_shown(
    shared: Latchkey, open_page: OpenPage, scripts: bool
) -> None:
    name = "copied-with" if scripts else "copied-without"
    for n in range(3):
        await user(shared, f"{name}-{n}@find.example")
    page = await open_page(java_script_enabled=scripts)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(page, shared)
    here = f"{shared.url}/admin/users?q={name}"
    await page.goto(here)
    copy = page.get_by_role("button", name="Copy emails", exact=True)
    await follow(copy)
    await expect(
        page.get_by_text("Tick at least one row, or choose all of them.", exact=True)
    ).to_be_visible()
    for n in (0, 2):
        await page.get_by_role(
            "checkbox", name=f"Choose {name}-{n}@find.example", exact=True
        ).check()
    emails = f"{name}-2@find.example\n{name}-0@find.example"
    for _ in range(2):
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download as CSV", exact=True).click()
        assert (await download.value).suggested_filename == "users.csv"
    if scripts:
        await copy.click()
        await expect(page.get_by_text("Emails copied: 2", exact=True)).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == emails
    else:
        await follow(copy)
        await expect(page.locator("pre")).to_have_text(emails)
        await follow(page.get_by_role("link", name="Back to the list", exact=True))
        await expect(page).to_have_url(here)
