"""Authorization requests that wait for their user: to sign in, to agree, or to buy."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.store.pool import Connection

LIFE = timedelta(hours=24)
"""How long a request waits: buying may take a while."""

SWEEP = 500


@dataclass(frozen=True)
class WaitingRequest:
    """`parameters` are what the client sent. `chosen_by` is the user who said that it's their
    account, `agreed_by` the one who agreed, both on our pages for this request."""

    id: str
    client_id: str
    parameters: dict[str, str]
    chosen_by: int | None
    agreed_by: int | None
    created_at: datetime


async def keep(connection: Connection, client_id: str, parameters: dict[str, str]) -> str:
    """Keep a request; returns its id. Deletes expired ones."""
    await connection.execute(
        """
        delete from oauth_requests where id in (
            select id from oauth_requests where expires_at <= now() limit $1
               for update skip locked)
        """,
        SWEEP,
    )
    request_id = secrets.token_urlsafe(24)
    await connection.execute(
        """
        insert into oauth_requests (id, client_id, parameters, expires_at)
        values ($1, $2, $3::jsonb, now() + $4::interval)
        """,
        request_id,
        client_id,
        parameters,
        LIFE,
    )
    return request_id


async def find(connection: Connection, request_id: str) -> WaitingRequest | None:
    row = await connection.fetchrow(
        """
        select id, client_id, parameters, chosen_by, agreed_by, created_at
          from oauth_requests where id = $1 and expires_at > now()
        """,
        request_id,
    )
    return WaitingRequest(**dict(row)) if row else None


async def client_name(connection: Connection, request_id: str) -> str | None:
    """The name of the client that a request leads back to; None once that is over."""
    name: str | None = await connection.fetchval(
        """
        select c.name from oauth_requests r join oauth_clients c on c.id = r.client_id
         where r.id = $1 and r.expires_at > now()
        """,
        request_id,
    )
    return name


async def choose(connection: Connection, request_id: str, user_id: int) -> None:
    """Note that a user wants to go on with this account."""
    await connection.execute(
        "update oauth_requests set chosen_by = $2 where id = $1", request_id, user_id
    )


async def agree(connection: Connection, request_id: str, user_id: int) -> None:
    """Note that a user agreed to this request."""
    await connection.execute(
        "update oauth_requests set agreed_by = $2 where id = $1", request_id, user_id
    )


async def forget(connection: Connection, request_id: str) -> bool:
    """Use a request up; False if it was used before."""
    return bool(
        await connection.fetchval(
            "delete from oauth_requests where id = $1 returning true", request_id
        )
    )
