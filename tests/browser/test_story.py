"""The whole story in a browser: link, import, buy, see the product, cancel, see it gone."""

import re
import time

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import Latchkey, until

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_whole_story(site: Latchkey, page: Page) -> None:
    stripe_product = await site.stripe.product("Learn to Sail")
    price = await site.stripe.price(stripe_product, 2900)
    await site.stripe.price(await site.stripe.product("Learn to Row"))
    for number in range(3):
        await site.stripe.subscribe(f"old{number}@story.example", price)
    await site.settled()
    await sign_in(page, site)

    menu = page.get_by_role("list", name="Site", exact=True)
    await follow(menu.get_by_role("link", name="Products", exact=True))
    await follow(page.get_by_role("link", name="Create a product", exact=True))
    await page.get_by_label("Name", exact=True).fill("Sailing course")
    await page.get_by_label(re.compile(r"^\s*Live")).check()
    await page.get_by_label("Content (Markdown)", exact=True).fill(
        "# Welcome aboard\n\nLesson **one**."
    )
    await press(page, "Create product")
    await expect(page.get_by_text("Product created.", exact=True)).to_be_visible()

    await page.get_by_role("link", name="Link to Stripe", exact=True).click()
    await expect(page.get_by_role("row").filter(has_text="Learn to Row")).to_be_visible()
    await page.get_by_label("Search Stripe products", exact=True).fill("sail")
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.get_by_role("row").filter(has_text="Learn to Row")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="Learn to Sail")
    await expect(row.get_by_role("cell").last).to_have_text("3")
    await row.get_by_role("radio").check()
    await page.get_by_role("button", name="Preview who is affected", exact=True).click()
    await expect(page.get_by_text("3 new users", exact=True)).to_be_visible()
    await press(page, "Save and import")
    await expect(
        page.get_by_text("Link saved. The import has started.", exact=True)
    ).to_be_visible()
    await expect(page.locator("#link-state")).to_contain_text("In sync")
    await follow(page.get_by_role("link", name="Members", exact=True))
    await expect(
        page.get_by_role("link", name="old2@story.example", exact=True).first
    ).to_be_visible()
    await follow(page.get_by_role("link", name="Products", exact=True).first)
    await expect(page.get_by_role("img", name="Linked to Stripe", exact=True)).to_be_visible()

    session = await site.stripe.checkout(price, success_url=f"{site.url}/login")
    await page.goto(session["url"])
    await page.get_by_label("Email", exact=True).fill("new@story.example")
    await page.get_by_label("Name", exact=True).fill("Nell New")
    await page.get_by_label("Card number", exact=True).fill("4000000000000002")
    await press(page, "Subscribe")
    await expect(page.get_by_text("Your card was declined.", exact=True)).to_be_visible()
    await page.get_by_label("Card number", exact=True).fill("4242424242424242")
    await press(page, "Subscribe")
    await page.wait_for_url(f"{site.url}/admin")
    product = (await site.call("GET", "/products"))["data"][0]["id"]
    await site.has(product, "new@story.example")
    await site.settled()

    await page.goto(f"{site.url}/admin/activity")
    for words in ("Product purchased", "Subscription started", "Access granted"):
        await expect(
            page.get_by_role("listitem").filter(has_text="new@story.example").filter(has_text=words)
        ).to_have_count(1)
    import_ = page.get_by_role("listitem").filter(has_text="3 people got access by its import")
    await expect(page.get_by_text("old2@story.example", exact=True)).to_have_count(0)
    await follow(import_.get_by_role("link", name="Show who", exact=True))
    await expect(page.get_by_role("listitem").filter(has_text="@story.example")).to_have_count(3)
    await expect(page.get_by_role("link", name="old2@story.example", exact=True)).to_be_visible()
    await follow(page.get_by_role("link", name="Emails", exact=True))
    mine = page.get_by_role("row").filter(has_text="new@story.example")
    await follow(mine.get_by_role("link", name="Product access: Sailing course", exact=True))
    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "You have access to Sailing course"
    )
    link = await page.get_by_role(
        "link", name="Open the link in this email", exact=True
    ).get_attribute("href")
    assert link

    await page.context.clear_cookies()
    await page.goto(link)
    await press(page, "Sign in")
    await expect(page.get_by_role("heading", name="Welcome aboard", exact=True)).to_be_visible()
    await follow(page.get_by_role("link", name="Library", exact=True))
    await expect(page.get_by_text("Yours", exact=True)).to_be_visible()

    subscription = (await site.stripe.get(f"checkout/sessions/{session['id']}"))["subscription"]
    portal = await site.stripe.post(
        "billing_portal/sessions",
        customer=(await site.stripe.get(f"subscriptions/{subscription}"))["customer"],
        return_url=f"{site.url}/library",
    )
    await page.goto(portal["url"])
    await press(page, "Cancel subscription")
    await expect(
        page.get_by_text(
            "Your subscription has been cancelled. It stays active until the period ends.",
            exact=True,
        )
    ).to_be_visible()
    await page.get_by_label("Why did you cancel?", exact=True).select_option("too_expensive")
    await press(page, "Send")
    await follow(page.get_by_role("link", name=re.compile("^Return to")))

    async def ending() -> bool:
        await page.goto(f"{site.url}/library")
        return await page.get_by_text(re.compile("ends on")).count() == 1

    await until(ending, "the library says when it ends")
    found = await site.stripe.get(f"subscriptions/{subscription}")
    left = found["cancel_at"] - int(time.time()) - 4
    await site.stripe.control("clock/advance", seconds=left)
    await site.has(product, "new@story.example", access=False)

    async def noted() -> bool:
        return bool(await site.lines(product=product, type="access_ended"))

    await until(noted, "the end is noted")
    await page.reload()
    await expect(page.get_by_text("Your access has ended", exact=True)).to_be_visible()
    answer = await page.goto(f"{site.url}/products/sailing-course")
    assert answer
    assert answer.status == 403
    await expect(
        page.get_by_text(re.compile("You don't have access to this product."))
    ).to_be_visible()

    await page.context.clear_cookies()
    await page.goto(link)
    await expect(
        page.get_by_text("This link has already been used. Ask for a new one below.", exact=True)
    ).to_be_visible()

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
    await follow(page.get_by_role("button", name=re.compile("^Open a checkout for Knots")))
    await page.get_by_label("Email", exact=True).fill("control@story.example")
    await page.get_by_label("Name", exact=True).fill("Connie Control")
    await press(page, "Subscribe")
    await expect(page.get_by_text("Paid.", exact=True)).to_be_visible()
    await site.has(product, "control@story.example")
    await press(page, "Cancel at period end")
    await expect(page.get_by_text("Done.", exact=True)).to_be_visible()

    async def ends() -> bool:
        return (await site.access(product, "control@story.example"))["until"] is not None

    await until(ends, "the end is known")
    await press(page, "Advance to 10 s before it ends")
    await site.has(product, "control@story.example", access=False)
    await page.goto(f"{site.stripe.url}/")
    await follow(page.get_by_role("button", name="Refund", exact=True).first)
    await expect(page.get_by_text("Refunded.", exact=True)).to_be_visible()


async def test_without_javascript_everything_works(site: Latchkey, open_page: OpenPage) -> None:
    plain = await open_page(java_script_enabled=False)
    stripe_product = await site.stripe.product("Plain")
    await site.stripe.price(stripe_product)
    await site.know(stripe_product)
    await sign_in(plain, site)
    await plain.goto(f"{site.url}/admin/products")
    await follow(plain.get_by_role("link", name="New product", exact=True))
    await plain.get_by_label("Name", exact=True).fill("Plain product")
    await press(plain, "Create product")
    await follow(plain.get_by_role("link", name="Link to Stripe", exact=True))
    await plain.get_by_role("radio", name=re.compile("^Plain")).first.check()
    await press(plain, "Save and import")
    await expect(plain).to_have_url(re.compile(r"/admin/products/[^/]+\?"))

    async def listening() -> bool:
        await plain.reload()
        return await plain.get_by_text(re.compile(r"^\s*In sync since")).count() > 0

    await until(listening, "the page shows the link's state after a reload")
    await follow(plain.get_by_role("link", name="Remove link", exact=True))
    await plain.get_by_role("radio", name=re.compile("^Keep: access lasts")).check()
    await press(plain, "Remove the link")
    await expect(plain.get_by_text("Link removed.", exact=True)).to_be_visible()


async def test_a_link_is_made_with_a_new_stripe_product(site: Latchkey, page: Page) -> None:
    product = await site.product("Night passages")
    await sign_in(page, site)
    await page.goto(f"{site.url}/admin/products/{product}/stripe")
    await page.get_by_label("Amount", exact=True).fill("29,50")
    await page.get_by_label("Currency", exact=True).fill("eur")
    await press(page, "Create and link")
    await expect(page.locator("#link-state")).to_contain_text("In sync")
    await expect(page.locator("#link-state")).to_contain_text("Night passages")
    made = (await site.stripe.get("prices"))["data"][0]
    assert (made["unit_amount"], made["currency"]) == (2950, "eur")
