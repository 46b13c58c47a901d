"""`latchkey adopt`: says what a copy of a site is to be."""

import structlog

from latchkey import address_proof
from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft, site_identity
from latchkey.store.pool import Pool, create_pool
from latchkey.store.site_identity import SiteIdentity, SiteRole

log = structlog.get_logger("adoption")


class AdoptionError(Exception):
    """The site can't be what was asked for. The message says why."""


async def claim(pool: Pool, settings: Settings) -> SiteIdentity:
    """Have a database that never ran act for the public URL; what it is. One that was copied from
    another database is a copy from now on."""
    async with pool.acquire() as connection, connection.transaction():
        return await site_identity.settle(connection, settings.public_url)


async def is_beside_another(pool: Pool, settings: Settings) -> bool:
    """Make the database a copy, if it is the site although the public URL leads to another one;
    whether it was so. An address that doesn't answer says nothing."""
    async with pool.acquire() as connection:
        identity = await site_identity.read(connection, settings.public_url)
    if identity.role is not SiteRole.ORIGINAL:
        return False
    if await address_proof.leads_here(pool, settings) is not False:
        return False
    log.error("another database answers at the public URL: this one is a copy from now on")
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.become_copy(connection, beside=True)
    return True


def check_role(settings: Settings, role: SiteRole) -> None:
    """Raise `AdoptionError` if the settings don't fit what a database is to be."""
    if role is SiteRole.REHEARSAL and not settings.stripe_api_base:
        raise AdoptionError(
            "a rehearsal needs a sandbox in place of Stripe: set STRIPE_API_BASE to its address,"
            " and STRIPE_SECRET_KEY to one of its keys"
        )


async def adopt(settings: Settings, role: SiteRole) -> str:
    """Make the database what `role` says, at the public URL of the settings; returns what that
    means, in sentences. Raises `AdoptionError`."""
    check_role(settings, role)
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        if role is SiteRole.ORIGINAL and await address_proof.leads_here(pool, settings) is False:
            raise AdoptionError(
                f"the original still answers at {settings.public_url}: stop it, or give this site"
                " another LATCHKEY_PUBLIC_URL"
            )
        async with pool.acquire() as connection:
            scrubbed = (await site_identity.read(connection, settings.public_url)).scrubbed
        if role is SiteRole.ORIGINAL and scrubbed:
            raise AdoptionError("the people in this database are made up: it can't be the site")
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
