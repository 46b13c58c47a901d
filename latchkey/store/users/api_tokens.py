"""Bearer tokens of the JSON API: shown once, stored as hashes."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from latchkey.store.pool import Connection

PREFIX = "lk_"


@dataclass(frozen=True)
class ApiToken:
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def create(connection: Connection, *, name: str, actor: int | None) -> str:
    """Create a token. This is the only time it can be read."""
    token = PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "insert into api_tokens (name, token_hash, created_by) values ($1, $2, $3)",
        name,
        digest(token),
        actor,
    )
    return token


async def valid(connection: Connection, token: str) -> int | None:
    """The id of a valid token; records that it was used."""
    found: int | None = await connection.fetchval(
        """
        update api_tokens set last_used_at = now()
         where token_hash = $1 and revoked_at is null returning id
        """,
        digest(token),
    )
    return found


async def listed(connection: Connection) -> list[ApiToken]:
    rows = await connection.fetch(
        "select id, name, created_at, last_used_at, revoked_at from api_tokens order by id desc"
    )
    return [ApiToken(**dict(row)) for row in rows]


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
