"""The first owner of a site that has none: made at a start if the settings name one, else by
whoever opens the link that the start prints."""

import structlog

from latchkey import password_rules, signin_links
from latchkey.passwords import hash_password
from latchkey.rules.vocabulary import AuditAction, AuditActor
from latchkey.settings import Settings, SettingsError
from latchkey.store.audit import Actor, AuditOrigin
from latchkey.store.audit_draft import AuditDraft, recording
from latchkey.store.pool import Connection, Pool, create_pool
from latchkey.store.users import team

log = structlog.get_logger("web")


def weakness(settings: Settings) -> str | None:
    """What is wrong with LATCHKEY_ADMIN_PASSWORD; None if it is strong enough or absent."""
    if settings.admin_password is None:
        return None
    password, names = settings.admin_password.get_secret_value(), [settings.admin_email or ""]
    return password_rules.weakness(password, staff=True, names=names)


async def check(settings: Settings) -> None:
    """Raises `SettingsError` where the first owner would get a weak password."""
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        async with pool.acquire() as connection:
            await _wanted(connection, settings)
    finally:
        await pool.close()


async def setup_link(connection: Connection, settings: Settings) -> str | None:
    """Where a site is set up in a browser; None if it has an owner, or the settings name one. Who
    has the link owns the site."""
    named = settings.admin_email and settings.admin_password
    if named or await team.has_owner(connection):
        return None
    token = signin_links.sign_setup(settings.public_url, secrets=settings.require_secrets())
    return f"{settings.public_url}/setup/{token}"


async def ensure(pool: Pool, settings: Settings) -> None:
    """Make the owner that the settings name, on a site that has none, or log the link by which it
    is set up. Raises `SettingsError` if the password is weak; where it isn't needed, a weak one is
    only logged."""
    async with pool.acquire() as connection:
        if link := await setup_link(connection, settings):
            log.warning("this site has no owner yet: open the link to set it up", link=link)
            return
        wanted = await _wanted(connection, settings)
        if wanted is None:
            if weakness(settings):
                log.warning(
                    "LATCHKEY_ADMIN_PASSWORD is weak: remove it, since the site has an owner, who"
                    " should use another one"
                )
            return
        email, password = wanted
        password_hash = await hash_password(password)
        draft = AuditDraft(
            AuditAction.ROLE_CHANGED,
            AuditOrigin(agent="LATCHKEY_ADMIN_EMAIL"),
            lambda: Actor(AuditActor.SETTINGS),
        )
        with recording(draft):
            async with connection.transaction():
                made = await team.make_first_owner(connection, email, password_hash)
    if not made:
        log.warning(
            "no owner was made: the address of LATCHKEY_ADMIN_EMAIL belongs to a member already;"
            " `latchkey owner` makes them one"
        )


async def _wanted(connection: Connection, settings: Settings) -> tuple[str, str] | None:
    """The address and password of the owner to make, if there is one to make. Raises
    `SettingsError` if the password is weak."""
    if not settings.admin_email or not settings.admin_password:
        return None
    if await team.has_owner(connection):
        return None
    wrong = weakness(settings)
    if wrong:
        raise SettingsError(f"LATCHKEY_ADMIN_PASSWORD: {wrong}")
    return settings.admin_email, settings.admin_password.get_secret_value()
