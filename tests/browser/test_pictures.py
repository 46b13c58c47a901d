"""Pictures in a browser: dropped on a form, shown before and after it is sent."""

import base64
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import press, sign_in
from tests.harness import Latchkey
from tests.images import picture

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
