"""Addresses that want no more emails of a kind, whether or not somebody has an account with them.

Only digests are stored: they are compared, never written to.
"""

from collections.abc import Collection

from latchkey.store.pool import Connection


async def add(connection: Connection, digests: Collection[bytes], kind: str) -> None:
    """Record that these addresses want no emails of a kind; `latchkey.addresses.digest` makes
    the digests."""
    await connection.execute(
        """
        insert into unsubscribed_addresses (digest, kind) select d, $2 from unnest($1::bytea[]) d
        on conflict do nothing
        """,
        list(digests),
        kind,
    )


async def has(connection: Connection, digest: bytes, kind: str) -> bool:
    """Whether the address wants no emails of a kind."""
    found: bool = await connection.fetchval(
        "select exists (select from unsubscribed_addresses where digest = $1 and kind = $2)",
        digest,
        kind,
    )
    return found
