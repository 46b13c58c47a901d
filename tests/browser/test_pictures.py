"""Pictures in a browser: dropped on a form, shown before and after it is sent."""

import base64
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import press, sign_in
from tests.harness import Latchkey
from tests.images import picture
from tests.web.pages import visit
from tests.web.test_sales_pages import add, started

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

DROP = """
([field, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], "boat.png", { type: "image/png" }));
  for (const kind of ["dragover", "drop"]) {
    field.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer }));
  }
}
"""


async def test_a_picture_is_dropped_seen_and_saved(shared: Latchkey, page: Page) -> None:
    product = await shared.product("With a dropped picture")
    await sign_in(page, shared)
    await page.goto(f"{shared.url}/admin/products/{product}")
    field = page.locator(".upload")
    raw = base64.b64encode(picture(size=(960, 540), colour=(20, 110, 160))).decode()
    await page.evaluate(DROP, [await field.element_handle(), raw])
    chosen = field.get_by_role("img", name="Chosen: boat.png", exact=True)
    await expect(chosen).to_have_js_property("naturalWidth", 960)
    await press(page, "Save")
    present = field.get_by_role("img", name="Present picture", exact=True)
    await expect(present).to_have_js_property("complete", True)
    await expect(present).to_have_attribute(
        "src", re.compile(r"^/pictures/[0-9a-f]{64}-960\.webp$")
    )
    card = page.locator(".tile img")
    await expect(card).to_have_js_property("complete", True)
    await field.get_by_label(re.compile("Remove this picture")).check()
    await press(page, "Save")
    await expect(present).to_have_count(0)


async def test_a_picture_of_a_sales_page_keeps_its_shape(shared: Latchkey, page: Page) -> None:
    shapes = {"tall": (600, 1200), "wide": (1200, 400), "small": (80, 60)}

    async def give(route: Route) -> None:
        size = shapes[route.request.url.rpartition("/")[2].removesuffix(".png")]
        await route.fulfill(
            body=picture(size=size, colour=(20, 110, 160)), content_type="image/png"
        )

    await page.route("https://shapes.example/*", give)
    async with visit(shared) as admin:
        await admin.sign_in()
        base, address = await started(shared, admin, "Shapes of pictures")
        for name in shapes:
            await add(admin, base, "picture", image_url=f"https://shapes.example/{name}.png")
    for width in (320, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{shared.url}{address}")
        for name, (wide, high) in shapes.items():
            image = page.locator(f".shot img[src$='/{name}.png']")
            await expect(image).to_have_js_property("complete", True)
            box = await image.bounding_box()
            assert box is not None
            assert box["width"] / box["height"] == pytest.approx(wide / high, rel=0.02), name
            assert box["width"] <= width
            assert box["height"] <= 512 + 1, "it fits on a screen"
            assert box["x"] + box["width"] / 2 == pytest.approx(width / 2, abs=9), "in the middle"
