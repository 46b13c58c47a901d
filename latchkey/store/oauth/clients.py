"""OAuth clients: sites that people may sign in to with their account here, and their secrets."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.oauth import ClientRules
from latchkey.store import audit_draft
from latchkey.store.pool import Connection

PREFIX = "client_"
SECRET_PREFIX = "lks_"
OVERLAP = timedelta(days=7)
"""How long an earlier secret is still accepted after a new one was made."""


@dataclass(frozen=True)
class ClientFields:
    """What admins say about a client. `product_required` without a `product_id` means that the
    product was deleted: then nobody gets in."""

    name: str
    confidential: bool
    first_party: bool
    pkce: bool
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    scopes: tuple[str, ...]
    product_required: bool
    product_id: str | None


@dataclass(frozen=True)
class Client(ClientFields):
    """A registered client. `product_slug` is that of its product."""

    id: str
    created_at: datetime
    product_slug: str | None
    product_name: str | None

    @property
    def rules(self) -> ClientRules:
        return ClientRules(
            id=self.id,
            confidential=self.confidential,
            first_party=self.first_party,
            pkce=self.pkce,
            redirect_uris=self.redirect_uris,
            scopes=frozenset(self.scopes),
        )


@dataclass(frozen=True)
class ClientSecret:
    """A client's secret, without itself."""

    id: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class ClientUse:
    """What ends if a client is deleted: people who are signed in there, and who agreed to it."""

    signed_in: int
    agreed: int
    last_sign_in: datetime | None
    failed_logouts: int
    logout_error: str | None


def digest(secret: str) -> bytes:
    """What is stored of a secret, code or token: each has 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


_SELECT = """
select c.id, c.name, c.confidential, c.first_party, c.pkce, c.redirect_uris,
       c.post_logout_redirect_uris, c.backchannel_logout_uri, c.scopes, c.product_required,
       c.product_id, c.created_at, p.slug as product_slug, p.name as product_name
  from oauth_clients c left join products p on p.id = c.product_id
"""


def _client(row: Any) -> Client:
    fields = dict(row)
    for name in ("redirect_uris", "post_logout_redirect_uris", "scopes"):
        fields[name] = tuple(fields[name])
    return Client(**fields)


async def find(connection: Connection, client_id: str) -> Client | None:
    row = await connection.fetchrow(f"{_SELECT} where c.id = $1", client_id)
    return _client(row) if row else None


async def listed(connection: Connection) -> list[Client]:
    """All clients by name."""
    return [_client(row) for row in await connection.fetch(f"{_SELECT} order by c.name, c.id")]


async def authenticate(connection: Connection, client_id: str, secret: str | None) -> Client | None:
    """The client that a caller proves to be, by a secret that hasn't expired, or by its id alone if
    it is public. A confidential client without a secret, and a public one with a secret, is
    None."""
    client = await find(connection, client_id)
    if client is None or client.confidential is not (secret is not None):
        return None
    if secret is None:
        return client
    right = await connection.fetchval(
        """
        update oauth_client_secrets set last_used_at = now()
         where client_id = $1 and secret_hash = $2 and (expires_at is null or expires_at > now())
        returning true
        """,
        client_id,
        digest(secret),
    )
    return client if right else None


async def create(connection: Connection, fields: ClientFields) -> tuple[str, str | None]:
    """Create a client: its id, and its secret if it has one. This is the only time the secret can
    be read. The caller opens the transaction."""
    client_id = PREFIX + secrets.token_hex(12)
    await connection.execute(
        """
        insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                                   post_logout_redirect_uris, backchannel_logout_uri, scopes,
                                   product_required, product_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        client_id,
        *_values(fields),
    )
    audit_draft.note(target=("client", client_id), after=_noted(fields))
    return client_id, await _add_secret(connection, client_id) if fields.confidential else None


async def change(connection: Connection, client: Client, fields: ClientFields) -> None:
    """Change a client. What is no longer allowed ends with the next use of a token. The caller
    opens the transaction."""
    await connection.execute(
        """
        update oauth_clients
           set name = $2, confidential = $3, first_party = $4, pkce = $5, redirect_uris = $6,
               post_logout_redirect_uris = $7, backchannel_logout_uri = $8, scopes = $9,
               product_required = $10, product_id = $11
         where id = $1
        """,
        client.id,
        *_values(fields),
    )
    audit_draft.note(target=("client", client.id))
    audit_draft.note_changes(_noted(client), _noted(fields))


def _values(fields: ClientFields) -> tuple[Any, ...]:
    return (
        fields.name,
        fields.confidential,
        fields.first_party,
        fields.pkce,
        list(fields.redirect_uris),
        list(fields.post_logout_redirect_uris),
        fields.backchannel_logout_uri,
        list(fields.scopes),
        fields.product_required,
        fields.product_id,
    )


def _noted(fields: ClientFields) -> dict[str, Any]:
    return {
        "name": fields.name,
        "kind": "confidential" if fields.confidential else "public",
        "first_party": fields.first_party,
        "pkce": fields.pkce,
        "redirect_uris": list(fields.redirect_uris),
        "post_logout_redirect_uris": list(fields.post_logout_redirect_uris),
        "backchannel_logout_uri": fields.backchannel_logout_uri,
        "scopes": list(fields.scopes),
        "product": fields.product_id,
    }


async def use_of(connection: Connection, client_id: str) -> ClientUse:
    """How a client is used."""
    row = await connection.fetchrow(
        """
        select (select count(distinct a.user_id) from oauth_authorizations a
                 where a.client_id = $1 and a.ended_at is null and a.code_used_at is not null
                   and (exists (select from sessions s
                                 where s.id = a.session_id and s.expires_at > now())
                        or exists (select from oauth_tokens t
                                    where t.authorization_id = a.id and t.expires_at > now())))
                   as signed_in,
               (select count(*) from oauth_consents where client_id = $1) as agreed,
               (select max(code_used_at) from oauth_authorizations where client_id = $1)
                   as last_sign_in,
               (select count(*) from oauth_logouts where client_id = $1 and due_at is null)
                   as failed_logouts,
               (select error from oauth_logouts where client_id = $1 and error is not null
                 order by id desc limit 1) as logout_error
        """,
        client_id,
    )
    assert row is not None, "an aggregate has one row"
    return ClientUse(**dict(row))


async def delete(connection: Connection, client: Client) -> None:
    """Delete a client, with its secrets, consents and tokens. The caller opens the transaction."""
    await connection.execute("delete from oauth_clients where id = $1", client.id)
    audit_draft.note(target=("client", client.id), before=_noted(client))


async def secrets_of(connection: Connection, client_id: str) -> list[ClientSecret]:
    """The secrets that are accepted now, newest first."""
    rows = await connection.fetch(
        """
        select id, created_at, expires_at, last_used_at from oauth_client_secrets
         where client_id = $1 and (expires_at is null or expires_at > now()) order by id desc
        """,
        client_id,
    )
    return [ClientSecret(**dict(row)) for row in rows]


async def renew_secret(connection: Connection, client_id: str) -> str:
    """Make another secret. The newest one until now is accepted for `OVERLAP` longer, earlier ones
    aren't any more. The caller opens the transaction."""
    await connection.execute("select from oauth_clients where id = $1 for update", client_id)
    await connection.execute(
        """
        delete from oauth_client_secrets where client_id = $1 and id <> (
            select max(id) from oauth_client_secrets where client_id = $1)
        """,
        client_id,
    )
    await connection.execute(
        """
        update oauth_client_secrets
           set expires_at = least(coalesce(expires_at, 'infinity'), now() + $2::interval)
         where client_id = $1
        """,
        client_id,
        OVERLAP,
    )
    audit_draft.note(target=("client", client_id))
    return await _add_secret(connection, client_id)


async def revoke_secret(connection: Connection, client_id: str, secret_id: int) -> bool:
    """Have a secret no longer be accepted; False if the client has no such secret."""
    audit_draft.note(target=("client", client_id))
    return bool(
        await connection.fetchval(
            "delete from oauth_client_secrets where client_id = $1 and id = $2 returning true",
            client_id,
            secret_id,
        )
    )


async def _add_secret(connection: Connection, client_id: str) -> str:
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "insert into oauth_client_secrets (client_id, secret_hash) values ($1, $2)",
        client_id,
        digest(secret),
    )
    return secret
