"""What people read when a mail server doesn't take an email."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from latchkey import adoption, doctor_mail
from latchkey.doctor_checks import Check
from latchkey.mail import outbox
from latchkey.mail import server as servers
from latchkey.mail.server import MailServer
from latchkey.rules.vocabulary import MailSecurity
from latchkey.settings import Settings
from latchkey.store import mail_server
from latchkey.store.mail_server import StoredMailServer
from latchkey.store.pool import Pool, create_pool
from latchkey.vault import Purpose, Vault
from tests.harness import Postgres, free_port

pytestmark = pytest.mark.anyio

NEARBY = "127.0.0.2"
"""Another machine, as far as the rules for encryption are concerned."""


class Choosy:
    """Refuses what comes from or goes to `gone@`."""

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return "550 5.7.60 not your address" if address.startswith("gone@") else "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "550 5.1.1 no such mailbox" if address.startswith("gone@") else "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 OK"


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[int]:
    """A mail server without TLS, whose only account is `user` with the password `right`."""

    def login(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    loop, port = asyncio.get_running_loop(), free_port()
    server = await loop.create_server(
        lambda: SMTP(Choosy(), authenticator=login, **{"auth_require_tls": False} | options),
        NEARBY,
        port,
    )
    try:
        yield port
    finally:
        server.close()


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A server that accepts connections and says nothing."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    server = await asyncio.start_server(listen, NEARBY, port)
    try:
        yield port
    finally:
        server.close()


def letter(sender: str = "club@a.example", to: str = "ada@a.example") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = sender, to
    made.set_content("Hello")
    return made


async def problem(target: MailServer, message: EmailMessage | None = None) -> str:
    with pytest.raises(servers.FAILURES) as refused:
        await servers.deliver(target, message or letter(), timeout=0.5)
    return servers.explained(refused.value, target)


@pytest.mark.parametrize(
    ("security", "account", "message", "said"),
    [
        (MailSecurity.STARTTLS, (None, None), letter(), "doesn't offer STARTTLS"),
        (MailSecurity.TLS, (None, None), letter(), "The TLS handshake"),
        (
            MailSecurity.OPPORTUNISTIC,
            ("user", "wrong"),
            letter(),
            "refused the user name or password. It said: 535 5.7.8",
        ),
        (
            MailSecurity.OPPORTUNISTIC,
            ("user", "right"),
            letter(sender="gone@a.example"),
            "may send from. It said: 550 5.7.60 not your address",
        ),
        (
            MailSecurity.OPPORTUNISTIC,
            ("user", "right"),
            letter(to="gone@a.example"),
            "refused the recipient. It said: 550 5.1.1 no such mailbox",
        ),
    ],
    ids=["no STARTTLS", "no TLS", "password", "sender", "recipient"],
)
async def test_refusals_say_what_to_change(
    security: MailSecurity, account: tuple[str, str], message: EmailMessage, said: str
) -> None:
    async with serving() as port:
        target = MailServer(NEARBY, port, security, *account)
        assert said in await problem(target, message)
        assert account[1] is None or account[1] not in f"{target} {target.name}"


async def test_a_server_that_cannot_be_reached_says_why() -> None:
    nowhere = MailServer("smtp.club.invalid", 25, MailSecurity.STARTTLS)
    assert "no server called smtp.club.invalid" in await problem(nowhere)
    closed = MailServer(NEARBY, free_port(), MailSecurity.STARTTLS)
    assert f"Nothing answers at {NEARBY}, port {closed.port}." in await problem(closed)
    async with silent() as port:
        assert "doesn't answer" in await problem(MailServer(NEARBY, port, MailSecurity.STARTTLS))


async def test_a_server_that_fits_takes_the_email() -> None:
    async with serving() as port:
        target = MailServer(NEARBY, port, MailSecurity.OPPORTUNISTIC, "user", "right")
        await servers.deliver(target, letter(), timeout=20)


@pytest.mark.parametrize(
    ("url", "policy", "security", "port"),
    [
        ("smtp://a%40b.example:p%2Fw@mail.example", "required", MailSecurity.STARTTLS, 25),
        (
            "smtp://a%40b.example:p%2Fw@mail.example:2525",
            "opportunistic",
            MailSecurity.OPPORTUNISTIC,
            2525,
        ),
        ("smtps://a%40b.example:p%2Fw@mail.example", "opportunistic", MailSecurity.TLS, 465),
    ],
)
def test_smtp_url_names_the_server(
    url: str, policy: str, security: MailSecurity, port: int
) -> None:
    settings = Settings.model_validate({"SMTP_URL": url, "LATCHKEY_SMTP_TLS": policy})
    assert servers.of_settings(settings) == MailServer(
        "mail.example", port, security, "a@b.example", "p/w"
    )


async def test_a_refused_account_leaves_no_connection_open() -> None:
    async with serving() as port:
        target = MailServer(NEARBY, port, MailSecurity.OPPORTUNISTIC, "user", "wrong")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
            await servers.connected(target)
        session = refused.traceback[1].frame.f_locals["session"]
        assert not session.is_connected


@pytest.mark.parametrize(
    "options",
    [{"auth_require_tls": True}, {"auth_exclude_mechanism": ["LOGIN", "PLAIN"]}],
    ids=["none", "none that we know"],
)
async def test_a_server_without_a_sign_in_says_so(options: dict[str, Any]) -> None:
    async with serving(**options) as port:
        target = MailServer(NEARBY, port, MailSecurity.OPPORTUNISTIC, "user", "right")
        assert "offers no sign-in that works here" in await problem(target)


async def test_a_server_that_takes_only_ascii_says_so() -> None:
    async with serving(enable_SMTPUTF8=False) as port:
        target = MailServer(NEARBY, port, MailSecurity.OPPORTUNISTIC, "user", "right")
        said = await problem(target, letter(to="jos\u00e9@a.example"))
        assert "letters beyond a to z" in said


def test_an_answer_without_words_is_explained() -> None:
    target = MailServer("mail.example", 25, MailSecurity.TLS)
    broken = aiosmtplib.SMTPServerDisconnected("x")
    assert "broke off" in servers.explained(broken, target)


SECRET = "a-secret-of-this-test"


async def checked(dsn: str, **given: str) -> list[Check]:
    settings = Settings.model_validate(
        {"DATABASE_URL": dsn, "LATCHKEY_SECRET": SECRET, "SMTP_URL": None} | given
    )
    return await doctor_mail.of_mail_server(settings)


async def entered(postgres: Postgres, port: int, *, secret: str = SECRET) -> str:
    """A database in which the server at `port` was entered."""
    dsn = await postgres.create()
    password = Vault((secret,)).seal("right", Purpose.SMTP_PASSWORD)
    stored = StoredMailServer(NEARBY, port, MailSecurity.OPPORTUNISTIC, "user", password)
    async with await create_pool(dsn) as pool, pool.acquire() as connection:
        await mail_server.save(connection, stored)
    return dsn


async def test_doctor_signs_in_to_the_server_that_was_entered(postgres: Postgres) -> None:
    async with serving() as port:
        dsn = await entered(postgres, port)
        [answering] = await checked(dsn)
    [away] = await checked(dsn)
    assert answering.ok
    assert not away.ok
    assert away.advice == f"Nothing answers at {NEARBY}, port {port}. Check the port."


async def test_doctor_says_that_a_mail_servers_password_is_sealed_otherwise(
    postgres: Postgres,
) -> None:
    [lost] = await checked(await entered(postgres, free_port(), secret="another-secret-of-old"))
    assert not lost.ok
    assert "can't be opened" in lost.found


async def test_doctor_tries_the_server_of_the_environment_first(postgres: Postgres) -> None:
    async with serving() as port:
        dsn = await entered(postgres, free_port())
        given = {"LATCHKEY_SMTP_TLS": "opportunistic"}
        [right] = await checked(dsn, SMTP_URL=f"smtp://user:right@{NEARBY}:{port}", **given)
        [wrong] = await checked(dsn, SMTP_URL=f"smtp://user:wrong@{NEARBY}:{port}", **given)
    assert right.ok
    assert "refused the user name or password" in wrong.advice


async def test_doctor_says_nothing_of_mail_servers_where_there_is_none(postgres: Postgres) -> None:
    assert await checked(await postgres.create()) == []
    assert await checked("postgresql://127.0.0.1:9/none") == []


class Hanging(Choosy):
    """Takes `takes` emails, and then says nothing to the next one until it is `free`."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.free = asyncio.Event()
        self.taken: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if len(self.taken) == self.takes and not self.free.is_set():
            await self.free.wait()
            return "451 too late"
        self.taken += envelope.rcpt_tos
        return "250 OK"


async def test_a_server_that_hangs_amid_emails_loses_and_repeats_none(
    dsn: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    patiently = servers.connected
    monkeypatch.setattr(servers, "connected", lambda server: patiently(server, timeout=2))
    handler = Hanging(takes=1)
    port = free_port()
    given = {"SMTP_URL": f"smtp://127.0.0.1:{port}", "LATCHKEY_PUBLIC_URL": "http://127.0.0.1:9"}
    settings = Settings.model_validate(given | {"LATCHKEY_SECRET": SECRET, "DATABASE_URL": dsn})
    await adoption.claim(pool, settings)
    people = [f"hanging{number}@post.example" for number in range(3)]
    await pool.execute("insert into users (email) select unnest($1::text[])", people)
    await pool.execute(
        "insert into mails (key, kind, user_id)"
        " select 'how:' || id, 'login_instructions', id from users"
    )
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler), "127.0.0.1", port
    )
    try:
        with pytest.raises(outbox.MailServerAwayError):
            await outbox.send_due(pool, settings)
        left = await pool.fetch("select due_at > now() as later from mails where state = 'queued'")
        assert [row["later"] for row in left] == [True, True], "one is sent, two are put back"
        handler.free.set()
        await pool.execute("update mails set due_at = now()")
        await outbox.send_due(pool, settings)
    finally:
        server.close()
    assert sorted(handler.taken) == people
    assert await pool.fetchval("select count(*) from mails where state <> 'sent'") == 0
