"""The connection to Stripe: which account, which mode, which webhook endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class PermissionCheck:
    """The result of a key check for one permission area. `level` is what is needed of it, `read` or
    `write`; findings of earlier releases have none. The site can do without an `optional` one."""

    area: str
    used_for: str
    ok: bool
    message: str | None = None
    level: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class ElsewhereLinks:
    """How many products are linked in an account and mode that isn't the connected one."""

    account: Account
    links: int


class NotConnectedError(Exception):
    """Stripe isn't connected, or there is no usable key."""


@dataclass(frozen=True)
class StripeConnection:
    """The current connection. Secrets are sealed; see `latchkey.vault`."""

    state: str
    account_id: str | None
    account_name: str | None
    livemode: bool | None
    key_encrypted: bytes | None
    findings: list[dict[str, Any]]
    error: str | None
    endpoint_id: str | None
    endpoint_url: str | None
    endpoint_state: str
    endpoint_error: str | None
    secrets_encrypted: bytes | None
    checked_at: datetime | None
    endpoint_found: dict[str, Any] | None
    endpoint_checked_at: datetime | None
    last_event_at: datetime | None

    @property
    def missing(self) -> list[dict[str, Any]]:
        """The findings about permissions that the key lacks and can't do without."""
        return [one for one in self.findings if not (one["ok"] or one.get("optional"))]

    def lacks(self, area: str, level: str) -> bool:
        """Whether the last check found that the key lacks this."""
        return any(
            not one["ok"] and (one["area"], one.get("level")) == (area, level)
            for one in self.findings
        )

    @property
    def account(self) -> Account | None:
        return self.last_account if self.state == "connected" else None

    @property
    def last_account(self) -> Account | None:
        """The connected account, or the last one that was connected."""
        if self.account_id is None:
            return None
        return Account(self.account_id, bool(self.livemode))


async def current(connection: Connection) -> StripeConnection:
    """The connection's row, with the time of the newest event in the inbox."""
    row = await connection.fetchrow(
        """
        select c.*, (select received_at from events order by seq desc limit 1) as last_event_at
          from stripe_connection c
        """
    )
    assert row is not None, "the migration creates the single row"
    names = StripeConnection.__dataclass_fields__
    return StripeConnection(**{name: row[name] for name in names})


async def links_elsewhere(connection: Connection) -> list[ElsewhereLinks]:
    """The links of other accounts and modes than the connected one; none where none is."""
    rows = await connection.fetch(
        """
        select l.account_id, l.livemode, count(*) as links
          from links l, stripe_connection c
         where l.removed_at is null and c.state = 'connected'
           and (l.account_id, l.livemode) is distinct from (c.account_id, c.livemode)
         group by 1, 2 order by 1, 2
        """
    )
    return [
        ElsewhereLinks(Account(row["account_id"], row["livemode"]), row["links"]) for row in rows
    ]


async def is_connected(connection: Connection) -> bool:
    found: bool = await connection.fetchval("select state = 'connected' from stripe_connection")
    return found


async def save_key(connection: Connection, *, sealed: bytes | None, fingerprint: str) -> None:
    """Store a new key (None: it comes from the environment) and request its check."""
    audit_draft.note(after={"key": fingerprint})
    await connection.execute(
        """
        update stripe_connection
           set state = 'checking', key_encrypted = $1, key_fingerprint = $2, error = null,
               dispatched_at = null, updated_at = now()
        """,
        sealed,
        fingerprint,
    )


async def save_check(
    connection: Connection,
    *,
    account_id: str,
    account_name: str | None,
    country: str | None,
    livemode: bool,
    findings: Sequence[PermissionCheck],
) -> None:
    """Record that the key works, for which account, and which permissions it lacks."""
    await connection.execute(
        """
        update stripe_connection
           set state = 'connected', account_id = $1, account_name = $2, livemode = $3,
               findings = $4::jsonb, country = $5, error = null, checked_at = now(),
               updated_at = now(),
               connected_at = coalesce(
                   case when (account_id, livemode) = ($1, $3) then connected_at end, now())
        """,
        account_id,
        account_name,
        livemode,
        [finding.__dict__ for finding in findings],
        country,
    )


async def save_refusal(connection: Connection, *, error: str) -> None:
    await connection.execute(
        """
        update stripe_connection
           set state = 'refused', error = $1, checked_at = now(), updated_at = now()
        """,
        error,
    )


async def save_endpoint(
    connection: Connection,
    *,
    state: str,
    endpoint_id: str | None = None,
    url: str | None = None,
    sealed_secrets: bytes | None = None,
    error: str | None = None,
) -> None:
    """Record the webhook endpoint. Stored secrets are kept unless new ones are given."""
    await connection.execute(
        """
        update stripe_connection
           set endpoint_state = $1, endpoint_id = $2, endpoint_url = $3,
               secrets_encrypted = coalesce($4, secrets_encrypted), endpoint_error = $5,
               updated_at = now()
        """,
        state,
        endpoint_id,
        url,
        sealed_secrets,
        error,
    )


async def save_endpoint_look(connection: Connection, found: dict[str, Any]) -> None:
    """Record how Stripe describes the endpoint that sends to us."""
    await connection.execute(
        "update stripe_connection set endpoint_found = $1::jsonb, endpoint_checked_at = now()",
        found,
    )


async def disconnect(connection: Connection) -> None:
    """Forget key, endpoint and secrets. Access already granted stays."""
    await connection.execute(
        """
        update stripe_connection
           set state = 'disconnected', key_encrypted = null, key_fingerprint = null,
               endpoint_id = null, endpoint_url = null, endpoint_state = 'missing',
               secrets_encrypted = null, findings = '[]', error = null, connected_at = null,
               updated_at = now()
        """
    )


async def next_ticket(connection: Connection) -> int:
    """A fencing token for a reading. It is taken before the read, so a later reading always has a
    higher one."""
    found: int = await connection.fetchval("select nextval('reading_tickets')")
    return found
