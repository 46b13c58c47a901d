"""The first hour: from the set-up link to a purchase that comes through, without a terminal."""

import re

import pytest
from aiosmtpd.controller import Controller
from playwright.async_api import Page, expect

from latchkey import signin_links
from tests.browser.conftest import OpenPage, follow, press
from tests.browser.test_member import shot
from tests.browser.test_passkeys import plug_in
from tests.harness import (
    KEY,
    SECRETS,
    Latchkey,
    Stripe,
    free_port,
    prepare_latchkey,
    run_latchkey,
    until,
)
from tests.life.test_bad_input import AREAS
from tests.life.test_mail import Inbox
from tests.web.test_setup import NOBODY

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def set_up(page: Page, url: str) -> None:
    await page.goto(url)
    await shot(page, "setup")
    await page.get_by_label("Name", exact=True).fill("Harbour Club")
    await page.get_by_label("Email", exact=True).fill("ada@harbour.example")
    await page.get_by_label("Password", exact=True).fill("short")
    await page.get_by_label("The password again", exact=True).fill("short")
    await press(page, "Set up the site")
    await expect(page.locator("#password-error")).to_contain_text("12 to 200 characters")
    await expect(page.get_by_label("Email", exact=True)).to_have_value("ada@harbour.example")
    await page.get_by_label("Password", exact=True).fill("seven wet otters")
    await page.get_by_label("The password again", exact=True).fill("seven wet otters")
    await press(page, "Set up the site")
    await expect(
        page.get_by_text("Welcome. Your site is set up; the next steps are below.", exact=True)
    ).to_be_visible()


async def enter_mail(page: Page, port: int) -> None:
    await page.get_by_label("Host", exact=True).fill("127.0.0.1")
    await page.get_by_label("Port", exact=True).fill(str(free_port()))
    await press(page, "Test and save")
    await expect(page.get_by_role("alert")).to_contain_text("Nothing answers at 127.0.0.1")
    await expect(page.get_by_label("Host", exact=True)).to_have_value("127.0.0.1")
    await shot(page, "setup-mail")
    await page.get_by_label("Port", exact=True).fill(str(port))
    await press(page, "Test and save")
    await expect(
        page.get_by_text("The test email was accepted, and the mail server is saved.", exact=True)
    ).to_be_visible()


async def sell_and_buy(site: Latchkey, page: Page, open_page: OpenPage) -> None:
    """A product with a Stripe product of its own, sold here, and bought by somebody else."""
    await follow(page.get_by_role("link", name="Next: Link your first product", exact=True))
    await follow(page.get_by_role("link", name="Create a product", exact=True))
    await page.get_by_label("Name", exact=True).fill("Tide tables")
    await page.get_by_role("radio", name=re.compile("^Live")).check()
    await press(page, "Create product")
    await page.goto(f"{site.url}/admin/first-steps")
    await follow(page.get_by_role("link", name="Link to Stripe", exact=True))
    await page.get_by_role("link", name="Link to Stripe", exact=True).click()
    await page.get_by_label("Amount", exact=True).fill("29.00")
    await press(page, "Create and link")

    async def linked() -> bool:
        return bool(await site.pool.fetchval("select state = 'listening' from links"))

    await until(linked, "the product is linked")
    await page.reload()
    await follow(page.get_by_role("link", name="Next: See it as a buyer", exact=True))
    await follow(page.get_by_role("link", name="Choose how it's sold", exact=True))
    await page.get_by_label("Straight to the checkout", exact=True).check()
    await page.get_by_label(re.compile("Sell with Stripe Checkout")).check()
    await page.get_by_label("$29.00 every month", exact=True).first.check()
    await press(page, "Save")
    await follow(page.get_by_role("link", name="Back to the first steps", exact=True))
    address = await page.get_by_role(
        "link", name="Open the buyer's address", exact=True
    ).get_attribute("href")
    buyer = await open_page(java_script_enabled=False)
    await buyer.goto(f"{site.url}{address}")
    await buyer.get_by_label("Email", exact=True).fill("grace@buyers.example")
    await buyer.get_by_label("Name", exact=True).fill("Grace")
    await buyer.get_by_label("Card number", exact=True).fill("4242424242424242")
    await follow(buyer.get_by_role("button", name="Subscribe", exact=True))
    await expect(page.get_by_text("5 of 6 done", exact=True)).to_be_visible()
    await follow(page.get_by_role("link", name="Next: Go live", exact=True))
    await follow(page.get_by_role("link", name="Go-live checklist", exact=True).last)


async def test_the_first_hour_needs_no_terminal(
    dsn: str, temporal_address: str, stripe: Stripe, page: Page, open_page: OpenPage
) -> None:
    """Without JavaScript on a phone for the form; the rest with both."""
    inbox, port = Inbox(), free_port()
    lacking = dict.fromkeys(AREAS, "write") | {"subscriptions": "none", "products": "read"}
    await stripe.control("keys", key="rk_test_lacking", permissions=lacking)
    mail = Controller(inbox, hostname="127.0.0.1", port=port)
    mail.start()
    try:
        async with run_latchkey(
            dsn, temporal_address, stripe, STRIPE_SECRET_KEY=None, **NOBODY
        ) as site:
            link = f"{site.url}/setup/{signin_links.sign_setup(site.url, secrets=SECRETS)}"
            phone = await open_page(
                viewport={"width": 320, "height": 640}, java_script_enabled=False
            )
            await phone.goto(link)
            await expect(
                phone.get_by_role("heading", name="Set up your site", exact=True)
            ).to_be_visible()
            await set_up(page, link)
            await phone.reload()
            await expect(
                phone.get_by_text("It has an owner, so this link no longer works.", exact=True)
            ).to_be_visible()

            await follow(page.get_by_role("link", name="Set up the mail server", exact=True))
            await enter_mail(page, port)
            assert inbox.mails[-1]["To"] == "ada@harbour.example"
            assert "Harbour Club" in inbox.mails[-1]["Subject"]

            await follow(page.get_by_role("link", name="Next: Connect Stripe", exact=True))
            await follow(page.get_by_role("link", name="Connect Stripe", exact=True).first)
            await shot(page, "setup-stripe")
            await page.get_by_label("Secret or restricted key", exact=True).fill("rk_test_lacking")
            await press(page, "Check and connect")
            await expect(
                page.get_by_text("The key is missing permissions.", exact=True)
            ).to_be_visible()
            await shot(page, "setup-permissions")
            await page.get_by_label("Secret or restricted key", exact=True).fill(KEY)
            await press(page, "Check and connect")
            card = page.get_by_role("region", name=re.compile("^Stripe"))
            await expect(card).to_contain_text("Registered")
            await follow(page.get_by_role("link", name="Next: Receive an event", exact=True))
            await press(page, "Send a test event")
            await expect(
                page.get_by_text("The test event has arrived.", exact=True)
            ).to_be_visible()
            await expect(page.get_by_text("3 of 6 done", exact=True)).to_be_visible()
            await shot(page, "first-steps")
            await sell_and_buy(site, page, open_page)
            await page.goto(f"{site.url}/admin/go-live")
            for step in ("mail", "key", "webhook", "product", "purchase"):
                await expect(page.locator(f"#{step}")).to_contain_text("Done")
            for step in ("https", "secret", "mode"):
                await expect(page.locator(f"#{step}")).to_contain_text("To do")
            await shot(page, "go-live")
            await press(page, "I keep a copy")
            await expect(page.locator("#secret")).to_contain_text("Done")
    finally:
        mail.stop()


async def test_an_owner_begins_with_a_passkey(
    dsn: str, temporal_address: str, stripe: Stripe, page: Page, open_page: OpenPage
) -> None:
    """At a name for which browsers offer passkeys; 127.0.0.1 isn't one."""
    port = free_port()
    url = f"http://localhost:{port}"
    given = NOBODY | {"LATCHKEY_PORT": port, "LATCHKEY_PUBLIC_URL": url}
    async with prepare_latchkey(dsn, temporal_address, stripe, **given) as site:
        await site.start_web()
        try:
            link = f"{url}/setup/{signin_links.sign_setup(url, secrets=SECRETS)}"
            plain = await open_page(
                viewport={"width": 320, "height": 640}, java_script_enabled=False
            )
            await plain.goto(f"{link}?with=passkey")
            await plain.get_by_label("Email", exact=True).fill("ada@harbour.example")
            await press(plain, "Create a passkey and set up the site")
            await expect(plain.get_by_text(re.compile("which takes JavaScript"))).to_be_visible()

            device = await plug_in(page)
            await page.goto(link)
            await follow(page.get_by_role("link", name="Use a passkey instead", exact=True))
            await page.get_by_label("Name", exact=True).fill(" ")
            await page.get_by_label("Email", exact=True).fill("ada@harbour.example")
            await press(page, "Create a passkey and set up the site")
            await expect(
                page.get_by_text("Nothing was saved. See below.", exact=True)
            ).to_be_visible()
            assert await device.credentials() == []
            await shot(page, "setup-passkey")
            await page.get_by_label("Name", exact=True).fill("Harbour Club")
            await press(page, "Create a passkey and set up the site")
            await expect(
                page.get_by_text(
                    "Welcome. Your site is set up; the next steps are below.", exact=True
                )
            ).to_be_visible()
            warning = page.get_by_text(
                re.compile(r"^\s*Your passkey is the only way into your account")
            )
            await expect(warning).to_be_visible()
            assert await site.pool.fetchval("select password_hash is null from users")

            await follow(page.get_by_role("link", name="create recovery codes", exact=True))
            await press(page, "Create recovery codes")
            await expect(page.locator("#codes")).to_contain_text("-")
            await page.goto(f"{url}/admin")
            await expect(warning).to_be_visible()
            await site.pool.execute(
                "insert into passkeys (user_id, name, credential_id, public_key, sign_count)"
                " select id, 'Second', 'x', 'x', 0 from users"
            )
            await page.reload()
            await expect(warning).to_have_count(0)
            await follow(page.get_by_role("button", name="Sign out", exact=True))
            await page.goto(f"{url}/login?next=/admin")
            await press(page, "Sign in with a passkey")
            await expect(page).to_have_url(f"{url}/admin")
        finally:
            await site.stop_web()
