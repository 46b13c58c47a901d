"""Which site this database is: the address that it acts for.

A database that is copied, or restored elsewhere, knows the address and the database of its
original. Under another address, or in another database, it is a copy: it goes on reading and
answering, but sends no email and writes nothing to Stripe until somebody says what it is to be.
"""

from dataclasses import dataclass
from enum import StrEnum
from secrets import token_hex

import structlog

from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.urls import is_local

KEY = "identity"
UNKNOWN_SERVER = "unknown"
"""What `this_database()` calls a server that doesn't say which one it is."""

log = structlog.get_logger("site")


class SiteRole(StrEnum):
    """What a database does under the address that its programs run at."""

    ORIGINAL = "original"
    COPY = "copy"
    READ_ONLY = "read_only"
    REHEARSAL = "rehearsal"


@dataclass(frozen=True)
class SiteIdentity:
    """`home` is the address that the database acts for, None before its first start. `restored` is
    when the backup was made that a copy came from, in UTC, if it came from one. `instance` names
    this database among its copies. `beside`: another database answers at the address. `scrubbed`:
    its people are made up. `acts_for_home`: under the address `home` it is the site, though the
    programs may run under another one."""

    home: str | None = None
    role: SiteRole = SiteRole.ORIGINAL
    restored: str | None = None
    instance: str | None = None
    beside: bool = False
    scrubbed: bool = False
    acts_for_home: bool = False

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
    row = await connection.fetchrow(
        "select value, this_database() as database from site_settings where key = $1", KEY
    )
    if row is None:
        return SiteIdentity()
    kept, home = row["value"], row["value"]["home"]
    same_place = home == address or (is_local(home) and is_local(address))
    same_database = not _differ(kept.get("database"), row["database"])
    return SiteIdentity(
        home,
        role=SiteRole(kept["role"]) if same_place and same_database else SiteRole.COPY,
        restored=kept.get("restored"),
        instance=kept.get("instance"),
        beside=kept.get("beside", False),
        scrubbed=kept.get("scrubbed", False),
        acts_for_home=same_database and kept["role"] == SiteRole.ORIGINAL,
    )


async def settle(connection: Connection, address: str) -> SiteIdentity:
    """Have the database act for an address, unless it acts for one already, and note which database
    it is.

    One that was only ever used on this machine or its network moves along: that is how a site goes
    live. Any other one that turns out to be a copy of another database is a copy from now on, with
    a name of its own. The caller opens the transaction.
    """
    await _claim(connection, address)
    row = await connection.fetchrow(
        "select value, this_database() as database from site_settings where key = $1 for update",
        KEY,
    )
    assert row is not None, "it was claimed"
    kept, database = row["value"], row["database"]
    goes_live = is_local(kept["home"]) and not is_local(address)
    if goes_live and kept["role"] == SiteRole.ORIGINAL:
        await choose(connection, address, SiteRole.ORIGINAL)
    elif kept.get("database") is None:
        await _note(connection, database=database, instance=token_hex(8))
    elif _differ(kept["database"], database):
        log.error(
            "this is another database than the site's: it is a copy from now on",
            noted=kept["database"],
            database=database,
        )
        await become_copy(connection)
    return await read(connection, address)


def _differ(noted: str | None, database: str | None) -> bool:
    """Whether two answers of `this_database()`, `<server>/<number>`, name different databases. What
    one of them doesn't say makes no difference."""
    if noted is None or database is None:
        return False
    (server, number), (other_server, other_number) = noted.split("/"), database.split("/")
    known = UNKNOWN_SERVER not in (server, other_server)
    return number != other_number or (known and server != other_server)


async def become_copy(connection: Connection, **why: str | bool) -> None:
    """Make the database a copy until somebody says what it is to be, whatever it was. The processes
    that it lists are those of its original."""
    database = await connection.fetchval("select this_database()")
    await _note(connection, role=SiteRole.COPY, database=database, instance=token_hex(8), **why)
    await connection.execute("delete from processes")


async def silence(connection: Connection, address: str, made_at: str) -> None:
    """Make what was restored from a backup a copy, also at its own address: its original may still
    run, and what waited in it may have been sent since. One that a release before 0.2 left has no
    address: it gets this one."""
    await _claim(connection, address)
    await become_copy(connection, restored=made_at)


async def prove(connection: Connection, proof: str) -> None:
    """Write a proof, which a program that runs on this database can find. Removes earlier ones that
    were left behind."""
    await connection.execute(
        """
        with old as (delete from address_proofs where made_at < now() - interval '1 hour')
        insert into address_proofs (proof) values ($1)
        """,
        proof,
    )


async def is_here(connection: Connection, proof: str) -> bool:
    """Whether a proof was written to this database."""
    found: bool = await connection.fetchval(
        "select exists (select from address_proofs where proof = $1)", proof
    )
    return found


async def forget_proof(connection: Connection, proof: str) -> None:
    """Remove a proof that has been asked about."""
    await connection.execute("delete from address_proofs where proof = $1", proof)


async def _claim(connection: Connection, address: str) -> None:
    await connection.execute(
        """
        insert into site_settings (key, value)
        values ($1, jsonb_build_object('home', $2::text, 'role', 'original'))
        on conflict (key) do nothing
        """,
        KEY,
        address,
    )


async def _note(connection: Connection, **what: str | bool) -> None:
    await connection.execute(
        "update site_settings set value = value || $2::jsonb where key = $1", KEY, what
    )


async def choose(
    connection: Connection, address: str, role: SiteRole, *, scrubbed: bool = False
) -> int:
    """Say what the database is to be at an address, and have it act for that address from now on.

    Emails and webhooks that wait were meant by the original, or written while the copy didn't act:
    an original doesn't send them any more. Returns how many emails. It gets signing keys of its
    own, so that no token of one site is valid for another. The caller opens the transaction.
    """
    before = await read(connection, address)
    await connection.execute(
        """
        insert into site_settings (key, value)
        values ($1, jsonb_build_object('home', $2::text, 'role', $3::text,
                                       'database', this_database(), 'instance', $4::text,
                                       'scrubbed', $5::boolean))
        on conflict (key) do update set value = excluded.value || case
            when site_settings.value ->> 'database' = this_database()
            then jsonb_build_object('instance', site_settings.value -> 'instance')
            else '{}'::jsonb end
        """,
        KEY,
        address,
        role,
        token_hex(8),
        scrubbed or before.scrubbed,
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
