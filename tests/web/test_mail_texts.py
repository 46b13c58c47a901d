"""The page on which the team writes the texts of emails."""

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from types import SimpleNamespace

import pytest
from aiosmtpd.smtp import SMTP

from latchkey.mail import server as servers
from latchkey.mail.server import MailServer
from latchkey.rules.vocabulary import MailSecurity
from tests.harness import ADMIN, Latchkey, free_port
from tests.life.test_mail import Inbox
from tests.web.pages import Visitor, visit
from web.pages.admin import mail_texts as pages

pytestmark = pytest.mark.anyio

HERE = "/admin/mails/texts/email_changed/tr"
"""A text that no other test reads."""


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor
    await shared.pool.execute("delete from mail_texts where variant = 'email_changed'")


async def stored(site: Latchkey) -> list[tuple[str, str, str]]:
    rows = await site.pool.fetch(
        "select language, subject, body from mail_texts where variant = 'email_changed'"
    )
    return [tuple(row) for row in rows]


async def test_a_text_is_written_seen_and_taken_back(shared: Latchkey, admin: Visitor) -> None:
    ours = unescape((await admin.get(HERE)).text)
    assert "This is our text, to start from" in ours
    assert "{site}" in ours
    await admin.send(HERE, do="save", subject="Adres {email}", body="Bir\r\n\r\nİki {site}")
    assert await stored(shared) == [("tr", "Adres {email}", "Bir\n\nİki {site}")]
    assert f'href="{HERE}"' in (await admin.get("/admin/mails/texts")).text
    shown = (await admin.get(HERE)).text
    assert "This is your text." in shown
    assert 'value="Adres {email}"' in shown
    await admin.send(HERE, do="default")
    assert await stored(shared) == []
    assert "This is our text" in (await admin.get(HERE)).text


async def test_unknown_variables_are_named_beside_the_field(
    shared: Latchkey, admin: Visitor
) -> None:
    wrong = {"subject": "Bye {first_name}", "body": "{site} {ends} {code}"}
    for do in ("save", "preview", "test"):
        text = unescape((await admin.send(HERE, expect=422, do=do, **wrong)).text)
        assert "This email doesn't have {first_name}. It has {site}, {email}." in text
        assert "This email doesn't have {ends}, {code}." in text
        assert 'id="subject-error"' in text
        assert 'id="body-error"' in text
        assert "Bye {first_name}" in text
    await admin.send(HERE, expect=422, do="save", subject="", body="x")
    await admin.send(HERE, expect=422, do="save", subject="x", body="y" * 5001)
    assert await stored(shared) == []


async def test_a_preview_fills_the_variables_and_saves_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    path = "/admin/mails/texts/win_back/en"
    given = {"subject": "Back to {products}?", "body": "Code: {code}\n\n<b>Bold</b>"}
    shown = unescape((await admin.send(path, expect=200, do="preview", **given)).text)
    assert "Code: BACK-20" in shown
    assert "<pre>Hello,\n\nCode: BACK-20\n\n<b>Bold</b>\n\nSee the offer: " in shown
    assert "/login/" not in shown.partition("<pre>")[2]
    assert "This is our text, to start from" in (await admin.get(path)).text


async def test_other_texts_do_not_exist(admin: Visitor) -> None:
    for path in ("webhook_digest/en", "email_changed/nl", "cancellation/en"):
        await admin.get(f"/admin/mails/texts/{path}", 404)


async def test_a_test_goes_to_whoever_wrote_it(
    shared: Latchkey, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"subject": "Adres {email}", "body": "Bir"}
    unsent = unescape((await admin.send(HERE, expect=422, do="test", **given)).text)
    assert "Not sent. No mail server is set" in unsent

    inbox, port = Inbox(), free_port()
    target = MailServer("127.0.0.1", port, MailSecurity.OPPORTUNISTIC, None, None)

    async def current(*_: object) -> MailServer:
        return target

    ours = SimpleNamespace(
        current=current,
        deliver=servers.deliver,
        explained=servers.explained,
        FAILURES=servers.FAILURES,
    )
    monkeypatch.setattr(pages, "servers", ours)
    away = unescape((await admin.send(HERE, expect=422, do="test", **given)).text)
    assert "Not sent. Nothing answers at 127.0.0.1" in away
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(inbox), "127.0.0.1", port)
    try:
        for _ in range(2):
            sent = await admin.send(HERE, expect=200, do="test", **given)
            assert f"Sent to {ADMIN}. It isn't saved yet." in unescape(sent.text)
    finally:
        server.close()
    first, second = inbox.mails
    assert first["Subject"] == f"[Test] Adres {ADMIN}"
    assert ADMIN in first["To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert await stored(shared) == []
