"""The stored keys of addresses: those that `lower` doesn't give, and those of existing rows."""

from collections.abc import Mapping

from latchkey.addresses import email_key
from latchkey.store.pool import Connection

_ODD = r"email !~ '^[!-~]+$' or email ilike '%@%xn--%' or email like '%.'"
"""Of all other addresses `lower` gives the key."""

_ELSEWHERE = {
    "customers": "email",
    "orders": "email",
    "claims": "email",
    "email_changes": "email",
    "matches": "email",
    "differences": "email",
    "preview_records": "email",
    "user_merges": "email",
    "mails": "to_email",
}
"""The tables that hold addresses besides users' own, and the column."""


async def correct(connection: Connection, table: str, emails: Mapping[str, str | None]) -> None:
    """Write the keys of addresses just stored, by row id, where `lower`, with which the database
    fills them in, gives another one. Rows that hold another address stay as they are."""
    odd = {
        row_id: email
        for row_id, email in emails.items()
        if email and not (email.isascii() and email.lower() == email_key(email))
    }
    if not odd:
        return
    await connection.execute(
        f"""
        update {table} t set email_key = g.key
          from unnest($1::text[], $2::text[], $3::text[]) as g (id, email, key)
         where t.id = g.id and t.email = g.email and t.email_key is distinct from g.key
        """,
        list(odd),
        list(odd.values()),
        [email_key(email) for email in odd.values()],
    )


async def recompute_elsewhere(connection: Connection) -> None:
    """Write the keys of addresses in all other tables."""
    for table, column in _ELSEWHERE.items():
        rows = await connection.fetch(
            f"select distinct {column} as email from {table} where {_ODD.replace('email', column)}"
        )
        await connection.execute(
            f"""
            update {table} t set {column}_key = g.key
              from unnest($1::text[], $2::text[]) as g (email, key) where t.{column} = g.email
            """,
            [row["email"] for row in rows],
            [email_key(row["email"]) for row in rows],
        )


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
