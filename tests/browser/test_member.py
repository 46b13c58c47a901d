"""What visitors and members do: read, buy, sign in, manage, cancel; on a phone, without scripts."""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from latchkey import signin_links
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SHOTS = os.environ.get("LATCHKEY_SHOTS")


async def shot(page: Page, name: str) -> None:
    """Save screenshots (laptop, phone, dark) if the variable asks for them."""
    if not SHOTS:
        return
    await page.screenshot(path=Path(SHOTS, f"{name}.png"), full_page=True)
    size = page.viewport_size
    await page.set_viewport_size({"width": 320, "height": 700})
    await page.emulate_media(color_scheme="dark")
    await page.screenshot(path=Path(SHOTS, f"{name}-phone.png"), full_page=True)
    await page.emulate_media(color_scheme="light")
    if size:
        await page.set_viewport_size(size)


async def linked(site: Latchkey, name: str, description: str = "") -> tuple[str, str]:
    """A live product linked to a Stripe product with a monthly price: both ids."""
    stripe_product = await site.stripe.product(name)
    await site.stripe.price(stripe_product, 2900)
    product = await site.product(name, description=description, content="# Welcome inside")
    await site.link(product, stripe_product)
    return product, stripe_product


async def test_a_visitor_reads_buys_signs_in_and_cancels(site: Latchkey, page: Page) -> None:
    product, _ = await linked(site, "Learn to Sail", "From the first knot to the open sea.")
    await sign_in(page, site)
    await page.goto(f"{site.url}/admin/products/{product}/checkout")
    await page.get_by_label(re.compile(r"^\s*To a sales page, then to the checkout")).check()
    await page.get_by_label(re.compile(r"^\s*Sell with Stripe Checkout")).check()
    await page.get_by_label("$29.00 every month", exact=True).check()
    await page.get_by_label(re.compile(r"^\s*Accept promotion codes")).check()
    await page.get_by_label(re.compile(r"^\s*Create a payment link")).check()
    await press(page, "Save")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await expect(page.locator("a[href*='/b/plink_']")).to_be_visible()
    await shot(page, "admin-checkout")

    await follow(page.get_by_role("link", name="Create sales page", exact=True))
    await shot(page, "admin-sales-start")
    await press(page, "Create sales page")
    await page.get_by_role("textbox", name=re.compile("^Headline")).fill("Cast off in six weeks")
    await page.get_by_label(re.compile(r"^\s*Live at")).check()
    await press(page, "Save")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await follow(page.locator(".block-list").get_by_role("link", name="Text", exact=True))
    await page.get_by_role("textbox", name=re.compile("^Text")).fill(
        "## On board\n\n- Knots\n- Charts"
    )
    await expect(
        page.locator("#preview").get_by_role("heading", name="On board", exact=True)
    ).to_be_visible()
    await press(page, "Save block")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    framed = page.frame_locator("iframe.phone")
    await expect(framed.get_by_role("heading", name="On board", exact=True)).to_be_visible()
    await shot(page, "admin-sales-edit")
    await page.goto(f"{site.url}/admin/settings")
    await page.get_by_label(re.compile(r"^\s*Show the library to visitors")).check()
    await press(page, "Save")
    await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    await page.context.clear_cookies()

    await page.goto(f"{site.url}/")
    await expect(page.get_by_role("heading", name="Library", exact=True)).to_be_visible()
    card = page.get_by_role("link", name=re.compile("Learn to Sail"))
    await expect(card).to_contain_text("$29.00 every month")
    await expect(card).to_contain_text("Learn more")
    await shot(page, "library-visitor")
    await follow(card)
    await expect(
        page.get_by_role("heading", name="Cast off in six weeks", exact=True)
    ).to_be_visible()
    await shot(page, "sales-page")
    await follow(page.get_by_role("link", name="Subscribe", exact=True))
    await page.get_by_label("Email", exact=True).fill("nell@member.example")
    await page.get_by_label("Name", exact=True).fill("Nell New")
    await press(page, "Subscribe")
    await expect(page.get_by_role("heading", name=re.compile("^Thank you!"))).to_be_visible()
    await expect(page.get_by_text(re.compile(r"^\s*We've sent an email"))).to_be_visible()
    await expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    await shot(page, "bought-visitor")

    await come_in(page, site, "nell@member.example", "product_access")
    await expect(page.get_by_role("heading", name="Welcome inside", exact=True)).to_be_visible()
    await shot(page, "product-open")
    await follow(page.get_by_role("link", name="Library", exact=True))
    await expect(page.get_by_text("Yours", exact=True)).to_be_visible()
    await page.goto(f"{site.url}/buy/learn-to-sail")
    await expect(
        page.get_by_text("You already have access, so there's nothing to pay.", exact=True)
    ).to_be_visible()

    await follow(page.get_by_role("link", name="Account", exact=True))
    await expect(page.get_by_text(re.compile(r"^\s*Next payment on"))).to_be_visible()
    await shot(page, "account")
    await press(page, "Manage billing")
    await press(page, "Cancel subscription")
    await follow(page.get_by_role("link", name=re.compile("^Return to")))

    async def cancelled() -> bool:
        await page.goto(f"{site.url}/account")
        return await page.get_by_text(re.compile(r"^\s*Access until")).count() == 1

    await until(cancelled, "the account says until when")
    await expect(page.get_by_role("button", name="Keep subscription", exact=True)).to_be_visible()
    await follow(page.get_by_role("link", name="Library", exact=True))
    await expect(page.get_by_text(re.compile("Cancelled, ends on"))).to_be_visible()
    await shot(page, "library-member")
    await page.goto(f"{site.url}/products/learn-to-sail")
    await expect(
        page.get_by_text(re.compile("because the subscription was cancelled"))
    ).to_be_visible()

    await sign_out(page)
    other = await user(site, "otto@member.example")
    token = signin_links.sign(other, "otto buys", secrets=SECRETS)
    await page.goto(f"{site.url}/login/{token}?next=/buy/learn-to-sail/checkout")
    await press(page, "Sign in")
    await page.wait_for_url(f"{site.stripe.url}/**")
    await page.goto(f"{site.url}/account")

    await sign_out(page)
    await sign_in(page, site)
    await page.goto(f"{site.url}/admin/mails")
    row = page.get_by_role("row").filter(has_text="nell@member.example")
    await expect(row.filter(has_text="Cancellation")).to_have_count(1)
    await shot(page, "admin-mails")
    await follow(
        row.filter(has_text="Cancellation").get_by_role(
            "link", name="Cancellation: Learn to Sail", exact=True
        )
    )
    letter = page.frame_locator("iframe.letter")
    await expect(
        letter.get_by_role("heading", name=re.compile("you have access until"))
    ).to_be_visible()
    await shot(page, "admin-mail")
    await page.goto(f"{site.url}/admin/mails/samples/payment_problem")
    await expect(letter.get_by_role("link", name="Update your card", exact=True)).to_be_visible()
    await follow(page.get_by_role("link", name="Password reset", exact=True))
    await expect(
        letter.get_by_role("heading", name="Set a new password", exact=True)
    ).to_be_visible()
    await follow(page.get_by_role("link", name="Email settings", exact=True).first)
    await shot(page, "admin-mail-settings")


async def come_in(page: Page, site: Latchkey, email: str, kind: str) -> None:
    """Follow the link in a person's newest email of a kind."""

    async def mailed() -> str | None:
        row = await site.pool.fetchrow(
            """
            select m.id, m.user_id, u.link_epoch, m.product_id, m.data->>'next' as next from mails m
              join users u on u.id = m.user_id
             where u.email = $1 and m.kind = $2 order by m.id desc limit 1
            """,
            email,
            kind,
        )
        if row is None:
            return None
        token = signin_links.sign(
            row["user_id"], f"mail:{row['id']}", secrets=SECRETS, epoch=row["link_epoch"]
        )
        slug = await site.pool.fetchval(
            "select slug from products where id = $1", row["product_id"]
        )
        return f"/login/{token}?next={row['next'] or f'/products/{slug}'}"

    path = await until(mailed, f"a {kind} mail to {email}")
    await page.goto(f"{site.url}{path}")
    await press(page, "Sign in")


async def sign_out(page: Page) -> None:
    await follow(page.get_by_role("button", name="Sign out", exact=True))
    await expect(page.get_by_text("You're signed out.", exact=True)).to_be_visible()


async def test_a_member_manages_their_account(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    site, email = shared, "ada@settings.example"
    await user(site, email)
    await page.goto(f"{site.url}/login")
    await shot(page, "login")
    await follow(page.get_by_role("link", name="Forgot your password?", exact=True))
    await page.get_by_label("Email", exact=True).fill(email)
    await press(page, "Send link")
    await expect(
        page.get_by_text(re.compile("If there's an account with that address"))
    ).to_be_visible()
    await come_in(page, site, email, "recovery")
    await expect(page.get_by_role("heading", name="Set a password", exact=True)).to_be_visible()
    await page.get_by_label("New password", exact=True).fill("a very long password")
    await press(page, "Save password")
    await expect(page.get_by_text(re.compile(r"Your password is set\."))).to_be_visible()
    await shot(page, "account-settings")

    await page.get_by_label("New email address", exact=True).fill("ada.new@settings.example")
    await press(page, "Send me the link")
    await expect(
        page.get_by_text(re.compile(r"We've sent a link to the new address\."))
    ).to_be_visible()
    change = await site.pool.fetchval("select max(id) from email_changes")
    token = signin_links.sign_change(change, secrets=SECRETS)
    await page.goto(f"{site.url}/account/email/{token}")
    await press(page, "Change address")
    await expect(page.get_by_text("ada.new@settings.example", exact=True).first).to_be_visible()

    await page.get_by_label(re.compile("When I get access to a product")).uncheck()
    await follow(page.get_by_role("button", name="Save", exact=True))
    await expect(
        page.get_by_label(re.compile("When I get access to a product"))
    ).not_to_be_checked()

    elsewhere = await open_page()
    await elsewhere.goto(f"{site.url}/login")
    form = elsewhere.locator("form[action='/login']")
    await form.get_by_label("Email", exact=True).fill("ada.new@settings.example")
    await form.get_by_label("Password", exact=True).fill("a very long password")
    await follow(form.get_by_role("button", name="Sign in", exact=True))
    await expect(elsewhere.get_by_role("heading", name="Your library", exact=True)).to_be_visible()
    await page.reload()
    await follow(page.get_by_role("button", name=re.compile("^Sign out the session")))
    await expect(
        page.get_by_text(re.compile("Whoever was using it has to sign in again"))
    ).to_be_visible()
    await elsewhere.goto(f"{site.url}/account")
    await expect(elsewhere.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


async def test_a_phone_without_scripts_and_long_words(site: Latchkey, open_page: OpenPage) -> None:
    """Nothing is wider than 320 px, whatever the names are, and every form works."""
    word = "Donaudampfschifffahrtsgesellschaft" * 3
    product, stripe_product = await linked(site, word, f"{word} — مرحبا بكم")
    price = await site.pool.fetchval(
        "select id from prices where stripe_product = $1", stripe_product
    )
    await site.call("PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price})
    await site.pool.execute(
        """
        insert into sales_pages (product_id, status, headline, body, button)
        values ($1, 'live', $2, $2, $2)
        """,
        product,
        word[:60],
    )
    slug = (await site.call("GET", f"/products/{product}"))["slug"]
    plain = await open_page(
        java_script_enabled=False, viewport={"width": 320, "height": 700}, color_scheme="dark"
    )
    member = await user(site, f"{'long' * 12}@phone.example")
    link = signin_links.sign(member, "phone", secrets=SECRETS)
    await plain.goto(f"{site.url}/login/{link}?next=/library")
    await press(plain, "Sign in")
    await follow(plain.get_by_role("link", name=re.compile(word[:20])))
    await plain.get_by_label("Name", exact=True).fill("Phil Phone")
    assert await plain.get_by_label("Email", exact=True).get_attribute("readonly") is not None
    await press(plain, "Subscribe")
    await follow(plain.get_by_role("link", name=re.compile("^Open ")))
    await expect(plain.get_by_role("heading", name="Welcome inside", exact=True)).to_be_visible()
    measured = await open_page(
        viewport={"width": 320, "height": 700}, storage_state=await plain.context.storage_state()
    )
    for path in (
        "/library", f"/products/{slug}", f"/sales/{slug}", "/account", "/account/settings",
        "/account/billing", "/login/recover", "/checkout/success?session=cs_test_none",
    ):  # fmt: skip
        await measured.goto(f"{site.url}{path}")
        width = await measured.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{path} is {width} px wide"


async def test_the_keyboard_reaches_everything(shared: Latchkey, page: Page) -> None:
    """From the top of the sign-in page to its last button, in order and visibly."""
    await page.goto(f"{shared.url}/login")
    seen = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        found = await page.evaluate(
            """() => {
              const e = document.activeElement, s = getComputedStyle(e);
              return [e.textContent.trim() || e.name, s.outlineStyle !== 'none'];
            }"""
        )
        seen.append(found)
    names = [name for name, _ in seen]
    wanted = [
        "Skip to content",
        "email",
        "password",
        "Forgot your password?",
        "Send me a link",
    ]
    places = [names.index(name) for name in wanted]
    assert places == sorted(places)
    assert all(visible for name, visible in seen if name in wanted)
