"""The mail server in the admin pages: tested before it is saved, for owners only."""

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from tests.harness import ADMIN, Latchkey, free_port, until
from tests.life.test_mail import Inbox
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

PAGE = "/admin/mails/server"


class Accounts:
    """A mail server with one account, and the passwords that it was told."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.port = free_port()
        self.told: list[bytes] = []

    def login(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        self.told.append(given.password)
        return AuthResult(success=given.password == b"right horse", handled=False)

    def serve(self) -> SMTP:
        return SMTP(self.inbox, authenticator=self.login, auth_require_tls=False)


@pytest.fixture
async def accounts() -> AsyncIterator[Accounts]:
    made = Accounts()
    server = await asyncio.get_running_loop().create_server(made.serve, "127.0.0.1", made.port)
    yield made
    server.close()


def typed(accounts: Accounts, **changes: Any) -> dict[str, Any]:
    usual = {
        "host": "127.0.0.1",
        "port": accounts.port,
        "security": "starttls",
        "username": "club",
        "password": "right horse",
        "to": "me@mail.example",
    }
    return usual | changes


@pytest.mark.slow
async def test_an_entered_server_is_tested_saved_and_used(
    site: Latchkey, accounts: Accounts
) -> None:
    async with visit(site) as owner:
        await owner.sign_in()
        assert "Not set" in (await owner.get(PAGE)).text

        wrong = typed(accounts, password="wrong horse", host="127.0.0.1", username="club <b>")
        refused = unescape((await owner.send(PAGE, expect=422, **wrong)).text)
        assert "Nothing was saved. The server refused the user name or password." in refused
        assert "535 5.7.8" in refused
        assert 'value="club <b>"' in refused
        assert "wrong horse" not in refused
        assert await site.pool.fetchval("select count(*) from mail_server") == 0

        await owner.send(PAGE, **typed(accounts))
        assert accounts.inbox.mails[-1]["To"] == "me@mail.example"
        shown = (await owner.get(PAGE)).text
        assert "Tested" in shown
        assert "right horse" not in shown
        stored = await site.pool.fetchrow("select * from mail_server")
        assert stored is not None
        assert b"right horse" not in stored["password_encrypted"]
        logged = await site.pool.fetchval(
            """
            select after::text from audit_log
             where action = 'mail_settings_changed' and outcome = 'done'
            """
        )
        assert "127.0.0.1" in logged
        assert "club" not in logged

        before = len(accounts.inbox.mails)
        await owner.send(
            "/admin/settings/team", email="helper@mail.example", role="support", expect=303
        )

        async def sent() -> bool:
            return len(accounts.inbox.mails) > before

        await until(sent, "the worker sends the invitation through the entered server")
        mail = await site.pool.fetchval("select id from mails order by id desc limit 1")
        assert "/login/" not in unescape((await owner.get(f"/admin/mails/{mail}")).text)

        await never_told_elsewhere(site, owner, accounts)
        await owner.send(PAGE, **typed(accounts, password=""))
        assert accounts.told[-1] == b"right horse", "the same account keeps its password"

        await owner.send(PAGE, f"{PAGE}/test", to="again@mail.example")
        assert accounts.inbox.mails[-1]["To"] == "again@mail.example"
        await owner.send(PAGE, f"{PAGE}/remove")
        assert "Not set" in (await owner.get(PAGE)).text


async def never_told_elsewhere(site: Latchkey, owner: Visitor, accounts: Accounts) -> None:
    """The stored password goes to no other server than the one it was entered for."""
    other = Accounts()
    server = await asyncio.get_running_loop().create_server(other.serve, "127.0.0.1", other.port)
    answer = await owner.send(PAGE, expect=422, **typed(other, password=""))
    assert "Enter the password for this account." in answer.text
    server.close()
    assert other.told == []
    kept = await site.pool.fetchval("select port from mail_server")
    assert kept == accounts.port


async def test_only_owners_change_the_mail_server(shared: Latchkey, accounts: Accounts) -> None:
    admin = await user(shared, "admin@mailserver.example", "admin")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(admin, "mail server: admin")
        assert 'name="password"' not in (await visitor.get(PAGE)).text
        form = "/admin/settings"
        answer = await visitor.send(form, PAGE, expect=403, **typed(accounts))
        assert "Only an owner" in answer.text
        await visitor.send(form, f"{PAGE}/remove", expect=403)
        await visitor.send(form, f"{PAGE}/test", expect=403, to=ADMIN)
    assert accounts.told == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""),
        ("host", "smtp example"),
        ("port", "0"),
        ("port", "many"),
        ("security", "none"),
        ("to", "nobody"),
        ("password", ""),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_saved(
    shared: Latchkey, accounts: Accounts, field: str, value: str
) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        answer = await owner.send(PAGE, expect=422, **typed(accounts, **{field: value}))
        assert f'id="{field}-error"' in answer.text
        assert 'value="club"' in answer.text
    assert accounts.told == []
    assert await shared.pool.fetchval("select count(*) from mail_server") == 0
