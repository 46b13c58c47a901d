"""Sends the emails in the outbox. Without a mail server they stay there, to be read."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import aiosmtplib
import structlog
from prometheus_client import Counter

from latchkey.addresses import AddressError
from latchkey.mail import server as servers
from latchkey.mail.letters import UnknownKindError
from latchkey.mail.render import message, render
from latchkey.settings import Settings
from latchkey.store import mail_texts, site_identity, site_settings
from latchkey.store.feed import mails
from latchkey.store.feed.mails import OutMail
from latchkey.store.mail_texts import MailTexts
from latchkey.store.pool import Pool
from latchkey.store.site_settings import SiteSettings
from latchkey.supervision import LoopSupervisor

BATCH = 10
POLL_SECONDS = 2.0
SERVER_AWAY = timedelta(seconds=60)
LONGEST_BATCH = timedelta(minutes=10)
_AWAY = (aiosmtplib.SMTPServerDisconnected, OSError, TimeoutError)
"""The server is gone, which says nothing about the email itself. aiosmtplib's timeouts are
subclasses of Python's."""

log = structlog.get_logger("outbox")
SENT = Counter("latchkey_mails_total", "Emails by outcome.", ["outcome"])


class MailServerAwayError(OSError):
    """The mail server can't be reached, or broke off; what was due is queued again."""


async def run(pool: Pool, settings: Settings, supervisor: LoopSupervisor) -> None:
    """Send due emails until the supervisor stops."""
    await supervisor.repeat(
        "email", lambda: send_due(pool, settings), every=POLL_SECONDS, patience=LONGEST_BATCH
    )


async def send_due(pool: Pool, settings: Settings) -> bool:
    """Send one batch; True where there may be more. A copy of a site sends nothing, and so does one
    that has no mail server. Raises `MailServerAwayError`."""
    async with pool.acquire() as connection:
        if not (await site_identity.read(connection, settings.public_url)).sends_email:
            return False
        target = await servers.current(connection, settings)
        if target is None:
            return False
        site = await site_settings.read(connection)
        texts = await mail_texts.read(connection)
        due = await mails.claim(connection, limit=BATCH, site=site)
    if not due:
        return False
    try:
        server = await servers.connected(target)
    except servers.FAILURES as error:
        await _put_back(pool, due, f"can't reach the mail server: {error}")
        raise MailServerAwayError from error
    try:
        for place, mail in enumerate(due):
            if not await _send(pool, settings, site, texts, server, mail):
                await _put_back(pool, due[place + 1 :], "the mail server closed the connection")
                raise MailServerAwayError
    finally:
        with suppress(aiosmtplib.SMTPException, OSError):
            await server.quit()
    return len(due) == BATCH


async def _send(
    pool: Pool,
    settings: Settings,
    site: SiteSettings,
    texts: MailTexts,
    server: aiosmtplib.SMTP,
    mail: OutMail,
) -> bool:
    """Send one email; False if the server is gone and the rest needn't be tried."""
    try:
        rendered = render(
            mail,
            public_url=settings.public_url,
            secrets=settings.require_secrets(),
            site=site,
            texts=texts,
        )
        made = message(
            mail, rendered, sender=settings.mail_from, public_url=settings.public_url, site=site
        )
        await server.send_message(made)
    except Exception as error:
        SENT.labels("failed").inc()
        log.warning("email not sent", mail=mail.id, error=type(error).__name__)
        async with pool.acquire() as connection:
            await mails.mark_failed(
                connection, mail, error=_reason(error), for_good=_is_final(error)
            )
        return not isinstance(error, _AWAY)
    SENT.labels("sent").inc()
    async with pool.acquire() as connection, connection.transaction():
        await mails.mark_sent(connection, mail)
    return True


def _is_final(error: Exception) -> bool:
    """Whether retrying is pointless: the recipient or the message is refused (5xx), or the email
    can't be written, whatever the reason. A refused sender is a setting of ours, which somebody
    will fix, and an unknown kind can be written by the release that queued it."""
    match error:
        case UnknownKindError():
            return False
        case aiosmtplib.SMTPRecipientsRefused():
            return all(refusal.code >= 500 for refusal in error.recipients)
        case aiosmtplib.SMTPSenderRefused():
            return False
        case aiosmtplib.SMTPNotSupported():
            return True
        case aiosmtplib.SMTPResponseException():
            return error.code >= 500
        case aiosmtplib.SMTPException():
            return False
    return not isinstance(error, _AWAY)


def _reason(error: Exception) -> str:
    """What admins read beside the email. Postgres holds no NUL."""
    match error:
        case AddressError():
            return f"the recipient {error}"
        case aiosmtplib.SMTPNotSupported():
            return "the mail server doesn't accept addresses with letters beyond a–z (SMTPUTF8)"
    text = str(error) if isinstance(error, aiosmtplib.SMTPException | OSError) else ""
    return (text or f"it can't be written ({type(error).__name__})").replace("\0", "")


async def _put_back(pool: Pool, due: Sequence[OutMail], error: str) -> None:
    if not due:
        return
    log.warning("SMTP unavailable, emails postponed", count=len(due))
    async with pool.acquire() as connection:
        await mails.put_back(connection, [mail.id for mail in due], error=error, pause=SERVER_AWAY)
