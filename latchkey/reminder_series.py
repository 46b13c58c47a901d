"""Queues the emails that follow a failed payment, on the days that the site chose, and those about
cards that expire before the next bill."""

from datetime import UTC, datetime, timedelta

import structlog

from latchkey.settings import Settings
from latchkey.store import site_identity, site_settings
from latchkey.store.pool import Pool
from latchkey.store.purchases import reminders
from latchkey.store.site_identity import SiteRole
from latchkey.supervision import LoopSupervisor

POLL_SECONDS = 300.0

log = structlog.get_logger("reminders")


async def run(pool: Pool, settings: Settings, supervisor: LoopSupervisor) -> None:
    """Queue due emails until the supervisor stops."""

    async def look() -> bool:
        await queue_due(pool, settings.public_url, as_of=datetime.now(UTC))
        return False

    await supervisor.repeat("reminders", look, every=POLL_SECONDS, patience=timedelta(minutes=10))


async def queue_due(pool: Pool, address: str, *, as_of: datetime) -> int:
    """Queue the emails that are due at `as_of` for the site at `address`; returns how many are new.
    A copy queues none."""
    async with pool.acquire() as connection, connection.transaction():
        site = await site_settings.read(connection)
        if not (site.reminder_mail or site.card_mail):
            return 0
        identity = await site_identity.read(connection, address)
        if identity.role not in (SiteRole.ORIGINAL, SiteRole.REHEARSAL):
            return 0
        count = 0
        if site.reminder_mail:
            count += await reminders.queue_due(connection, days=site.reminder_days, as_of=as_of)
        if site.card_mail:
            count += await reminders.queue_expiring(connection, as_of=as_of)
    if count:
        log.info("payment reminders queued", count=count)
    return count
