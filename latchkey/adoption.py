"""`latchkey adopt`: says what a copy of a site is to be."""

from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft, site_identity
from latchkey.store.pool import Pool, create_pool
from latchkey.store.site_identity import SiteRole
from latchkey.urls import is_local


class AdoptionError(Exception):
    """The site can't be what was asked for. The message says why."""


async def claim(pool: Pool, settings: Settings) -> None:
    """Have a database that never ran act for the public URL. One that was only ever used on this
    machine or its network moves along: that is how a site goes live."""
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.claim(connection, settings.public_url)
        found = await site_identity.read(connection, settings.public_url)
        moved = found.role is SiteRole.COPY and not found.restored
        if moved and found.home and is_local(found.home):
            await site_identity.choose(connection, settings.public_url, SiteRole.ORIGINAL)


async def adopt(settings: Settings, role: SiteRole) -> str:
    """Make the database what `role` says, at the public URL of the settings; returns what that
    means, in sentences. Raises `AdoptionError`."""
    if role is SiteRole.REHEARSAL and not settings.stripe_api_base:
        raise AdoptionError(
            "a rehearsal needs a sandbox in place of Stripe: set STRIPE_API_BASE to its address,"
            " and STRIPE_SECRET_KEY to one of its keys"
        )
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        draft = audit_draft.of_command("latchkey adopt", AuditAction.SITE_ADOPTED)
        with audit_draft.recording(draft):
            async with pool.acquire() as connection, connection.transaction():
                dropped = await site_identity.choose(connection, settings.public_url, role)
    finally:
        await pool.close()
    match role:
        case SiteRole.ORIGINAL:
            unsent = f" {counted(dropped, 'email')} that waited won't be sent." if dropped else ""
            return f"This is the site now, at {settings.public_url}.{unsent}"
        case SiteRole.REHEARSAL:
            return "This is a rehearsal: it uses the sandbox and sends no email."
    return "This is a copy to look at: it sends no email and writes nothing to Stripe."
