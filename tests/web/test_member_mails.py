"""Emails in the admin's pages: outbox, samples, settings; secrets stay out of view."""

import re
from collections.abc import AsyncIterator

import pytest

from latchkey.mail.letters import KINDS
from latchkey.store import site_settings
from latchkey.store.users import signin
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


async def mailed(site: Latchkey, email: str, role: str = "member") -> int:
    """A sign-in email to a person; returns its id."""
    user_id = await user(site, email, role)
    async with site.pool.acquire() as connection:
        await signin.mail_link(connection, user_id)
    found: int = await site.pool.fetchval("select max(id) from mails where user_id = $1", user_id)
    return found


async def test_the_outbox_is_searched_and_sends_again(shared: Latchkey, admin: Visitor) -> None:
    mail = await mailed(shared, "box@mails.example")
    for query in ("q=box@mails.example", "kind=sign_in", "state=queued&q=box@mails.example"):
        assert f'href="/admin/mails/{mail}"' in (await admin.get(f"/admin/mails?{query}")).text
    assert "No results" in (await admin.get("/admin/mails?q=nobody@mails.example")).text
    first = re.search(
        r'href="(http[^"]+/login/[^"]+)"', (await admin.get(f"/admin/mails/{mail}")).text
    )
    assert first
    await admin.send(f"/admin/mails/{mail}", f"/admin/mails/{mail}/resend")
    second = re.search(
        r'href="(http[^"]+/login/[^"]+)"', (await admin.get(f"/admin/mails/{mail}")).text
    )
    assert second
    assert first[1] != second[1]
    await admin.get("/admin/mails/99999999", 404)


async def test_sign_in_links_never_raise_the_viewers_rights(
    shared: Latchkey, admin: Visitor
) -> None:
    to_member = await mailed(shared, "plain@mails.example")
    to_owner = await mailed(shared, "boss@mails.example", "owner")
    roles = {"support": (False, False), "admin": (True, False), "owner": (True, True)}
    for role, follows in roles.items():
        async with visit(shared) as visitor:
            staff = await user(shared, f"{role}@mails.example", role)
            await visitor.sign_in_as(staff, f"mails-{role}")
            for mail, may in zip((to_member, to_owner), follows, strict=True):
                text = (await visitor.get(f"/admin/mails/{mail}")).text
                assert ("/login/W" in text) is may, (role, mail)
                assert "/login/W" not in (await visitor.get(f"/admin/mails/{mail}/html")).text
    await shared.pool.execute("update users set role = 'member' where email like '%@mails.example'")


async def test_samples_run_nothing_and_contain_no_secret(shared: Latchkey, admin: Visitor) -> None:
    await shared.product("<script>alert(1)</script>")
    for kind in KINDS:
        page = await admin.get(f"/admin/mails/samples/{kind}")
        assert "unsafe" not in page.headers["content-security-policy"]
        html = await admin.get(f"/admin/mails/samples/{kind}/html")
        policy = html.headers["content-security-policy"]
        assert "sandbox" in policy
        assert "unsafe" not in policy
        for text in (page.text, html.text):
            assert "/login/W" not in text
            assert "/unsubscribe/W" not in text
            assert "<script>alert" not in text
        assert "style=" not in html.text
    await admin.get("/admin/mails/samples/nonsense", 404)


async def test_email_settings_are_validated_and_saved(shared: Latchkey, admin: Visitor) -> None:
    page = "/admin/mails/settings"
    fields = {
        "sender_name": "Ada",
        "mail_from": "ada@mails.example",
        "reply_to": "",
        "payment_mail": "yes",
        "mails_per_minute": "30",
        "spread_per_hour": "120",
    }
    for name, value in (
        ("mail_from", "nonsense"),
        ("mails_per_minute", "0"),
        ("reply_to", "a b@c"),
        ("reminder_days", "0, 3, x"),
        ("reminder_days", "3, 3"),
        ("reminder_days", "61"),
        ("reminder_days", "-1"),
        ("reminder_days", "0,1,2,3,4,5,6"),
    ):
        answer = await admin.send(page, None, 422, **{**fields, name: value})
        assert f'id="{name}-error"' in answer.text
    await admin.send(page, None, 303, **fields, reminder_mail="yes", reminder_days="5, 0,14")
    async with shared.pool.acquire() as connection:
        kept = await site_settings.read(connection)
    assert (kept.sender_name, kept.mail_from, kept.reply_to) == ("Ada", "ada@mails.example", None)
    assert (kept.payment_mail, kept.cancellation_mail, kept.mails_per_minute) == (True, False, 30)
    assert (kept.reminder_mail, list(kept.reminder_days)) == (True, [0, 5, 14])
    assert 'value="0, 5, 14"' in (await admin.get(page)).text
    await shared.pool.execute("delete from site_settings where key = 'site'")
