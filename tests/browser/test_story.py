"""The whole story in a browser: link, import, buy, see the product, cancel, see it gone."""

import re
import time

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.harness import Latchkey, until

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_whole_story(site: Latchkey, page: Page) -> None:
    stripe_product = await site.stripe.product("Learn to Sail")
    price = await site.stripe.price(stripe_product, 2900)
    for number in range(3):
        await site.stripe.subscribe(f"old{number}@story.example", price)
    await sign_in(page, site)

    await page.get_by_role("link", name="Products", exact=True).click()
    await page.get_by_role("link", name="Create a product").click()
    await page.get_by_label("Name").fill("Sailing course")
    await page.get_by_label("Live").check()
    await page.get_by_label("Content (Markdown)").fill("# Welcome aboard\n\nLesson **one**.")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("Product created.")).to_be_visible()

    await page.get_by_role("link", name="Link to Stripe").click()
    await page.get_by_label("Search Stripe products").fill("sail")
    await page.get_by_role("button", name="Search").click()
    row = page.get_by_role("row").filter(has_text="Learn to Sail")
    await expect(row.get_by_role("cell").last).to_have_text("3")
    await row.get_by_role("radio").check()
    await page.get_by_role("button", name="Preview who is affected").click()
    await expect(page.get_by_text("3 new users")).to_be_visible()
    await page.get_by_role("button", name="Save and import").click()
    await expect(page.get_by_text("Link saved")).to_be_visible()
    await expect(page.locator("#link-state")).to_contain_text("In sync")
    await page.get_by_role("link", name="Members", exact=True).click()
    await expect(page.get_by_role("link", name="old2@story.example").first).to_be_visible()
    await page.get_by_role("link", name="Products", exact=True).first.click()
    await expect(page.get_by_role("img", name="Linked to Stripe")).to_be_visible()

    session = await site.stripe.checkout(price, success_url=f"{site.url}/login")
    await page.goto(session["url"])
    await page.get_by_label("Email").fill("new@story.example")
    await page.get_by_label("Name").fill("Nell New")
    await page.get_by_label("Card number").fill("4000000000000002")
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_text("Your card was declined.")).to_be_visible()
    await page.get_by_label("Card number").fill("4242424242424242")
    await page.get_by_role("button", name="Subscribe").click()
    await page.wait_for_url(f"{site.url}/admin")
    product = (await site.call("GET", "/products"))["data"][0]["id"]
    await site.has(product, "new@story.example")

    await page.goto(f"{site.url}/admin/activity")
    for words in ("Product purchased", "Subscription started", "Access granted"):
        await expect(
            page.get_by_role("listitem").filter(has_text="new@story.example").filter(has_text=words)
        ).to_have_count(1)
    await page.get_by_role("link", name="Emails").click()
    mine = page.get_by_role("row").filter(has_text="new@story.example")
    await mine.get_by_role("link", name="Product access").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "You have access to Sailing course"
    )
    link = await page.get_by_role("link", name="Open the link").get_attribute("href")
    assert link

    await page.context.clear_cookies()
    await page.goto(link)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Welcome aboard")).to_be_visible()
    await page.get_by_role("link", name="Library").click()
    await expect(page.get_by_text("Yours")).to_be_visible()

    subscription = (await site.stripe.get(f"checkout/sessions/{session['id']}"))["subscription"]
    portal = await site.stripe.post(
        "billing_portal/sessions",
        customer=(await site.stripe.get(f"subscriptions/{subscription}"))["customer"],
        return_url=f"{site.url}/library",
    )
    await page.goto(portal["url"])
    await page.get_by_role("button", name="Cancel subscription").click()
    await expect(page.get_by_text("Your subscription has been cancelled")).to_be_visible()
    await page.get_by_label("Why did you cancel?").select_option("too_expensive")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("link", name=re.compile("^Return to")).click()

    async def ending() -> bool:
        await page.goto(f"{site.url}/library")
        return await page.get_by_text("Ends").count() == 1

    await until(ending, "the library says when it ends")
    found = await site.stripe.get(f"subscriptions/{subscription}")
    left = found["cancel_at"] - int(time.time()) - 4
    await site.stripe.control("clock/advance", seconds=left)
    await site.has(product, "new@story.example", access=False)
    await page.reload()
    await expect(page.get_by_text("Your access has ended")).to_be_visible()
    answer = await page.goto(f"{site.url}/products/sailing-course")
    assert answer
    assert answer.status == 403
    await expect(page.get_by_text("You don't have access to this product.")).to_be_visible()

    await page.context.clear_cookies()
    await page.goto(link)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("This link has already been used.")).to_be_visible()

    await sign_in(page, site)
    await page.goto(f"{site.url}/admin/activity?type=subscription_cancelled&type=access_ended")
    mine = page.get_by_role("listitem").filter(has_text="new@story.example")
    await expect(mine.filter(has_text="Subscription cancelled")).to_have_count(1)
    await expect(mine.filter(has_text="Access ended")).to_have_count(1)


async def test_the_control_page_cancels_refunds_and_moves_time(site: Latchkey, page: Page) -> None:
    stripe_product = await site.stripe.product("Knots")
    await site.stripe.price(stripe_product)
    product = await site.product("Knots")
    await site.link(product, stripe_product)
    await page.goto(f"{site.stripe.url}/")
    await page.get_by_role("button", name=re.compile("^Open a checkout for Knots")).click()
    await page.get_by_label("Email").fill("control@story.example")
    await page.get_by_label("Name").fill("Connie Control")
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_text("Paid.")).to_be_visible()
    await site.has(product, "control@story.example")
    await page.get_by_role("button", name="Cancel at period end").click()
    await expect(page.get_by_text("Done.")).to_be_visible()

    async def ends() -> bool:
        return (await site.access(product, "control@story.example"))["until"] is not None

    await until(ends, "the end is known")
    await page.get_by_role("button", name="Advance to 10 s before it ends").click()
    await site.has(product, "control@story.example", access=False)
    await page.goto(f"{site.stripe.url}/")
    await page.get_by_role("button", name="Refund").first.click()
    await expect(page.get_by_text("Refunded.")).to_be_visible()


async def test_without_javascript_everything_works(site: Latchkey, page: Page) -> None:
    context = await page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    plain = await context.new_page()
    stripe_product = await site.stripe.product("Plain")
    await site.stripe.price(stripe_product)
    await sign_in(plain, site)
    await plain.goto(f"{site.url}/admin/products")
    await plain.get_by_role("link", name="New product").click()
    await plain.get_by_label("Name").fill("Plain product")
    await plain.get_by_role("button", name="Create").click()
    await plain.get_by_role("link", name="Link to Stripe").click()
    await plain.get_by_role("radio", name="Plain").first.check()
    async with plain.expect_navigation(url=re.compile(r"/admin/products/[^/]+\?")):
        await plain.get_by_role("button", name="Save and import").click()

    async def listening() -> bool:
        await plain.reload()
        return await plain.get_by_text("In sync since").count() > 0

    await until(listening, "the page shows the link's state after a reload")
    await plain.get_by_role("link", name="Remove link").click()
    await plain.get_by_role("radio", name="Keep: access lasts").check()
    await plain.get_by_role("button", name="Remove the link").click()
    await expect(plain.get_by_text("Link removed.")).to_be_visible()
    await context.close()


async def test_a_link_is_made_with_a_new_stripe_product(site: Latchkey, page: Page) -> None:
    product = await site.product("Night passages")
    await sign_in(page, site)
    await page.goto(f"{site.url}/admin/products/{product}/stripe")
    await page.get_by_label("Amount").fill("29,50")
    await page.get_by_label("Currency").fill("eur")
    await page.get_by_role("button", name="Create and link").click()
    await expect(page.locator("#link-state")).to_contain_text("In sync")
    await expect(page.locator("#link-state")).to_contain_text("Night passages")
    made = (await site.stripe.get("prices"))["data"][0]
    assert (made["unit_amount"], made["currency"]) == (2950, "eur")
