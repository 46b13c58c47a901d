"""`latchkey scrub`: makes staging data of a copy of a site, without anything personal in it."""

from latchkey import adoption
from latchkey.adoption import AdoptionError
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft, scrub, site_identity
from latchkey.store.pool import create_pool
from latchkey.store.scrub import Scrubbed
from latchkey.store.site_identity import SiteRole


async def scrub_copy(settings: Settings, role: SiteRole) -> Scrubbed:
    """Replace everything personal in the database of the settings, and make it what `role` says.

    All of it or nothing. Works on a copy that nothing else uses. Raises `AdoptionError`.
    """
    adoption.check_role(settings, role)
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        found = await adoption.claim(pool, settings)
        if found.acts_for_home:
            raise AdoptionError(
                f"this is the database of {found.home}, not a copy of it: restore a backup into"
                " another database, and scrub that. If it is a clone of the whole server, run"
                " `latchkey silence` on it first"
            )
        draft = audit_draft.of_command("latchkey scrub", AuditAction.SITE_SCRUBBED)
        with audit_draft.recording(draft):
            async with pool.acquire() as connection, connection.transaction():
                if programs := await scrub.others(connection):
                    raise AdoptionError(
                        "other programs are connected to this database: stop them"
                        f" ({', '.join(sorted(set(programs)))})"
                    )
                done = await scrub.scrub(connection)
                await site_identity.choose(connection, settings.public_url, role, scrubbed=True)
        async with pool.acquire() as connection:
            await scrub.clean_up(connection)
    finally:
        await pool.close()
    return done
