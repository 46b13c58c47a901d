"""The mail server that emails are sent through: which it is, a session with it, what went wrong."""

import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from socket import gaierror
from urllib.parse import unquote, urlsplit

import aiosmtplib

from latchkey.rules.vocabulary import MailSecurity
from latchkey.settings import Settings
from latchkey.store import mail_server
from latchkey.store.mail_server import StoredMailServer
from latchkey.store.pool import Connection
from latchkey.vault import Purpose, Vault

TIMEOUT_SECONDS = 20
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
FAILURES = (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError)
"""What a session with a mail server may raise."""


@dataclass(frozen=True)
class MailServer:
    """Where a mail server is, and how to sign in there. Without a `username` nobody signs in."""

    host: str
    port: int
    security: MailSecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The server in one line, without the password."""
        account = f"{self.username}@" if self.username else ""
        return f"{account}{self.host}:{self.port} ({self.security})"


def of_settings(settings: Settings) -> MailServer | None:
    """The server of SMTP_URL, such as `smtp://user:password@host:587` (STARTTLS) or `smtps://…`
    (TLS from the start)."""
    if settings.smtp_url is None:
        return None
    parts = urlsplit(settings.smtp_url.get_secret_value())
    tls = parts.scheme == "smtps"
    lax = settings.smtp_tls == "opportunistic"
    return MailServer(
        host=parts.hostname or "localhost",
        port=parts.port or (465 if tls else 25),
        security=MailSecurity.TLS
        if tls
        else MailSecurity.OPPORTUNISTIC
        if lax
        else MailSecurity.STARTTLS,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or ""),
    )


def of_stored(stored: StoredMailServer, vault: Vault) -> MailServer:
    """The server that an admin entered. Raises `VaultError` if its password can't be opened."""
    sealed = stored.password_encrypted
    return MailServer(
        stored.host,
        stored.port,
        stored.security,
        stored.username,
        vault.open(sealed, Purpose.SMTP_PASSWORD) if sealed else None,
    )


async def current(connection: Connection, settings: Settings) -> MailServer | None:
    """The server to send through: that of SMTP_URL, else the one that an admin entered. Raises
    `VaultError`."""
    if settings.smtp_url is not None:
        return of_settings(settings)
    stored = await mail_server.read(connection)
    return of_stored(stored, Vault(settings.require_secrets())) if stored else None


async def is_set(connection: Connection, settings: Settings) -> bool:
    """Whether emails are sent, rather than kept for admins to read."""
    return settings.smtp_url is not None or await mail_server.read(connection) is not None


async def connected(server: MailServer, *, timeout: float = TIMEOUT_SECONDS) -> aiosmtplib.SMTP:
    """A session with the server. Raises one of `FAILURES`.

    Without TLS nothing is sent, above all no password, except on this machine or where TLS is
    opportunistic.
    """
    tls = server.security is MailSecurity.TLS
    lax = server.host in THIS_MACHINE or server.security is MailSecurity.OPPORTUNISTIC
    session = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=tls,
        start_tls=False if tls else None if lax else True,
        timeout=timeout,
    )
    await session.connect()
    if server.username:
        try:
            await session.login(server.username, server.password or "")
        except BaseException:
            session.close()
            raise
    return session


async def deliver(server: MailServer, message: EmailMessage, *, timeout: float) -> None:
    """Send one message in a session of its own. Raises one of `FAILURES`."""
    session = await connected(server, timeout=timeout)
    try:
        await session.send_message(message)
    finally:
        await _leave(session)


async def check(server: MailServer, *, timeout: float) -> None:
    """Sign in, and send nothing. Raises one of `FAILURES`."""
    await _leave(await connected(server, timeout=timeout))


async def _leave(session: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        await session.quit()


def explained(error: BaseException, server: MailServer) -> str:
    """What went wrong with a session, in a sentence or two: what to change, and the server's own
    answer if it gave one."""
    where = f"{server.host}, port {server.port}"
    for cause in _chain(error):
        said = _of_network(cause, server) or _of_answer(cause)
        if said:
            return said
    match error:
        case TimeoutError():
            return (
                f"{where}, doesn't answer. Check host and port, and whether a firewall is between."
                " A server that expects TLS from the start keeps silent if it is asked for"
                " STARTTLS."
            )
        case aiosmtplib.SMTPException() if "AUTH" in str(error).upper():
            return (
                "The server offers no sign-in that works here. Choose another encryption, or leave"
                " the user name empty."
            )
        case aiosmtplib.SMTPException() if "STARTTLS" in str(error):
            return (
                f"The server at {where}, doesn't offer STARTTLS. Choose TLS from the start if that"
                " is its port, or another port."
            )
        case aiosmtplib.SMTPNotSupported():
            return (
                f"The server at {where}, takes no address with letters beyond a to z before the @."
                " Use another one as sender or recipient."
            )
    return f"The connection to {where}, broke off. Check that a mail server listens there."


def _of_network(error: BaseException, server: MailServer) -> str | None:
    where = f"{server.host}, port {server.port}"
    match error:
        case gaierror():
            return f"There is no server called {server.host}. Check the host name."
        case ConnectionRefusedError():
            return f"Nothing answers at {where}. Check the port."
        case ssl.SSLCertVerificationError():
            return (
                f"The certificate of {server.host} isn't valid for that name"
                f" ({error.verify_message}). Enter the name that the certificate is for."
            )
        case ssl.SSLError():
            return (
                f"The TLS handshake with {where}, failed. Servers usually expect TLS from the start"
                " on port 465, and STARTTLS on port 587."
            )
    return None


def _of_answer(error: BaseException) -> str | None:
    """What a refusal means, with the server's words."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return f"The server refused the recipient. {_words(error.recipients[0])}"
        case aiosmtplib.SMTPAuthenticationError():
            what = "the user name or password"
        case aiosmtplib.SMTPSenderRefused():
            what = "the sender: use a From address that this account may send from"
        case aiosmtplib.SMTPResponseException():
            what = "the email"
        case _:
            return None
    return f"The server refused {what}. {_words(error)}"


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, the innermost first."""
    found = [error]
    while (cause := found[-1].__cause__) is not None:
        found.append(cause)
    return found[::-1]


def _words(error: aiosmtplib.SMTPResponseException) -> str:
    """The server's words. Postgres holds no NUL."""
    message = " ".join(error.message.replace("\0", "").split())
    return f"It said: {error.code} {message[:300]}"
