"""Moving in from another system in a browser, with and without JavaScript."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import Latchkey, until

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
async def admin(open_page: OpenPage, request: pytest.FixtureRequest) -> Page:
    """A page with and without JavaScript."""
    return await open_page(
        java_script_enabled=request.param, viewport={"width": 320, "height": 720}
    )


async def test_from_the_file_to_the_welcome_emails(
    shared: Latchkey, admin: Page, request: pytest.FixtureRequest
) -> None:
    scripts = "no scripts" not in request.node.name
    name = "with" if scripts else "without"
    product = await shared.product(f"Moved in {name} scripts")
    await sign_in(admin, shared)
    await admin.goto(f"{shared.url}/admin/users")
    await follow(admin.get_by_role("link", name="Import", exact=True))
    await admin.get_by_label(re.compile("CSV file")).set_input_files(
        {
            "name": "memberful.csv",
            "mimeType": "text/csv",
            "buffer": (
                "Full Name,Email,Memberful ID,Plan,Expiration date\n"
                f"Ida,ida@{name}.example,1,Yearly,03/04/2031\n"
                f"Jo,jo@{name}.example,2,Yearly,\n"
            ).encode(),
        }
    )
    await press(admin, "Continue")
    await expect(
        admin.get_by_text(re.compile("This looks like an export of Memberful"))
    ).to_be_visible()
    await admin.get_by_label(re.compile("Dates such as 03/04/2027")).select_option("day_first")
    await press(admin, "Continue")
    await admin.get_by_label(re.compile("Product for Yearly")).select_option(product)
    await press(admin, "Preview")
    await shows(admin, "Nothing is imported yet.", scripts=scripts)
    await expect(admin.get_by_text(re.compile("3 Apr 2031"))).to_be_visible()
    await press(admin, "Import 2 people")
    await shows(admin, "Nobody was emailed.", scripts=scripts)
    await shared.has(product, f"ida@{name}.example")
    await press(admin, "Send the welcome email to 2 people")
    await shows(admin, "The welcome email was queued for 2 people.", scripts=scripts)
    await follow(admin.get_by_role("link", name=re.compile("Get complimentary access")))
    await expect(admin.get_by_role("link", name=f"jo@{name}.example", exact=True)).to_be_visible()


async def shows(page: Page, words: str, *, scripts: bool) -> None:
    """Wait until the import has got there: by itself or, without JavaScript, by its link."""
    if scripts:
        await expect(page.get_by_text(re.compile(re.escape(words)))).to_be_visible()
        return

    async def there() -> bool:
        if await page.get_by_text(re.compile(re.escape(words))).count():
            return True
        again = page.get_by_role("link", name="See how far it is", exact=True)
        await follow(again)
        return False

    await until(there, f"the page shows “{words}”")
