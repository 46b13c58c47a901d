"""Idempotency keys of the JSON API: the first answer to a key is kept for a day."""

from dataclasses import dataclass

from latchkey.store.pool import Connection


class KeyInUseError(Exception):
    """The first request with this key is still running."""


class OtherRequestError(Exception):
    """The key was used for another request."""


@dataclass(frozen=True)
class Kept:
    """The answer that was given; its body is sealed, since it may open something."""

    status: int
    body: str


async def begin(
    connection: Connection, *, token: str, key: str, request_hash: bytes
) -> Kept | None:
    """Claim a key: None to continue, or the stored answer to repeat. Raises `KeyInUseError`,
    `OtherRequestError`."""
    await connection.execute(
        "delete from idempotency_keys where created_at < now() - interval '1 day'"
    )
    claimed = await connection.fetchval(
        """
        insert into idempotency_keys (token, key, request_hash) values ($1, $2, $3)
        on conflict do nothing returning true
        """,
        token,
        key,
        request_hash,
    )
    if claimed:
        return None
    row = await connection.fetchrow(
        "select request_hash, status, body from idempotency_keys where token = $1 and key = $2",
        token,
        key,
    )
    if row is None or row["status"] is None:
        raise KeyInUseError
    if row["request_hash"] != request_hash:
        raise OtherRequestError
    return Kept(row["status"], row["body"])


async def finish(connection: Connection, *, token: str, key: str, kept: Kept | None) -> None:
    """Store the answer. None releases the key, so that the request can be retried."""
    if kept is None:
        await connection.execute(
            "delete from idempotency_keys where token = $1 and key = $2", token, key
        )
    else:
        await connection.execute(
            "update idempotency_keys set status = $3, body = $4 where token = $1 and key = $2",
            token,
            key,
            kept.status,
            kept.body,
        )
