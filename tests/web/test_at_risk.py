"""Money at risk: the page, its CSV, and the emails that ask for a card."""

import csv
import io
import re
from decimal import Decimal
from html import unescape

import pytest

from latchkey import signin_links
from latchkey.mail.render import render
from latchkey.store import site_settings
from latchkey.store.feed import mails
from latchkey.store.feed.mails import OutMail
from latchkey.store.purchases import reminders
from latchkey.store.users import signin
from tests.harness import SECRETS, Latchkey
from tests.web.pages import left_for, visit
from tests.web.test_admin_users import buyer, shown
from web.pages.member.card import OPENED_PER_HOUR

pytestmark = pytest.mark.anyio


async def test_the_page_says_what_is_at_risk_and_for_how_long(shared: Latchkey) -> None:
    person, product, subscription = await buyer(shared, "owes@risk.example", "Risky course")
    _, ended_product, ending = await buyer(shared, "leaves@risk.example", "Left course")
    await shared.pool.execute(
        "update subscriptions set status = 'past_due', past_due_since = now() where id = $1",
        subscription,
    )
    await shared.pool.execute(
        """
        update subscriptions set scheduled_end = now() + interval '73 hours', canceled_at = now()
         where id = $1
        """,
        ending,
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        assert 'href="/admin/at-risk"' in (await admin.get("/admin")).text
        text = await shown(admin, f"/admin/at-risk?product={product}")
        assert "1 entry" in text
        assert re.search(r"\$15\.00 Payment failed, still has access: 1 \(test\)", text)
        assert re.search(r"owes@risk\.example Nora Buyer Risky course .* Payment failed on", text)
        page = (await admin.get(f"/admin/at-risk?product={product}")).text
        for link in (f"/admin/users/{person}", f"/test/subscriptions/{subscription}"):
            assert link in page
        text = await shown(admin, f"/admin/at-risk?product={ended_product}&state=ending")
        assert re.search(r"Cancelled on .*, ends on .* in 3 days", text)
        assert "No results" in await shown(admin, f"/admin/at-risk?product={product}&state=ending")
        answer = await admin.get(f"/admin/at-risk.csv?product={product}")
        await admin.get("/admin/at-risk?from=yesterday", 422)
        paid, amount, reminded, unasked = _came_back(text)
        await shared.pool.execute(
            """
            insert into activities (fact, type, at, cause, source_id)
            values ($1, 'payment_recovered', now(), 'stripe', $2)
            """,
            f"payment_recovered:{subscription}:{product}:20260101",
            subscription,
        )
        text = await shown(admin, f"/admin/at-risk?product={product}")
        assert _came_back(text) == (paid + 1, amount + 15, reminded, unasked + 1)
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["kind"], row["subscription"], row["amount"], row["currency"], row["email"]) == (
        "grace",
        subscription,
        "15.00",
        "usd",
        "owes@risk.example",
    )


def _came_back(text: str) -> tuple[int, Decimal, int, int]:
    """By a page's words: how many paid after all on the whole site, how much, how many of them
    after an email, and how many without one."""
    what = r"What came back .*? \d{4} test (\d+) \$([\d.]+) (\d+)(?: \$[\d.]+)? (\d+)"
    found = re.search(what, text)
    if not found:
        return 0, Decimal(0), 0, 0
    return int(found[1]), Decimal(found[2]), int(found[3]), int(found[4])


async def reminders_of(site: Latchkey, person: int) -> list[OutMail]:
    async with site.pool.acquire() as connection:
        rows = await mails.listed(connection, user_id=person, kind=mails.REMINDER)
    return rows[::-1]


async def past_due(site: Latchkey, email: str, name: str) -> tuple[int, str, str]:
    """A person whose last payment failed: their id, the product and the subscription."""
    person, product, subscription = await buyer(site, email, name)
    await site.pool.execute(
        "update subscriptions set status = 'past_due', past_due_since = now() where id = $1",
        subscription,
    )
    return person, product, subscription


async def test_a_click_sends_one_email_and_the_next_one_asks_first(shared: Latchkey) -> None:
    person, product, subscription = await past_due(shared, "asked@risk.example", "Asked course")
    here = f"/admin/at-risk?product={product}"
    send = f"/admin/at-risk/{subscription}/mail"
    async with visit(shared) as admin:
        await admin.sign_in()
        answer = await admin.send(here, send, back=here)
        assert answer.headers["location"] == f"{here}&done=reminded"
        asked = await admin.send(here, send, 200, back=here)
        assert "Send another email?" in asked.text
        [first] = await reminders_of(shared, person)
        assert f'name="after" value="{first.id}"' in asked.text
        away = await admin.send(here, send, after=first.id, back="https://elsewhere.example")
        assert away.headers["location"] == "/admin/at-risk?done=reminded"
        asked = await admin.send(here, send, 200, after=first.id)  # a double click
        assert "Send another email?" in asked.text
        assert len(await reminders_of(shared, person)) == 2
        assert "Reminder to update a card" in await shown(admin, here)
        noted = await shared.pool.fetch(
            "select outcome from audit_log where action = 'reminder_sent' and target_id = $1",
            subscription,
        )
        assert [row["outcome"] for row in noted] == ["done", "done"], "asking isn't sending"
        assert "Payment reminder sent" in await shown(admin, "/admin/audit")
        await shared.pool.execute(
            "update users set mails_off = array['payment_reminder'] where id = $1", person
        )
        refused = await admin.send(here, send, 409)
        assert "turned these emails off" in refused.text
        await admin.send(here, "/admin/at-risk/sub_none/mail", 409)
        await shared.pool.execute("update users set mails_off = '{}' where id = $1", person)
        await shared.pool.execute(
            "update customers set billing_user = null where user_id = $1", person
        )
        refused = await admin.send(
            here, send, 409, after=(await reminders_of(shared, person))[1].id
        )
        assert "can't manage the billing" in unescape(refused.text)
    assert len(await reminders_of(shared, person)) == 2


async def test_the_emails_link_opens_stripes_page_for_the_card(shared: Latchkey) -> None:
    person, _, subscription = await past_due(shared, "card@risk.example", "Card course")
    async with shared.pool.acquire() as connection, connection.transaction():
        await reminders.remind(connection, subscription)
    [mail] = await reminders_of(shared, person)
    rendered = render(mail, public_url=shared.url, secrets=SECRETS)
    assert rendered.link is not None
    path = rendered.link.removeprefix(shared.url)
    async with visit(shared) as visitor:
        page = await visitor.get(path)
        assert "Your last payment failed" in page.text
        assert left_for(await visitor.send(path, expect=200)).startswith(shared.stripe.url)
        async with shared.pool.acquire() as connection:
            for _ in range(OPENED_PER_HOUR):
                await signin.try_once(
                    connection, f"card pages {person}", most=OPENED_PER_HOUR, seconds=3600
                )
        assert "Too many attempts" in (await visitor.send(path, expect=429)).text
        await shared.pool.execute(
            "update subscriptions set status = 'active', past_due_since = null where id = $1",
            subscription,
        )
        assert "Nothing is open" in (await visitor.get(path)).text
        async with shared.pool.acquire() as connection:
            await site_settings.change(connection, portal=False)
            site = await site_settings.read(connection)
            await visitor.get(path, 404)
            await site_settings.change(connection, portal=True)
        await visitor.get(path)
        without = render(mail, public_url=shared.url, secrets=SECRETS, site=site)
        assert (without.link or "").startswith(f"{shared.url}/login/")
        await shared.pool.execute("update users set link_epoch = 1 where id = $1", person)
        await visitor.get(path, 404)
        await visitor.get("/billing/card/nonsense", 400)
        old = signin_links.CardLink(person, subscription, 1)
        expired = signin_links.sign_card(old, secrets=SECRETS, issued_at=0)
        assert "It has expired" in (await visitor.get(f"/billing/card/{expired}", 400)).text


async def test_what_was_paid_before_it_went_out_isnt_sent(shared: Latchkey) -> None:
    person, _, subscription = await past_due(shared, "paid@risk.example", "Paid course")
    async with shared.pool.acquire() as connection, connection.transaction():
        await reminders.remind(connection, subscription)
        await connection.execute(
            "update subscriptions set status = 'active' where id = $1", subscription
        )
        [mail] = await mails.listed(connection, user_id=person, kind=mails.REMINDER)
        await mails.withdraw(connection, [mail.id])
        found = await mails.find(connection, mail.id)
        assert found is not None
        assert found.state == "suppressed"
