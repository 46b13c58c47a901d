"""Entries: people on their way into a protected site, to sign in, perhaps to buy, and back by a
ticket that works once."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from latchkey.store.pool import Connection

LIFE = timedelta(hours=24)
"""How long an entry waits: buying may take a while."""
TICKET_LIFE = timedelta(seconds=60)

SWEEP = 500


@dataclass(frozen=True)
class Entry:
    """`product_id` is the product that is needed, None if each of the site's will do. `target` is
    the path with query to lead back to."""

    id: str
    site_id: int
    origin: str
    product_id: str | None
    target: str

    @property
    def host(self) -> str:
        """How people know the site."""
        return self.origin.partition("://")[2]


@dataclass(frozen=True)
class Admission:
    """What a ticket gives: a session here, at one protected site. `session_id` is None for a ticket
    that the same browser has used already."""

    site_id: int
    session_id: int | None
    target: str


def digest(text: str) -> bytes:
    """What is stored of a ticket, and of what names a browser: each has 256 random bits."""
    return hashlib.sha256(text.encode()).digest()


async def begin(
    connection: Connection, *, site_id: int, product_id: str | None, target: str, browser: str
) -> str:
    """Keep where somebody wants to go, and from which browser; returns the entry's id. Deletes
    expired ones."""
    await connection.execute(
        """
        delete from site_entries where id in (
            select id from site_entries where expires_at <= now() limit $1
               for update skip locked)
        """,
        SWEEP,
    )
    entry_id = secrets.token_urlsafe(24)
    await connection.execute(
        """
        insert into site_entries (id, site_id, product_id, target, browser_hash, expires_at)
        values ($1, $2, $3, $4, $5, now() + $6::interval)
        """,
        entry_id,
        site_id,
        product_id,
        target,
        digest(browser),
        LIFE,
    )
    return entry_id


async def find(connection: Connection, entry_id: str) -> Entry | None:
    row = await connection.fetchrow(
        """
        select e.id, e.site_id, d.origin, e.product_id, e.target
          from site_entries e join protected_sites d on d.id = e.site_id
         where e.id = $1 and e.expires_at > now()
        """,
        entry_id,
    )
    return Entry(**dict(row)) if row else None


async def give_ticket(connection: Connection, entry_id: str, session_id: int) -> str | None:
    """A ticket for an entry and a session, which voids an earlier one; None once one was used."""
    ticket = secrets.token_urlsafe(32)
    given = await connection.fetchval(
        """
        update site_entries
           set ticket_hash = $2, ticket_expires_at = now() + $3::interval, session_id = $4
         where id = $1 and used_at is null and expires_at > now()
        returning true
        """,
        entry_id,
        digest(ticket),
        TICKET_LIFE,
        session_id,
    )
    return ticket if given else None


async def use_ticket(
    connection: Connection, ticket: str, *, origin: str, browser: str | None
) -> Admission | None:
    """What a ticket gives, in the browser that the entry began in, at its site alone; None if it is
    unknown, has expired, or is somebody else's. Whoever shows it uses it up."""
    row = await connection.fetchrow(
        """
        with shown as (
            select e.id, e.used_at from site_entries e
             where e.ticket_hash = $1 for update
        )
        update site_entries e set used_at = now() from shown s, protected_sites d
         where e.id = s.id and d.id = e.site_id
        returning e.site_id, e.session_id, e.target, s.used_at is not null as used,
                  e.ticket_expires_at > now() and d.origin = $2 as valid,
                  e.browser_hash = $3 as same_browser
        """,
        digest(ticket),
        origin,
        digest(browser or ""),
    )
    if row is None or browser is None or not row["same_browser"]:
        return None
    if row["used"]:
        return Admission(row["site_id"], None, row["target"])
    return Admission(row["site_id"], row["session_id"], row["target"]) if row["valid"] else None
