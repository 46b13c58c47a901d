"""A sales page made of blocks, in a browser: written by an owner, read by a visitor."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.browser.test_member import linked, shot
from tests.harness import Latchkey

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_an_owner_builds_a_sales_page_and_a_visitor_reads_it(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    product, stripe_product = await linked(shared, "Learn to row", "From the dock to the regatta.")
    yearly = await shared.stripe.price(stripe_product, 29000, every="year")
    await shared.settled()
    monthly = await shared.pool.fetchval(
        "select id from prices where stripe_product = $1 and id <> $2", stripe_product, yearly
    )
    offers = [
        {"price": monthly, "label": "Monthly"},
        {"price": yearly, "label": "Yearly", "featured": True, "trial_days": 14},
    ]
    await shared.call("PATCH", f"/products/{product}", json={"purchase_method": "sales_page"})
    await shared.call("PUT", f"/products/{product}/prices", json=offers)
    await sign_in(page, shared)
    base = f"{shared.url}/admin/products/{product}/sales-page"
    await page.goto(base)
    await press(page, "Create sales page")
    await page.get_by_role("textbox", name=re.compile("^Headline")).fill("Row with a crew")
    await page.get_by_label(re.compile(r"^\s*Live at")).check()
    await press(page, "Save")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await follow(page.locator(".add-block").get_by_role("link", name=re.compile("^Testimonials")))
    await page.get_by_label("Heading", exact=True).fill("What rowers say")
    first = page.get_by_role("group", name="Testimonial 1", exact=True)
    await first.get_by_label(re.compile("What they say")).fill(
        "I was afraid of water. Now I miss it."
    )
    await first.get_by_label(re.compile("Who says it")).fill("Ines Oar")
    await expect(page.locator("#preview").get_by_text(re.compile("Ines Oar"))).to_be_visible()
    second = page.get_by_role("group", name="Testimonial 2", exact=True)
    await second.get_by_label(re.compile("What they say")).fill("Clear, calm, and funny.")
    await second.get_by_label(re.compile("Who says it")).fill("Paul Stroke")
    await second.get_by_label(re.compile("What they do")).fill("Coxswain")
    await shot(page, "admin-sales-block")
    await press(page, "Save block")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    handle = page.get_by_role("button", name=re.compile("^Move Testimonials .*arrow keys"))
    await handle.focus()
    for place in (3, 2, 1):
        await page.keyboard.press("ArrowUp")
        moved = f"Testimonials “Ines Oar, Paul Stroke”: place {place} of 4."
        await expect(page.locator("[data-order-said]")).to_have_text(moved)
        await expect(handle).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("[data-order-said]")).to_contain_text("can't go further up")
    await page.reload()
    rows = page.locator(".block-list > li")
    await expect(rows.first).to_contain_text("Testimonials")
    up = page.get_by_role("button", name=re.compile("^Move Testimonials .* up$"))
    down = page.get_by_role("button", name=re.compile("^Move Testimonials .* down$"))
    await expect(up).to_be_disabled()
    await down.click()
    await expect(rows.nth(1)).to_contain_text("Testimonials")
    await expect(page.locator("[data-order-said]")).to_contain_text("place 2 of 4")
    await expect(down).to_be_focused()
    grip, last = await handle.bounding_box(), await rows.nth(3).bounding_box()
    assert grip, "it is on the page"
    assert last, "it is on the page"
    await page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    await page.mouse.down()
    await page.mouse.move(last["x"] + 5, last["y"] + last["height"] / 2, steps=12)
    await page.mouse.up()
    await expect(page.locator("[data-order-said]")).to_contain_text("place 4 of 4")
    await expect(rows.nth(3)).to_contain_text("Testimonials")
    framed = page.frame_locator("iframe.phone")
    await expect(framed.get_by_text("Ines Oar", exact=True)).to_be_visible()
    await shot(page, "admin-sales-blocks")

    visitor = await open_page(viewport={"width": 1280, "height": 900}, java_script_enabled=False)
    await visitor.goto(f"{shared.url}/sales/learn-to-row")
    await expect(visitor.get_by_role("heading", name="Row with a crew", exact=True)).to_be_visible()
    cards = visitor.locator(".cards > li")
    await expect(cards).to_have_count(2)
    boxes = [await cards.nth(number).bounding_box() for number in range(2)]
    assert boxes[0], "there are two cards"
    assert boxes[1], "there are two cards"
    assert boxes[0]["y"] == boxes[1]["y"], "side by side"
    await expect(
        visitor.get_by_text(re.compile("Yes, at any time, in your account"))
    ).not_to_be_visible()
    await visitor.get_by_text("Can I cancel?", exact=True).click()
    await expect(
        visitor.get_by_text(re.compile("Yes, at any time, in your account"))
    ).to_be_visible()
    await shot(visitor, "sales-blocks")
    await visitor.set_viewport_size({"width": 320, "height": 700})
    boxes = [await cards.nth(number).bounding_box() for number in range(2)]
    assert boxes[0], "there are two cards"
    assert boxes[1], "there are two cards"
    assert boxes[0]["y"] < boxes[1]["y"], "one below the other"
    await cards.nth(1).get_by_role("link", name=re.compile("^Subscribe")).click()
    await expect(visitor).to_have_url(re.compile(re.escape(shared.stripe.url)))
