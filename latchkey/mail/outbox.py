"""Sends the emails in the outbox. Without an SMTP server they stay there, to be read."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import aiosmtplib
import asyncpg
import structlog
from prometheus_client import Counter

from latchkey.mail.render import message, render
from latchkey.settings import Settings
from latchkey.store import site_settings
from latchkey.store.feed import mails
from latchkey.store.feed.mails import OutMail
from latchkey.store.pool import Pool
from latchkey.store.site_settings import SiteSettings

BATCH = 10
POLL_SECONDS = 2.0
SERVER_AWAY = timedelta(seconds=60)
_AWAY = (aiosmtplib.SMTPServerDisconnected, OSError, TimeoutError)
"""The server is gone, which says nothing about the email itself. aiosmtplib's timeouts are
subclasses of Python's."""

log = structlog.get_logger("outbox")
SENT = Counter("latchkey_mails_total", "Emails by outcome.", ["outcome"])


async def run(pool: Pool, settings: Settings, stop: asyncio.Event) -> None:
    """Send due emails until `stop` is set; does nothing without SMTP_URL."""
    if settings.smtp_url is None:
        return
    while not stop.is_set():
        try:
            busy = await send_due(pool, settings)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.error("database unavailable, retrying", error=type(error).__name__)
            busy = False
        if not busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)


async def send_due(pool: Pool, settings: Settings) -> bool:
    """Send one batch; True if there may be more."""
    async with pool.acquire() as connection:
        site = await site_settings.read(connection)
        due = await mails.claim(connection, limit=BATCH, site=site)
    if not due:
        return False
    assert settings.smtp_url is not None, "run checks it"
    try:
        server = await _connected(settings.smtp_url.get_secret_value())
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        await _put_back(pool, due, f"can't reach the mail server: {error}")
        return False
    try:
        for place, mail in enumerate(due):
            if not await _send(pool, settings, site, server, mail):
                await _put_back(pool, due[place + 1 :], "the mail server closed the connection")
                return False
    finally:
        with suppress(aiosmtplib.SMTPException, OSError):
            await server.quit()
    return len(due) == BATCH


async def _send(
    pool: Pool, settings: Settings, site: SiteSettings, server: aiosmtplib.SMTP, mail: OutMail
) -> bool:
    """Send one email; False if the server is gone and the rest needn't be tried."""
    try:
        rendered = render(
            mail, public_url=settings.public_url, secrets=settings.require_secrets(), site=site
        )
        made = message(
            mail, rendered, sender=settings.mail_from, public_url=settings.public_url, site=site
        )
        await server.send_message(made)
    except (aiosmtplib.SMTPException, OSError, ValueError, KeyError) as error:
        SENT.labels("failed").inc()
        log.warning("email not sent", mail=mail.id, error=type(error).__name__)
        async with pool.acquire() as connection:
            await mails.mark_failed(connection, mail, error=str(error), for_good=_is_final(error))
        return not isinstance(error, _AWAY)
    SENT.labels("sent").inc()
    async with pool.acquire() as connection, connection.transaction():
        await mails.mark_sent(connection, mail)
    return True


def _is_final(error: Exception) -> bool:
    """Whether retrying is pointless: the recipient or the message is refused (5xx), or the email
    can't be rendered. A refused sender is a setting of ours, which somebody will fix."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return all(refusal.code >= 500 for refusal in error.recipients)
        case aiosmtplib.SMTPSenderRefused():
            return False
        case aiosmtplib.SMTPResponseException():
            return error.code >= 500
    return isinstance(error, ValueError | KeyError)


async def _put_back(pool: Pool, due: Sequence[OutMail], error: str) -> None:
    if not due:
        return
    log.warning("SMTP unavailable, emails postponed", count=len(due))
    async with pool.acquire() as connection:
        await mails.put_back(connection, [mail.id for mail in due], error=error, pause=SERVER_AWAY)


async def _connected(url: str) -> aiosmtplib.SMTP:
    """Connect to a URL such as `smtp://user:password@host:587` (STARTTLS if offered) or `smtps://…`
    (TLS from the start)."""
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
