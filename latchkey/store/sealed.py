"""Every column that holds sealed text, so that `latchkey rotate` misses none."""

from dataclasses import dataclass
from typing import Any

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class SealedColumn:
    """`key` are the columns of the primary key; `purpose` is what the column's texts are sealed
    for (`latchkey.vault.Purpose`). `as_text` where the column isn't binary."""

    table: str
    key: tuple[str, ...]
    column: str
    purpose: str
    as_text: bool = False


@dataclass(frozen=True)
class SealedText:
    """What one row holds in a sealed column, and the row's primary key."""

    key: tuple[Any, ...]
    sealed: bytes


SEALED_COLUMNS = (
    SealedColumn("stripe_connection", ("singleton",), "key_encrypted", "stripe_key"),
    SealedColumn("stripe_connection", ("singleton",), "secrets_encrypted", "webhook_secrets"),
    SealedColumn("authenticator_apps", ("user_id",), "secret", "app_secret"),
    SealedColumn("signing_keys", ("id",), "private_jwk", "signing_key"),
    SealedColumn("abandoned_checkouts", ("id",), "url", "checkout_url"),
    SealedColumn("webhook_endpoints", ("id",), "url", "webhook_url"),
    SealedColumn("webhook_endpoints", ("id",), "secret", "outgoing_secret"),
    SealedColumn("webhook_endpoints", ("id",), "earlier_secret", "outgoing_secret"),
    SealedColumn("communities", ("endpoint_id",), "token", "community_token"),
    SealedColumn("communities", ("endpoint_id",), "client_secret", "community_secret"),
    SealedColumn("mail_server", ("singleton",), "password_encrypted", "smtp_password"),
    SealedColumn("idempotency_keys", ("token", "key"), "body", "api_answer", as_text=True),
)


async def sealed_texts(connection: Connection, column: SealedColumn) -> list[SealedText]:
    """What the column holds, with the rows locked until the caller's transaction ends."""
    rows = await connection.fetch(
        f"select {', '.join(column.key)}, {column.column} as sealed from {column.table}"
        f" where {column.column} is not null for update"
    )
    return [
        SealedText(
            tuple(row[name] for name in column.key),
            row["sealed"].encode() if column.as_text else row["sealed"],
        )
        for row in rows
    ]


async def replace(connection: Connection, column: SealedColumn, text: SealedText) -> None:
    """Store another sealed text in the row of `text.key`."""
    wanted = " and ".join(f"{name} = ${n}" for n, name in enumerate(column.key, 2))
    await connection.execute(
        f"update {column.table} set {column.column} = $1 where {wanted}",
        text.sealed.decode() if column.as_text else text.sealed,
        *text.key,
    )
