"""An email goes to exactly one mailbox, in any script, whatever stands in the name."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.parser import Parser
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from latchkey.mail import outbox
from latchkey.settings import Settings
from latchkey.store.feed import mails
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Pool
from tests.harness import SECRETS, free_port

pytestmark = pytest.mark.anyio

NAME = 'Müller, "Zoë" <x>'
TYPED = "typed@club.example"
"""An address that nobody has proven: the name that was typed along isn't sent to it."""


class Received:
    """Keeps who each email was sent to, and the email."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        made = Parser(EmailMessage, policy=default).parsestr(envelope.content.decode())
        self.mails.append((envelope.rcpt_tos, made))
        return "250 OK"


@pytest.fixture(params=[True, False], ids=["with SMTPUTF8", "without"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Received, int, bool]]:
    received, port = Received(), free_port()
    controller = Controller(
        received, hostname="127.0.0.1", port=port, enable_SMTPUTF8=request.param
    )
    controller.start()
    yield received, port, request.param
    controller.stop()


async def test_each_address_gets_its_email_or_one_readable_refusal(
    pool: Pool, server: tuple[Received, int, bool]
) -> None:
    received, port, smtputf8 = server
    odd = ("two@a.test,three@b.test", "a@[x")
    for key in ("anna@münchen.example", "zoë@club.example", TYPED, *odd):
        async with pool.acquire() as connection:
            user = await connection.fetchval(
                """
                insert into users (email, name, proven_at)
                values ($1, $2, case when $1 <> $3 then now() end) returning id
                """,
                key,
                NAME,
                TYPED,
            )
            await write_mails(connection, [Mail(key=key, kind="email_changed", user_id=user)])
    settings = Settings.model_validate(
        {
            "LATCHKEY_SECRET": SECRETS[0],
            "SMTP_URL": f"smtp://127.0.0.1:{port}",
            "LATCHKEY_MAIL_FROM": "Größe der Club <club@größe.example>",
        }
    )
    await outbox.send_due(pool, settings)

    reached = {to: mail for recipients, mail in received.mails for to in recipients}
    expected = {"anna@xn--mnchen-3ya.example", TYPED} | (
        {"zoë@club.example"} if smtputf8 else set()
    )
    assert set(reached) == expected
    for to, mail in reached.items():
        [address] = mail["To"].addresses
        assert (address.addr_spec, address.display_name) == (to, "" if to == TYPED else NAME)
        text = mail.get_body(("plain",))
        assert text is not None
        assert (NAME in text.get_content()) is (to != TYPED)
        [sender] = mail["From"].addresses
        assert sender.addr_spec == "club@xn--gre-6ka8i.example"
    rows = await pool.fetch("select key, state, error from mails")
    refused = {row["key"]: row["error"] for row in rows if row["state"] == "failed"}
    assert set(refused) == {"two@a.test,three@b.test", "a@[x"} | (
        set() if smtputf8 else {"zoë@club.example"}
    )
    assert refused["a@[x"] == "the recipient must be a valid email address"
    if not smtputf8:
        assert "SMTPUTF8" in refused["zoë@club.example"]


@pytest.mark.parametrize("server", [True], indirect=True)
async def test_a_kind_that_a_later_release_queued_waits_for_its_workers(
    pool: Pool, server: tuple[Received, int, bool]
) -> None:
    received, port, _ = server
    async with pool.acquire() as connection:
        user = await connection.fetchval(
            "insert into users (email) values ('anna@club.example') returning id"
        )
        kinds = ("a_later_kind", "email_changed")
        await write_mails(connection, [Mail(key=kind, kind=kind, user_id=user) for kind in kinds])
    settings = Settings.model_validate(
        {"LATCHKEY_SECRET": SECRETS[0], "SMTP_URL": f"smtp://127.0.0.1:{port}"}
    )
    await outbox.send_due(pool, settings)
    rows = await pool.fetch("select kind, state, due_at > now() as later from mails order by kind")
    assert [tuple(row) for row in rows] == [
        ("a_later_kind", "queued", True),
        ("email_changed", "sent", True),
    ]
    assert len(received.mails) == 1


async def test_a_name_goes_to_its_persons_own_address_only(pool: Pool) -> None:
    """The link of a claim goes to whatever address somebody typed."""
    async with pool.acquire() as connection:
        user = await connection.fetchval(
            "insert into users (email, name, proven_at) values ('own@club.example', $1, now())"
            " returning id",
            NAME,
        )
        own = Mail(key="own", kind="email_changed", user_id=user)
        other = Mail(key="other", kind="email_changed", user_id=user, to_email="other@x.example")
        await write_mails(connection, [own, other])
        sent = {mail.key: mail.name for mail in await mails.listed(connection)}
    assert sent == {"own": NAME, "other": None}
