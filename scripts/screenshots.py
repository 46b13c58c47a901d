"""Take the screenshots for the docs, from a `latchkey up` with its seeded shop.

LATCHKEY_ADMIN_PASSWORD=… LATCHKEY_API_TOKEN=… latchkey up
LATCHKEY_ADMIN_PASSWORD=… LATCHKEY_API_TOKEN=… python -m scripts.screenshots
"""

import asyncio
import os
import time
from pathlib import Path

import httpx
from playwright.async_api import Page, async_playwright

from latchkey.settings import load_settings
from tests.browser.install import find

TARGET = Path(__file__).parents[1] / "docs" / "images"
CONTENT = "# Welcome\n\nThe first lesson is *how to begin*.\n\n- Hoist\n- Trim\n- Enjoy"


def link(client: httpx.Client) -> str:
    """A live product linked to the shop's most subscribed Stripe product, imported."""
    found = client.get("stripe/products", params={"refresh": "true"}).json()["data"]
    best = max(found, key=lambda one: one["active_subscriptions"] or 0)
    given = {"name": best["name"], "status": "live", "content": CONTENT}
    product: str = client.post("products", json=given).raise_for_status().json()["id"]
    body = {"stripe_product": best["id"], "mail": "send"}
    client.put(f"products/{product}/link", json=body).raise_for_status()
    deadline = time.monotonic() + 60
    while client.get(f"products/{product}/link").json()["state"] != "listening":
        if time.monotonic() > deadline:
            raise SystemExit("the import did not finish")
        time.sleep(0.2)
    while not client.get("metrics").json()["total"]["mrr"]:
        if time.monotonic() > deadline + 60:
            raise SystemExit("the figures weren't counted")
        time.sleep(1)
    return product


async def shoot(page: Page, url: str, name: str) -> None:
    await page.goto(url)
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=TARGET / f"{name}.png")


async def main() -> None:
    """Link a product, then visit the pages."""
    settings = load_settings()
    if settings.api_token is None or settings.admin_password is None:
        raise SystemExit("give LATCHKEY_API_TOKEN and LATCHKEY_ADMIN_PASSWORD as for `latchkey up`")
    site = settings.public_url
    headers = {"Authorization": f"Bearer {settings.api_token.get_secret_value()}"}
    with httpx.Client(base_url=f"{site}/api/v1/", headers=headers, timeout=30) as client:
        product = link(client)
    TARGET.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = await chromium.new_page(viewport={"width": 1280, "height": 860})
        await page.goto(f"{site}/login")
        form = page.locator("form[action='/login']")
        await form.get_by_label("Email").fill(settings.admin_email or "admin@localhost")
        await form.get_by_label("Password").fill(settings.admin_password.get_secret_value())
        await form.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/admin")
        for path, name in (
            ("/admin", "dashboard"),
            (f"/admin/products/{product}/members", "product"),
            ("/admin/numbers", "numbers"),
            ("/admin/at-risk", "at-risk"),
            ("/admin/cancellations", "cancellations"),
        ):
            await shoot(page, f"{site}{path}", name)
        await page.goto(f"{site}/admin")
        await page.keyboard.press("Control+k")
        await page.get_by_role("combobox").fill("ma")
        await page.get_by_role("option").filter(has_text="@").first.wait_for()
        await page.screenshot(path=TARGET / "search.png")
        await page.goto(f"{site}/admin/products/{product}")
        await page.get_by_role("link", name="Configure").click()
        await page.get_by_role("dialog").wait_for()
        await page.screenshot(path=TARGET / "stripe-settings.png")
        sandbox = os.environ.get("STRIPE_API_BASE", f"http://127.0.0.1:{settings.sandbox_port}")
        await shoot(page, sandbox, "sandbox")
        await chromium.close()


if __name__ == "__main__":
    asyncio.run(main())
