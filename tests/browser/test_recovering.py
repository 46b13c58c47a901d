"""Money at risk, as the team and its members see it: a payment that failed is paid after an email,
and somebody who left comes back with a promotion code."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from latchkey.store.feed import mails
from latchkey.store.purchases.recovered import by_month
from latchkey.store.users import users
from tests.browser.conftest import OpenPage, follow, press, sign_in
from tests.harness import Latchkey, until
from tests.life.play import linked
from tests.web.test_member_checkout import for_sale

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

OWES = "owes@risk-story.example"
LEFT = "left@risk-story.example"


async def shows(page: Page, url: str, text: Callable[[], Awaitable[bool]], what: str) -> None:
    """Open an address until it shows what happened meanwhile."""

    async def shown() -> bool:
        await page.goto(url)
        return await text()

    await until(shown, what)


async def link_of(page: Page, site: Latchkey, email: str, kind: str) -> str:
    """Where the newest email of a kind leads, as the team sees it."""
    await page.goto(f"{site.url}/admin/mails?q={email}")
    await follow(page.get_by_role("link", name=re.compile(f"^{kind}")).first)
    link = await page.get_by_role(
        "link", name="Open the link in this email", exact=True
    ).get_attribute("href")
    assert link
    return link


async def paid_after_an_email(site: Latchkey) -> int:
    async with site.pool.acquire() as connection:
        return sum(row.mailed for row in await by_month(connection) if row.currency == "usd")


async def test_a_failed_payment_is_paid_after_an_email(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe(OWES, price)
    await shared.has(product, OWES)
    await shared.stripe.control(
        f"customers/{made['customer']}/card", card="pm_card_chargeCustomerFail"
    )
    await shared.stripe.post(
        f"subscriptions/{made['id']}", billing_cycle_anchor="now", proration_behavior="none"
    )
    before = await paid_after_an_email(shared)
    await sign_in(page, shared)
    here = f"{shared.url}/admin/at-risk?product={product}"
    row = page.get_by_role("row").filter(has_text=OWES)
    await shows(page, here, row.is_visible, "the failed payment is at risk")
    await expect(row).to_contain_text("$15.00")
    await expect(row).to_contain_text("Payment failed on")
    await expect(row).to_contain_text(re.compile(r"in \d+ (day|week)s"))

    await follow(row.get_by_role("button", name=re.compile("^Ask for a card")))
    await expect(
        page.get_by_role("heading", name="Send another email?", exact=True)
    ).to_be_visible()
    await press(page, "Send another one")
    await expect(
        row.get_by_role("link", name=re.compile("^Reminder to update a card"))
    ).to_be_visible()
    link = await link_of(page, shared, OWES, "Reminder to update a card")
    async with shared.pool.acquire() as connection, connection.transaction():
        person = await users.by_email(connection, OWES)
        assert person is not None
        [mail] = await mails.listed(connection, user_id=person.id, kind=mails.REMINDER)
        await mails.mark_sent(connection, mail)

    member = await open_page()
    await member.goto(link)
    await expect(member.get_by_text(re.compile(r"^\s*Your last payment failed\."))).to_be_visible()
    await press(member, "Continue to Stripe")
    await member.get_by_label(re.compile("New card number")).fill("4242424242424242")
    await press(member, "Change card")
    bills = await shared.stripe.get("invoices", subscription=made["id"], status="open")
    for bill in bills["data"]:
        await shared.stripe.control(f"invoices/{bill['id']}/retry")

    async def gone() -> bool:
        return not await row.count()

    await shows(page, here, gone, "nothing is at risk any more")
    back = page.get_by_role("region", name=re.compile("^What came back")).get_by_role("row").nth(1)
    await expect(back.get_by_role("cell").nth(2)).to_contain_text(f"{before + 1}")
    await member.goto(link)
    await expect(
        member.get_by_role("heading", name=re.compile("Your payments are up to date"))
    ).to_be_visible()


async def test_who_left_comes_back_with_a_promotion_code(
    shared: Latchkey, page: Page, open_page: OpenPage
) -> None:
    product, _, price, _ = await for_sale(
        shared, "Left and came back", promotion_codes=True, payment_link=False
    )
    bought = await shared.stripe.buy(LEFT, price)
    await shared.has(product, LEFT)
    subscription = f"subscriptions/{bought['subscription']}"
    await shared.stripe.control(
        f"{subscription}/portal_cancel", feedback="too_expensive", comment="Too dear for winter"
    )
    await shared.stripe.delete(subscription)
    await sign_in(page, shared)
    here = f"{shared.url}/admin/cancellations?product={product}"
    row = page.get_by_role("row").filter(has_text=LEFT)
    choose = row.get_by_role("checkbox", name=re.compile(f"^Invite {re.escape(LEFT)} back"))
    await shows(page, here, choose.is_visible, "the cancellation is over")
    await expect(row).to_contain_text("Too expensive")
    await expect(row).to_contain_text("“Too dear for winter”")

    await choose.check()
    await press(page, "Invite the chosen people back")
    await page.get_by_text(re.compile("Create a promotion code")).click()
    await page.get_by_label(re.compile(r"^\s*Code")).fill("SPRING-STORY")
    await page.get_by_label(re.compile("Percentage")).fill("40")
    await press(page, "Create the code")
    await expect(page.get_by_label(re.compile(r"^\s*Promotion code"))).to_have_value("SPRING-STORY")
    await press(page, "Email 1 person")
    link = await link_of(page, shared, LEFT, "Invitation to come back")

    buyer = await open_page()
    await buyer.goto(link)
    await buyer.wait_for_url(f"{shared.stripe.url}/**")
    await expect(buyer.get_by_text(re.compile("SPRING-STORY"))).to_be_visible()
    await expect(buyer.get_by_text(re.compile(r"\$17\.40")).first).to_be_visible()
    await buyer.get_by_label("Email", exact=True).fill(LEFT)
    await buyer.get_by_label("Name", exact=True).fill("Lea Left")
    await press(buyer, "Subscribe")

    won = page.get_by_role("row").filter(has_text="SPRING-STORY").get_by_role("cell")

    async def counted() -> bool:
        return await won.count() > 0 and await won.nth(2).inner_text() == "1"

    await shows(page, here, counted, "the one who came back is counted")
    await expect(won.nth(1)).to_have_text("1")
    await expect(won.nth(3)).to_have_text("$29.00")
    await expect(row.first).to_contain_text("Subscribed again")
