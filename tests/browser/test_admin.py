"""Admin pages in a browser: the rehearsal, dialogs, live progress, the menu on a phone."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from latchkey import sandbox_exit
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.browser.test_crawl import Crawl
from tests.harness import Latchkey, Stripe, run_latchkey

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_rehearsal_ticks_itself_off_and_can_be_left(
    dsn: str, temporal_address: str, stripe: Stripe, page: Page, axe: str, tmp_path: Path
) -> None:
    """With the sandbox, the dashboard shows a guide that follows what happens, and a way out."""
    way_out = str(sandbox_exit.request_file(tmp_path))
    sandbox = {"LATCHKEY_SANDBOX_URL": stripe.url, "LATCHKEY_SANDBOX_EXIT": way_out}
    async with run_latchkey(dsn, temporal_address, stripe, **sandbox) as rehearsed:
        await sign_in(page, rehearsed)
        steps = page.locator("#steps")
        await expect(
            page.get_by_text(re.compile(r"^\s*Rehearsal: this site uses the built-in"))
        ).to_be_visible()
        await expect(steps).to_contain_text("0 of 5 done")

        stripe_product = await stripe.product("Rehearsed")
        price = await stripe.price(stripe_product)
        product = await rehearsed.product("Rehearsed")
        await rehearsed.link(product, stripe_product)
        await expect(steps).to_contain_text("1 of 5 done")
        await expect(steps.locator("[aria-current=step]")).to_contain_text("Buy it")

        session = await stripe.buy("try@rehearsal.example", price)
        await rehearsed.has(product, "try@rehearsal.example")
        await expect(steps).to_contain_text("2 of 5 done")
        await stripe.post(f"subscriptions/{session['subscription']}", cancel_at_period_end=True)
        await expect(steps).to_contain_text("3 of 5 done")
        await stripe.control("clock/advance", seconds=32 * 86_400)
        await rehearsed.has(product, "try@rehearsal.example", access=False)
        await expect(steps).to_contain_text("5 of 5 done")
        await expect(steps).to_contain_text("That's everything.")

        bar = page.get_by_role("note").filter(has_text="Rehearsal")
        await follow(bar.get_by_role("link", name="Leave the sandbox", exact=True))
        looks = Crawl(rehearsed, page, axe)
        await looks.judge("/admin/sandbox")
        await press(page, "Leave the sandbox")
        await expect(
            page.get_by_role("heading", name="Leaving the sandbox", exact=True)
        ).to_be_visible()
        assert sandbox_exit.asked(tmp_path)
        await looks.judge("/admin/sandbox/leave")
        assert looks.problems == []


async def test_the_stripe_settings_are_a_dialog(shared: Latchkey, page: Page) -> None:
    """Errors, the preview and the way back stay in it; saving leads to the product's page."""
    product = await shared.product("Priced oddly")
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}")
    opens = page.get_by_role("link", name="Link to Stripe", exact=True)
    await opens.click()
    dialog = page.get_by_role("dialog", name="Stripe settings", exact=True)
    await expect(dialog.get_by_role("heading", name="Stripe settings", exact=True)).to_be_focused()
    for closes in ("Escape", "Close"):
        if closes == "Escape":
            await page.keyboard.press("Escape")
        else:
            await dialog.get_by_role("button", name="Close", exact=True).click()
        await expect(dialog).to_have_count(0)
        await expect(opens).to_be_focused()
        await opens.click()

    await dialog.get_by_role("searchbox").fill("no such product")
    await dialog.get_by_role("button", name="Search", exact=True).click()
    await expect(dialog).to_contain_text("No Stripe product matches your search.")
    await dialog.get_by_label(re.compile(r"^\s*Don't send any")).check()
    await dialog.get_by_role("button", name="Save and import", exact=True).click()
    await expect(dialog.locator("#stripe_product-error")).to_contain_text("Choose a Stripe product")
    await expect(dialog.get_by_label(re.compile(r"^\s*Don't send any"))).to_be_checked()

    amount = dialog.get_by_label("Amount", exact=True)
    await amount.fill("-5")
    await dialog.get_by_label("Currency", exact=True).fill("EUR")
    await dialog.get_by_label("Billing period", exact=True).select_option("year")
    await dialog.get_by_role("button", name="Create and link", exact=True).click()
    await expect(dialog.locator("#amount-error")).to_have_text("The amount can't be negative.")
    await expect(amount).to_be_focused()
    await expect(amount).to_have_value("-5")
    await expect(dialog.get_by_label("Currency", exact=True)).to_have_value("EUR")
    await expect(dialog.get_by_label("Billing period", exact=True)).to_have_value("year")
    await amount.fill("0")
    await dialog.get_by_role("button", name="Create and link", exact=True).click()
    free = dialog.get_by_role("checkbox", name=re.compile("^It's free"))
    await expect(free).to_be_focused()
    await amount.fill("29")
    await dialog.get_by_role("button", name="Preview what is created", exact=True).click()
    preview = page.get_by_role("dialog", name="What is created", exact=True)
    await expect(preview).to_contain_text("€29.00, yearly")
    assert (
        await shared.pool.fetchval("select count(*) from links where product_id = $1", product) == 0
    )
    await preview.get_by_role("link", name="Back", exact=True).click()
    await expect(amount).to_have_value("29")
    await dialog.get_by_role("button", name="Preview what is created", exact=True).click()
    await follow(preview.get_by_role("button", name="Create and link", exact=True))
    await expect(page).to_have_url(re.compile(f"/admin/products/{product}[?]done=linked"))
    await expect(dialog).to_have_count(0)


async def test_a_dead_picture_gives_way_to_the_initial(shared: Latchkey, page: Page) -> None:
    product = await shared.product("Dead picture", image_url=f"{shared.url}/static/gone.png")
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}")
    card = page.locator(".tile")
    await expect(card.locator("span.picture")).to_have_text("D")
    await expect(card.locator("img")).to_have_count(0)


async def test_ending_access_asks_in_a_dialog(shared: Latchkey, page: Page) -> None:
    product = await shared.product("Dialogued")
    body = {"email": "dialog@admin.example"}
    await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}/members")
    end = page.get_by_role("link", name="End access of dialog@admin.example", exact=True)
    await end.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Billing isn't affected.")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(end).to_be_focused()
    await end.click()
    await dialog.get_by_role("link", name="Cancel", exact=True).click()
    await expect(dialog).to_have_count(0)
    await end.click()
    await follow(dialog.get_by_role("button", name="End access", exact=True))
    await expect(
        page.get_by_text("Access ended. Billing in Stripe hasn't been stopped.", exact=True)
    ).to_be_visible()
    assert not (await shared.access(product, "dialog@admin.example"))["access"]


async def test_impersonation_is_visible_and_can_be_ended(shared: Latchkey, page: Page) -> None:
    product = await shared.product("Seen from inside")
    body = {"email": "inside@admin.example"}
    await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    person = await shared.pool.fetchval("select id from users where email = $1", body["email"])
    await sign_in(page, shared)
    here = f"{shared.url}/admin/users/{person}"
    await page.goto(here)
    await page.get_by_role("link", name="View as this user", exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("You can look, but you can't change anything for them")
    await follow(dialog.get_by_role("button", name="View as this user", exact=True))
    banner = page.get_by_role("note").filter(has_text="viewing the site as inside@admin.example")
    await expect(banner).to_be_visible()
    await expect(page.get_by_role("link", name=re.compile("^Seen from inside"))).to_contain_text(
        "Yours"
    )
    await expect(page.get_by_role("link", name="Admin", exact=True)).to_have_count(0)
    await page.goto(f"{shared.url}/account/settings")
    await page.get_by_label("New email address", exact=True).fill("stolen@admin.example")
    await press(page, "Send me the link")
    await expect(page.get_by_text(re.compile("Only they can change their account"))).to_be_visible()
    await follow(banner.get_by_role("button", name="Stop", exact=True))
    await expect(
        page.get_by_text("You're viewing the site as yourself again.", exact=True)
    ).to_be_visible()
    await expect(page).to_have_url(f"{here}?done=acting-over")
    await expect(banner).to_have_count(0)
    assert (
        await shared.pool.fetchval(
            "select count(*) from email_changes where email = $1", "stolen@admin.example"
        )
        == 0
    )


async def test_an_import_is_followed_live_and_after_a_reload(site: Latchkey, page: Page) -> None:
    stripe_product = await site.stripe.product("Long import")
    price = await site.stripe.price(stripe_product)
    for number in range(3):
        await site.stripe.subscribe(f"live{number}@import.example", price)
    await site.quiet()
    product = await site.product("Long import")
    await site.know(stripe_product)
    await site.stop_worker()
    await sign_in(page, site)
    await site.stripe.past()
    body = {"stripe_product": stripe_product}
    await site.call("PUT", f"/products/{product}/link", 202, json=body)
    here = f"{site.url}/admin/products/{product}"
    async with page.expect_request(re.compile("/stripe/progress$")):
        await page.goto(here)
    state = page.locator("#link-state")
    await expect(state).to_contain_text("Importing")
    await page.reload()
    await expect(state).to_contain_text("Importing")
    polled = await page.context.new_page()
    await polled.route("**/stripe/progress", lambda route: route.abort())
    async with polled.expect_request(re.compile("/stripe/state$")):
        await polled.goto(here)
    await site.start_worker()
    await expect(state).to_contain_text("3 people granted access")
    await expect(polled.locator("#link-state")).to_contain_text("In sync")


async def test_the_feed_is_filtered_and_a_line_opens_in_a_drawer(
    shared: Latchkey, page: Page
) -> None:
    product = await shared.product("Fed")
    for email in ("one@feed.example", "two@feed.example"):
        await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    await sign_in(page, shared)
    await follow(page.get_by_role("link", name="Activity", exact=True))
    search = page.get_by_label("Search", exact=True)
    await search.fill("two@feed.example")
    await press(page, "Filter")
    lines = page.locator("ol.lines > li")
    await expect(lines).to_have_count(2)
    await follow(page.get_by_role("link", name="Access", exact=True))
    await expect(lines).to_have_count(1)
    await lines.get_by_role("link", name="Access granted manually", exact=True).click()
    drawer = page.get_by_role("dialog")
    await expect(drawer).to_contain_text("By an admin")
    await expect(drawer).to_contain_text("two@feed.example")
    await drawer.get_by_role("button", name="Close", exact=True).click()
    await expect(drawer).to_have_count(0)
    await follow(
        page.get_by_role("link", name="Remove filter: Access granted manually", exact=True)
    )
    await follow(page.get_by_role("link", name="Clear all", exact=True))
    await expect(page).to_have_url(f"{shared.url}/admin/activity")


async def test_times_are_in_the_readers_zone(shared: Latchkey, open_page: OpenPage) -> None:
    product = await shared.product("Zoned")
    body = {"email": "zone@admin.example", "until": "2040-01-31T23:30:00Z"}
    await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    for zone, day in (("Asia/Tokyo", "1 February 2040"), ("America/New_York", "31 January 2040")):
        there = await open_page(timezone_id=zone)
        await sign_in(there, shared)
        await there.goto(f"{shared.url}/admin/products/{product}/members")
        row = there.get_by_role("row").filter(has_text="zone@admin.example")
        await expect(row).to_contain_text(f"ends on {day}")
        exact = await row.locator("time").first.get_attribute("title")
        assert exact
        assert "2040" in exact
        await there.goto(f"{shared.url}/admin/products/{product}/grants")
        await expect(there.get_by_text(f"in your time zone, {zone}", exact=True)).to_be_visible()


async def test_the_menu_on_a_phone_without_javascript(
    shared: Latchkey, open_page: OpenPage
) -> None:
    phone = await open_page(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    await sign_in(phone, shared)
    users = phone.get_by_role("link", name="Users", exact=True)
    await expect(users).to_be_hidden()
    await phone.get_by_role("button", name="Menu", exact=True).click()
    await expect(users).to_be_visible()
    await phone.keyboard.press("Escape")
    await expect(users).to_be_hidden()
    await phone.get_by_role("button", name="Menu", exact=True).click()
    await follow(users)
    await expect(phone.get_by_role("heading", name="Users", exact=True)).to_be_visible()
    await phone.get_by_role("button", name="Menu", exact=True).click()
    await expect(users).to_have_attribute("aria-current", "page")
    webhooks = phone.get_by_role("link", name="Webhooks", exact=True)
    await expect(webhooks).to_be_hidden()
    await phone.locator("summary", has_text="Connections").click()
    await follow(webhooks)
    await phone.get_by_role("button", name="Menu", exact=True).click()
    await expect(webhooks).to_have_attribute("aria-current", "page")


async def test_a_colour_reaches_the_buttons(shared: Latchkey, page: Page) -> None:
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/settings/brand")
    button = page.get_by_role("button", name="Save", exact=True)
    for colour, shown in (("#1b7f3b", "rgb(27, 127, 59)"), ("#3d4ed8", "rgb(61, 78, 216)")):
        await page.get_by_label("Colour", exact=True).fill(colour)
        await follow(button)
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        await expect(button).to_have_css("background-color", shown)
