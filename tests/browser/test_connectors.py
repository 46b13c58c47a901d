"""Connecting Stripe with a typed key, disconnecting it, turning the customer portal off and on."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.browser.test_crawl import as_user
from tests.harness import KEY, Latchkey, Stripe, run_latchkey
from tests.life.test_bad_input import AREAS
from tests.web.pages import user

WRITTEN = {
    "billing_portal": "customer_portal",
    "checkout": "checkout_session",
    "payment_links": "payment_links",
    "prices": "plan",
    "products": "product",
    "webhook_endpoints": "webhook",
}
"""Areas that Latchkey writes to, and what Stripe's permissions call them."""

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def enter(page: Page, key: str) -> None:
    await page.get_by_label("Secret or restricted key", exact=True).fill(key)
    await press(page, "Check and connect")


async def test_a_typed_key_is_checked_and_connects(
    dsn: str, temporal_address: str, stripe: Stripe, page: Page
) -> None:
    """A wrong prefix, a refused key, a key that lacks permissions, a key with all permissions."""
    lacking = dict.fromkeys(AREAS, "write") | {"subscriptions": "none"}
    lacking |= dict.fromkeys(WRITTEN, "read")
    await stripe.control("keys", key="rk_test_lacking", permissions=lacking)
    unset = {"STRIPE_SECRET_KEY": None}
    async with run_latchkey(dsn, temporal_address, stripe, **unset) as site:
        product = await site.product("Before Stripe")
        await sign_in(page, site)
        await expect(
            page.get_by_role("link", name="Connect Stripe", exact=True).first
        ).to_be_visible()
        await page.goto(f"{site.url}/admin/products/{product}")
        await expect(page.get_by_role("link", name="Link to Stripe", exact=True)).to_have_count(0)
        await page.goto(f"{site.url}/admin/connectors")
        card = page.get_by_role("region", name=re.compile("^Stripe"))
        await expect(card).to_contain_text("Not connected")

        for wrong in ("pk_test_4242", "nonsense"):
            await enter(page, wrong)
            await expect(
                page.get_by_label("Secret or restricted key", exact=True)
            ).to_have_attribute("aria-invalid", "true")
            await expect(page.locator("#key-error")).to_contain_text("start with sk_ or rk_")
            assert wrong not in await page.content()
        await expect(card).to_contain_text("Not connected")

        await enter(page, "sk_live_of_somebody_else")
        await expect(page.locator("#in_clear-error")).to_contain_text("to https addresses only")
        assert "somebody_else" not in await page.content()
        await expect(card).to_contain_text("Not connected")
        await page.get_by_label(re.compile("Connect in live mode all the same")).check()
        await enter(page, "sk_live_of_somebody_else")
        await expect(card).to_contain_text("Key rejected")
        await expect(card).to_contain_text("Stripe refused the key: ")

        await enter(page, "rk_test_lacking")
        await expect(card).to_contain_text("The key is missing permissions.")
        missing = card.get_by_role("listitem")
        await expect(missing).to_have_count(1 + len(WRITTEN))
        subscriptions = missing.filter(has_text="Subscriptions: read, for access and its end.")
        await expect(subscriptions).to_contain_text("Stripe says: “The provided key does not have")
        await expect(subscriptions).to_contain_text("rak_subscription_read")
        for slug in WRITTEN.values():
            await expect(missing.filter(has_text=f"rak_{slug}_write")).to_have_count(1)
        created = ("product", "price", "payment_link", "checkout.session", "webhook_endpoint")
        assert not [kind for kind in created if len(stripe.box.shop.world.table(kind).values())]
        assert stripe.problems() == []

        for mode, path in (("live", "/apikeys/create?"), ("test", "/test/apikeys/create?")):
            link = page.get_by_role("link", name=f"Create a {mode} key in Stripe", exact=True)
            await expect(link).to_have_attribute("href", re.compile(re.escape(f".com{path}name=")))

        await enter(page, KEY)
        await expect(card).to_contain_text("Connected")
        await expect(card).not_to_contain_text("missing permissions")
        await expect(card).to_contain_text("Test mode")
        await expect(card).to_contain_text("acct_")
        await expect(card).to_contain_text("Registered")
        await expect(card).to_contain_text("none yet")
        assert KEY not in await page.content()

        stripe_product = await stripe.product("Connected")
        price = await stripe.price(stripe_product)
        await site.link(product, stripe_product)
        await stripe.buy("typed@connect.example", price)
        await site.has(product, "typed@connect.example")
        await page.reload()
        await expect(card).not_to_contain_text("none yet")

        await enter(page, "rk_live_by_mistake")
        await expect(page.locator("#other_mode-error")).to_contain_text("This is a live key, but")
        assert "by_mistake" not in await page.content()
        await expect(card).to_contain_text("Connected")
        await page.get_by_label(
            re.compile(r"^\s*Change the mode of this site all the same")
        ).check()
        await enter(page, "rk_live_by_mistake")
        await expect(card).to_contain_text("Connected")
        await page.get_by_label(re.compile("Connect in live mode all the same")).check()
        await enter(page, "rk_live_by_mistake")
        await expect(card).to_contain_text("Key rejected")
        await enter(page, KEY)
        await expect(card).to_contain_text("Connected")

        await expect(card).not_to_contain_text("linked in another account")
        await site.pool.execute(
            "insert into links (product_id, account_id, livemode, stripe_product, state)"
            " values ($1, 'acct_elsewhere', true, 'prod_elsewhere', 'listening')",
            await site.product("Linked elsewhere"),
        )
        await page.reload()
        await expect(card).to_contain_text("linked in another account or mode")
        await expect(card).to_contain_text("1 product in acct_elsewhere in live mode")


async def test_disconnecting_keeps_access_and_stops_listening(
    dsn: str, temporal_address: str, stripe: Stripe, page: Page
) -> None:
    unset = {"STRIPE_SECRET_KEY": None}
    async with run_latchkey(dsn, temporal_address, stripe, **unset) as site:
        await sign_in(page, site)
        await page.goto(f"{site.url}/admin/connectors")
        await enter(page, KEY)
        card = page.get_by_role("region", name=re.compile("^Stripe"))
        await expect(card).to_contain_text("Registered")
        stripe_product = await stripe.product("Kept")
        price = await stripe.price(stripe_product)
        product = await site.product("Kept")
        await site.link(product, stripe_product)
        await stripe.buy("kept@connect.example", price)
        await site.has(product, "kept@connect.example")

        await page.goto(f"{site.url}/admin/connectors")
        await page.get_by_role("link", name="Disconnect", exact=True).click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Stays: everyone's access as it is now")
        await expect(dialog).to_contain_text("Stops: new purchases don't give access")
        await dialog.get_by_role("link", name="Stay connected", exact=True).click()
        await expect(dialog).to_have_count(0)
        await expect(card).to_contain_text("Connected")
        await page.get_by_role("link", name="Disconnect", exact=True).click()
        await follow(dialog.get_by_role("button", name="Disconnect", exact=True))
        await expect(
            page.get_by_text(
                "Stripe disconnected. Access that was already granted stays.", exact=True
            )
        ).to_be_visible()
        await expect(card).to_contain_text("Not connected")
        await expect(page.get_by_role("heading", name="Customer portal", exact=True)).to_have_count(
            0
        )
        kept = await site.pool.fetchrow("select * from stripe_connection")
        assert kept is not None
        assert kept["key_encrypted"] is kept["secrets_encrypted"] is None

        await stripe.buy("late@connect.example", price)
        await stripe.delivered()
        assert (await site.access(product, "kept@connect.example"))["access"]
        assert not (await site.access(product, "late@connect.example"))["access"]

        await enter(page, KEY)
        await expect(card).to_contain_text("Registered")
        assert (await site.access(product, "kept@connect.example"))["access"]
        await stripe.buy("again@connect.example", price)
        await site.has(product, "again@connect.example")


async def test_the_portal_is_switched_off_and_on(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    """Members see Manage billing if it is on and they have a Stripe customer."""
    site = shared
    stripe_product = await site.stripe.product("Portaled")
    price = await site.stripe.price(stripe_product)
    product = await site.product("Portaled")
    await site.link(product, stripe_product)
    await site.stripe.buy("portal@connect.example", price)
    await site.has(product, "portal@connect.example")
    member, other = await open_page(), await open_page()
    await as_user(member, site, await user(site, "portal@connect.example"))
    await as_user(other, site, await user(site, "nothing@connect.example"))
    await sign_in(page, site)

    async def switch(on: bool) -> None:
        await page.goto(f"{site.url}/admin/connectors")
        await page.get_by_label(re.compile("Show “Manage billing” to members")).set_checked(on)
        await follow(page.locator("#portal").get_by_role("button", name="Save", exact=True))
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()

    billing = member.get_by_role("button", name="Manage billing", exact=True)
    try:
        await switch(False)
        await member.goto(f"{site.url}/account")
        await expect(member.get_by_text("Portaled", exact=True)).to_be_visible()
        await expect(billing).to_have_count(0)
        answer = await member.goto(f"{site.url}/account/billing")
        assert answer
        assert answer.status == 404
    finally:
        await switch(True)
    await member.goto(f"{site.url}/account")
    await expect(billing).to_be_visible()
    await other.goto(f"{site.url}/account")
    await expect(other.get_by_role("button", name="Manage billing", exact=True)).to_have_count(0)
    await billing.click()
    await expect(member.get_by_role("link", name=re.compile("^Return to"))).to_be_visible()
