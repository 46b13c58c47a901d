"""Which site this database is: the address that it acts for.

A database that is copied, or restored elsewhere, knows the address of its original. Under another
address it is a copy: it goes on reading and answering, but sends no email and writes nothing to
Stripe until somebody says what it is to be.
"""

from dataclasses import dataclass
from enum import StrEnum

from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.urls import is_local

KEY = "identity"


class SiteRole(StrEnum):
    """What a database does under the address that its programs run at."""

    ORIGINAL = "original"
    COPY = "copy"
    READ_ONLY = "read_only"
    REHEARSAL = "rehearsal"


@dataclass(frozen=True)
class SiteIdentity:
    """`home` is the address that the database acts for, None before its first start. `restored` is
    when the backup was made that a copy came from, in UTC, if it came from one."""

    home: str | None = None
    role: SiteRole = SiteRole.ORIGINAL
    restored: str | None = None

    @property
    def sends_email(self) -> bool:
        return self.role is SiteRole.ORIGINAL

    @property
    def sends_webhooks(self) -> bool:
        return self.role is SiteRole.ORIGINAL

    @property
    def writes_to_stripe(self) -> bool:
        """A rehearsal has a sandbox in place of Stripe."""
        return self.role in (SiteRole.ORIGINAL, SiteRole.REHEARSAL)

    @property
    def notifies_sites(self) -> bool:
        """Whether it tells other sites what happened here."""
        return self.role is SiteRole.ORIGINAL

    @property
    def signs_tokens(self) -> bool:
        """Whether it vouches for people towards other sites. A rehearsal has keys of its own."""
        return self.role in (SiteRole.ORIGINAL, SiteRole.REHEARSAL)


async def read(connection: Connection, address: str) -> SiteIdentity:
    """What the database is for programs whose public URL is `address`. All local addresses are one
    place: nobody else reaches them."""
    kept = await connection.fetchval("select value from site_settings where key = $1", KEY)
    if kept is None:
        return SiteIdentity()
    home = kept["home"]
    same = home == address or (is_local(home) and is_local(address))
    role = SiteRole(kept["role"]) if same else SiteRole.COPY
    return SiteIdentity(home, role, kept.get("restored"))


async def silence(connection: Connection, address: str, made_at: str) -> None:
    """Make what was restored from a backup a copy, also at its own address: its original may still
    run, and what waited in it may have been sent since. One that a release before 0.2 left has no
    address: it gets this one."""
    await claim(connection, address)
    await connection.execute(
        """
        update site_settings
           set value = value || jsonb_build_object('role', $2::text, 'restored', $3::text)
         where key = $1
        """,
        KEY,
        SiteRole.COPY,
        made_at,
    )


async def claim(connection: Connection, address: str) -> None:
    """Have the database act for an address, unless it acts for one already."""
    await connection.execute(
        """
        insert into site_settings (key, value)
        values ($1, jsonb_build_object('home', $2::text, 'role', 'original'))
        on conflict (key) do nothing
        """,
        KEY,
        address,
    )


async def choose(connection: Connection, address: str, role: SiteRole) -> int:
    """Say what the database is to be at an address, and have it act for that address from now on.

    Emails and webhooks that wait were meant by the original, or written while the copy didn't act:
    an original doesn't send them any more. Returns how many emails. It gets signing keys of its
    own, so that no token of one site is valid for another. The caller opens the transaction.
    """
    before = await read(connection, address)
    await connection.execute(
        """
        insert into site_settings (key, value)
        values ($1, jsonb_build_object('home', $2::text, 'role', $3::text))
        on conflict (key) do update set value = excluded.value
        """,
        KEY,
        address,
        role,
    )
    await connection.execute("delete from signing_keys")
    await connection.execute("delete from oauth_logouts")
    audit_draft.note(
        before={"home": before.home, "role": before.role}, after={"home": address, "role": role}
    )
    if before.sends_email or role is not SiteRole.ORIGINAL:
        return 0
    await connection.execute("delete from webhook_facts")
    await connection.execute(
        "update webhook_deliveries set state = 'dropped', done_at = now() where state = 'waiting'"
    )
    dropped: int = await connection.fetchval(
        """
        with dropped as (
            update mails set state = 'suppressed', error = $1
             where state in ('queued', 'sending') returning id)
        select count(*) from dropped
        """,
        "this site was a copy when it was due",
    )
    return dropped
