"""A small course: an owner writes its lessons, and a member goes through them."""

import re

import pytest
from playwright.async_api import FilePayload, Page, expect

from latchkey import signin_links
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.browser.test_member import shot
from tests.harness import SECRETS, Latchkey

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_lessons_are_put_in_order_by_keyboard_and_by_dragging(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    product = await shared.product("Order of knots")
    for title in ("Bowline", "Clove hitch", "Sheet bend", "Reef knot"):
        await shared.call("POST", f"/products/{product}/lessons", 201, json={"title": title})
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}/lessons")
    titles, said = page.locator("tbody td.thing a"), page.locator("[data-order-said]")
    up = page.get_by_role("button", name="Move Sheet bend up", exact=True)
    await up.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(said).to_have_text("Sheet bend: place 1 of 4.")
    await expect(titles).to_have_text(["Sheet bend", "Bowline", "Clove hitch", "Reef knot"])
    await expect(up).to_be_disabled()
    await expect(
        page.get_by_role("button", name="Move Sheet bend down", exact=True)
    ).to_be_focused()

    await dragged(page, "Reef knot", "Bowline")
    await page.mouse.up()
    await expect(said).to_have_text("Reef knot: place 2 of 4.")
    await dragged(page, "Sheet bend", "Clove hitch")
    await page.keyboard.press("Escape")
    await page.mouse.up()
    ordered = ["Sheet bend", "Reef knot", "Bowline", "Clove hitch"]
    await expect(titles).to_have_text(ordered)
    await page.reload()
    await expect(titles).to_have_text(ordered)

    await page.get_by_role("button", name="Move Bowline: arrow keys, or drag", exact=True).focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    ordered = ["Sheet bend", "Bowline", "Reef knot", "Clove hitch"]
    await expect(titles).to_have_text(ordered)
    await expect(said).to_have_text("Bowline: place 2 of 4.")

    await shot(page, "admin-lessons-order")

    away = await open_page(storage_state=await page.context.storage_state())
    await away.goto(page.url)
    await away.context.set_offline(True)
    await dragged(away, "Sheet bend", "Clove hitch")
    await away.mouse.up()
    await expect(away.locator("[data-order-said]")).to_contain_text("nothing was moved")
    await expect(away.locator("tbody td.thing a")).to_have_text(ordered)


async def dragged(page: Page, lesson: str, onto: str) -> None:
    """Take hold of a lesson, and move it to where another one is."""

    async def middle(title: str) -> tuple[float, float]:
        row = page.locator("tbody tr").filter(has_text=title)
        box = await row.locator(".handle").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    start, (x, y) = await middle(lesson), await middle(onto)
    down = 1 if y > start[1] else -1
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(x, y + 5 * down, steps=4)
    row = page.locator("tbody tr").filter(has_text=lesson)
    await expect(row).to_have_class("dragged")


async def test_an_owner_writes_lessons_and_a_member_goes_through_them(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    product = await shared.product("Learn to splice", description="Rope work in three lessons.")
    body = {"email": "splices@member.example"}
    given = await shared.call("POST", f"/products/{product}/grants", 201, json=body)
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}/lessons")
    await follow(page.get_by_role("link", name="Write the first lesson", exact=True))
    for title, days in (("The back splice", "0"), ("The eye splice", "0"), ("Wire rope", "7")):
        await page.get_by_label("Title", exact=True).fill(title)
        await page.get_by_label("Text (Markdown)", exact=True).fill(
            f"## How to\n\nAll about *{title}*."
        )
        await page.get_by_label("Video", exact=True).fill("https://video.example/splice")
        await page.get_by_label("Opens after days", exact=True).fill(days)
        await press(page, "Preview")
        await expect(page.get_by_role("heading", name="How to", exact=True)).to_be_visible()
        await press(page, "Save")
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
        if title != "Wire rope":
            await follow(page.get_by_role("link", name="New lesson", exact=True))
    await shot(page, "admin-lessons")
    await page.get_by_role("button", name="Move The eye splice up", exact=True).click()
    await expect(page.locator("tbody tr").first).to_contain_text("The eye splice")
    await follow(page.get_by_role("link", name="Wire rope", exact=True))
    worksheet: FilePayload = {
        "name": "worksheet.pdf",
        "mimeType": "application/pdf",
        "buffer": b"%PDF-1.7",
    }
    await page.get_by_label("Add a file", exact=True).set_input_files(worksheet)
    await press(page, "Add file")
    await expect(page.locator("#files").get_by_text("worksheet.pdf", exact=True)).to_be_visible()
    await shot(page, "admin-lesson")

    theirs = await open_page(viewport={"width": 320, "height": 800}, java_script_enabled=False)
    token = signin_links.sign(given["user_id"], "splices", secrets=SECRETS)
    await theirs.goto(f"{shared.url}/login/{token}")
    await press(theirs, "Sign in")
    await theirs.goto(f"{shared.url}/products/learn-to-splice")
    await expect(theirs.get_by_text("0 of 3 lessons done", exact=True)).to_be_visible()
    await expect(theirs.get_by_text(re.compile("Opens on .* UTC"))).to_be_visible()
    await shot(theirs, "lessons")
    await follow(theirs.get_by_role("link", name="Start", exact=True))
    await expect(theirs.get_by_role("heading", name="The eye splice", exact=True)).to_be_visible()
    await shot(theirs, "lesson")
    await press(theirs, "Mark as done")
    await expect(theirs.get_by_role("heading", name="The back splice", exact=True)).to_be_visible()
    await follow(theirs.get_by_role("link", name="Library", exact=True).first)
    await expect(theirs.get_by_text("1 of 3 lessons done", exact=True)).to_be_visible()
    await shot(theirs, "library-lessons")
    await follow(theirs.get_by_role("link", name="Continue", exact=True))
    await press(theirs, "Mark as done")
    await expect(theirs.get_by_text(re.compile("The next lesson opens on"))).to_be_visible()
    await shared.pool.execute(
        "update grants set since = since - interval '7 days' where user_id = $1", given["user_id"]
    )
    await theirs.reload()
    await follow(theirs.get_by_role("link", name="Continue", exact=True))
    await expect(theirs.get_by_role("heading", name="Wire rope", exact=True)).to_be_visible()
    await shot(theirs, "lesson-files")
    async with theirs.expect_download() as saved:
        await theirs.get_by_role("link", name="worksheet.pdf", exact=True).click()
    assert (await saved.value).suggested_filename == "worksheet.pdf"
    await press(theirs, "Mark as done")
    await expect(theirs.get_by_text("You've done all lessons.", exact=True)).to_be_visible()
    await shot(theirs, "lessons-done")
