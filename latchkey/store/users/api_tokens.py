"""Bearer tokens of the JSON API: shown once, stored as hashes, and never allowed more than their
maker."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import TokenScope
from latchkey.store import audit_draft
from latchkey.store.pool import Connection

PREFIX = "lk_"

_MOST = {
    "support": TokenScope.READ,
    "admin": TokenScope.EVERYTHING,
    "owner": TokenScope.EVERYTHING,
}
"""The widest scope of a token whose maker has this role. Tokens of other roles are refused."""


@dataclass(frozen=True)
class ApiToken:
    """A token as the list shows it. `maker` is the address of who made it, and `works` says whether
    it is accepted now: it isn't revoked, hasn't expired, and its maker is still on the team."""

    id: int
    name: str
    scope: TokenScope
    maker: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    works: bool

    @property
    def unlimited(self) -> bool:
        """Whether the token may do everything and never expires, as all tokens before scopes."""
        return self.works and self.scope is TokenScope.EVERYTHING and self.expires_at is None


@dataclass(frozen=True)
class ValidToken:
    """A token that is accepted. `scope` is what it may do, given its maker's role now."""

    id: int
    scope: TokenScope
    expires_at: datetime | None


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def create(
    connection: Connection,
    *,
    name: str,
    actor: int,
    scope: TokenScope = TokenScope.READ,
    expires_at: datetime | None = None,
) -> str:
    """Create a token. This is the only time it can be read."""
    token = PREFIX + secrets.token_urlsafe(32)
    token_id = await connection.fetchval(
        """
        insert into api_tokens (name, token_hash, created_by, scope, expires_at)
        values ($1, $2, $3, $4, $5) returning id
        """,
        name,
        digest(token),
        actor,
        scope,
        expires_at,
    )
    ends = expires_at.date() if expires_at else None
    audit_draft.note(target=("token", token_id), after={"name": name, "scope": scope, "ends": ends})
    return token


async def valid(connection: Connection, token: str) -> ValidToken | None:
    """A token that isn't revoked, hasn't expired, and whose maker is on the team; records that it
    was used."""
    row = await connection.fetchrow(
        """
        update api_tokens t set last_used_at = now() from users u
         where t.token_hash = $1 and t.revoked_at is null
           and (t.expires_at is null or t.expires_at > now())
           and u.id = t.created_by and u.role = any($2::text[]) and u.erased_at is null
        returning t.id, t.scope, t.expires_at, u.role
        """,
        digest(token),
        list(_MOST),
    )
    if row is None:
        return None
    scope, most = TokenScope(row["scope"]), _MOST[row["role"]]
    return ValidToken(row["id"], scope if most.covers(scope) else most, row["expires_at"])


_SELECT = """
select t.id, t.name, t.scope, u.email as maker, t.created_at, t.expires_at, t.last_used_at,
       t.revoked_at,
       t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
       and coalesce(u.role = any($1::text[]) and u.erased_at is null, false) as works
  from api_tokens t left join users u on u.id = t.created_by
"""


async def role_of_maker(connection: Connection, token_id: int) -> str | None:
    """The role that the maker of a token has now."""
    role: str | None = await connection.fetchval(
        "select u.role from api_tokens t join users u on u.id = t.created_by where t.id = $1",
        token_id,
    )
    return role


async def listed(connection: Connection) -> list[ApiToken]:
    rows = await connection.fetch(f"{_SELECT} order by t.id desc", list(_MOST))
    return [ApiToken(**{**dict(row), "scope": TokenScope(row["scope"])}) for row in rows]


async def revoke(connection: Connection, token_id: int) -> bool:
    return bool(
        await connection.fetchval(
            """
            update api_tokens set revoked_at = now() where id = $1 and revoked_at is null
            returning true
            """,
            token_id,
        )
    )
