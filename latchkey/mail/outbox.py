"""Sends what is in the outbox, where an SMTP server is set; elsewhere mails stay readable there."""

import asyncio
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import aiosmtplib
import asyncpg
import structlog
from prometheus_client import Counter

from latchkey.mail.render import message, render
from latchkey.settings import Settings
from latchkey.store import mails
from latchkey.store.pool import Pool

BATCH = 20
POLL_SECONDS = 2.0

log = structlog.get_logger("outbox")
SENT = Counter("latchkey_mails_total", "Mails by outcome.", ["outcome"])


async def run(pool: Pool, settings: Settings, stop: asyncio.Event) -> None:
    """Send due mails until `stop` is set; does nothing where SMTP_URL is absent."""
    if settings.smtp_url is None:
        return
    while not stop.is_set():
        try:
            busy = await send_due(pool, settings)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.error("outbox can't reach the database", error=type(error).__name__)
            busy = False
        if not busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)


async def send_due(pool: Pool, settings: Settings) -> bool:
    """Send one batch; True where there may be more."""
    async with pool.acquire() as connection:
        due = await mails.claim(connection, limit=BATCH)
    if not due:
        return False
    assert settings.smtp_url is not None, "run checks it"
    try:
        server = await _connected(settings.smtp_url.get_secret_value())
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        await _put_back(pool, due, f"can't reach the mail server: {error}")
        return False
    try:
        for mail in due:
            await _send(pool, settings, server, mail)
    finally:
        with suppress(aiosmtplib.SMTPException):
            await server.quit()
    return len(due) == BATCH


async def _send(
    pool: Pool, settings: Settings, server: aiosmtplib.SMTP, mail: mails.OutMail
) -> None:
    rendered = render(mail, public_url=settings.public_url, secret=settings.require_secret())
    made = message(mail, rendered, sender=settings.mail_from, public_url=settings.public_url)
    try:
        await server.send_message(made)
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        refused = isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500
        refused = refused or isinstance(error, aiosmtplib.SMTPRecipientsRefused | ValueError)
        SENT.labels("failed").inc()
        log.warning("mail not sent", mail=mail.id, error=type(error).__name__)
        async with pool.acquire() as connection:
            await mails.mark_failed(connection, mail, error=str(error), for_good=refused)
        return
    SENT.labels("sent").inc()
    async with pool.acquire() as connection:
        await mails.mark_sent(connection, mail.id)


async def _put_back(pool: Pool, due: list[mails.OutMail], error: str) -> None:
    log.warning("mails wait", count=len(due), error=error)
    async with pool.acquire() as connection:
        for mail in due:
            await mails.mark_failed(connection, mail, error=error, for_good=False)


async def _connected(url: str) -> aiosmtplib.SMTP:
    """A session with the server of an address such as `smtp://user:password@host:587` (STARTTLS
    where offered) or `smtps://…` (TLS from the start)."""
    parts = urlsplit(url)
    tls = parts.scheme == "smtps"
    server = aiosmtplib.SMTP(
        hostname=parts.hostname or "localhost",
        port=parts.port or (465 if tls else 25),
        use_tls=tls,
        start_tls=False if tls else None,
        timeout=20,
    )
    await server.connect()
    if parts.username:
        await server.login(unquote(parts.username), unquote(parts.password or ""))
    return server
