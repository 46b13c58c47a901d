"""`latchkey owner`: lets an owner who can't sign in any more back in, from the server."""

from dataclasses import dataclass
from secrets import token_urlsafe
from urllib.parse import quote

from latchkey import signin_links
from latchkey.addresses import AddressError, mailbox
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft
from latchkey.store.pool import create_pool
from latchkey.store.users import team, users

NEXT = "/account/settings#password"


class RecoveryError(Exception):
    """Nobody can be made an owner this way. The message says why."""


@dataclass(frozen=True)
class Recovered:
    """The new owner's address, and a link that signs them in once within 15 minutes."""

    email: str
    link: str


async def who_it_is(settings: Settings, email: str) -> str:
    """What `recover` will do, as a sentence to confirm. Raises `RecoveryError`."""
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        async with pool.acquire() as connection:
            user = await users.by_email(connection, _checked(email))
    finally:
        await pool.close()
    if user is None:
        return f"There is no account for {email}. One is created and owns the site."
    becomes = "is an owner" if user.role == "owner" else f"({user.role}) becomes an owner"
    return (
        f"{user.email} {becomes}. Their sessions end; their password, second factors and the"
        " sign-in links that were emailed to them no longer work."
    )


async def recover(settings: Settings, email: str) -> Recovered:
    """Make a person an owner, creating the account if needed, and end every other way to sign in to
    it.

    Raises `RecoveryError`.
    """
    secrets = settings.require_secrets()
    pool = await create_pool(settings.require_database(), max_size=1)
    try:
        draft = audit_draft.of_command("latchkey owner", AuditAction.OWNER_RECOVERED)
        with audit_draft.recording(draft):
            async with pool.acquire() as connection, connection.transaction():
                owner = await team.recover_owner(connection, _checked(email))
    finally:
        await pool.close()
    token = signin_links.sign(
        owner.id,
        f"owner:{token_urlsafe(12)}",
        secrets=secrets,
        epoch=owner.link_epoch,
        kind="owner",
    )
    return Recovered(owner.email, f"{settings.public_url}/login/{token}?next={quote(NEXT)}")


def _checked(email: str) -> str:
    try:
        return mailbox(email).shown
    except AddressError as error:
        raise RecoveryError(f"the email address {error}") from None
