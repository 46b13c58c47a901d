"""The second part of migration 0040: the keys of addresses that were stored before it."""

from latchkey.addresses import email_key
from latchkey.store.pool import Connection

_ODD = r"email !~ '^[!-~]+$' or email ilike '%@%xn--%' or email like '%.'"
"""Of all other addresses `lower` gives the key."""


async def recompute(connection: Connection) -> None:
    """Write the keys of users and their further addresses. Where somebody else has the key already,
    the old one stays, and the review queue proposes to merge both."""
    for row in await connection.fetch(f"select id, email from users where {_ODD} order by id"):
        key = email_key(row["email"])
        other = await connection.fetchval(
            """
            select id from users where email_key = $1 and id <> $2
            union all select user_id from user_addresses where email_key = $1 and user_id <> $2
            limit 1
            """,
            key,
            row["id"],
        )
        if other is not None:
            await _propose(connection, other, row["id"], row["email"])
            continue
        await connection.execute("update users set email_key = $2 where id = $1", row["id"], key)
    for row in await connection.fetch(
        f"select email_key, email, user_id from user_addresses where {_ODD} order by added_at"
    ):
        key = email_key(row["email"])
        other = await connection.fetchval(
            """
            select user_id from user_addresses where email_key = $1 and email_key <> $2
            union all select id from users where email_key = $1 and id <> $3
            limit 1
            """,
            key,
            row["email_key"],
            row["user_id"],
        )
        if other is None:
            await connection.execute(
                "update user_addresses set email_key = $2 where email_key = $1",
                row["email_key"],
                key,
            )
        elif other != row["user_id"]:
            await _propose(connection, other, row["user_id"], row["email"])


async def _propose(connection: Connection, holder: int, other: int, email: str) -> None:
    await connection.execute(
        """
        insert into matches (key, kind, user_id, other_id, email)
        values ('similar_address:' || $2::bigint, 'similar_address', $1, $2, $3)
        on conflict (key) do nothing
        """,
        holder,
        other,
        email,
    )
