"""The keys that sign tokens for other sites, with their private halves sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.pool import Connection

_KEYS = 0x6B657973
"""Advisory lock: while one process makes a key, no other does."""


@dataclass(frozen=True)
class StoredKey:
    """`public` is a JSON Web Key, `sealed` the private one under LATCHKEY_SECRET."""

    id: str
    public: dict[str, Any]
    sealed: bytes
    signs_from: datetime


async def read(connection: Connection) -> tuple[list[StoredKey], datetime]:
    """All keys, the one that signs first in front, and the database's time."""
    rows = await connection.fetch(
        """
        select k.id, k.public_jwk, k.private_jwk, k.signs_from, clock_timestamp() as now
          from (select 1) as one left join signing_keys k on true
         order by k.signs_from, k.id
        """
    )
    keys = [
        StoredKey(row["id"], row["public_jwk"], row["private_jwk"], row["signs_from"])
        for row in rows
        if row["id"] is not None
    ]
    return keys, rows[0]["now"]


async def lock(connection: Connection) -> None:
    """Keep others from changing the keys until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock($1)", _KEYS)


async def add(connection: Connection, key: StoredKey) -> None:
    await connection.execute(
        """
        insert into signing_keys (id, public_jwk, private_jwk, signs_from)
        values ($1, $2::jsonb, $3, $4)
        """,
        key.id,
        key.public,
        key.sealed,
        key.signs_from,
    )


async def remove(connection: Connection, ids: Sequence[str]) -> None:
    await connection.execute("delete from signing_keys where id = any($1::text[])", list(ids))
