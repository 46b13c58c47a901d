"""Passkeys of users, and the challenges that browsers answer."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from latchkey.languages import _
from latchkey.store.pool import Connection
from latchkey.store.users import factors

MOST = 20
SWEEP = 500
"""How many expired challenges a new one deletes, so that the table stays small."""


class PasskeyNotAddedError(Exception):
    """A passkey can't be added. The message says why."""


@dataclass(frozen=True)
class Passkey:
    """A user's passkey as it is listed."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class PasskeyOwner:
    """Who owns a passkey, and what checks its signatures."""

    id: int
    user_id: int
    public_key: bytes


async def of_user(connection: Connection, user_id: int) -> list[Passkey]:
    """A user's passkeys, oldest first."""
    rows = await connection.fetch(
        "select id, name, created_at, last_used_at from passkeys where user_id = $1 order by id",
        user_id,
    )
    return [Passkey(**dict(row)) for row in rows]


async def credentials(connection: Connection, user_id: int) -> list[bytes]:
    """The ids under which a user's devices hold their passkeys."""
    rows = await connection.fetch(
        "select credential_id from passkeys where user_id = $1 order by id", user_id
    )
    return [row["credential_id"] for row in rows]


async def find(connection: Connection, credential_id: bytes) -> PasskeyOwner | None:
    row = await connection.fetchrow(
        "select id, user_id, public_key from passkeys where credential_id = $1", credential_id
    )
    return PasskeyOwner(**dict(row)) if row else None


async def add(
    connection: Connection,
    user_id: int,
    *,
    name: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
) -> None:
    """Add a passkey. Raises `PasskeyNotAddedError`. The caller opens the transaction."""
    await connection.execute("select from users where id = $1 for update", user_id)
    if len(await credentials(connection, user_id)) >= MOST:
        raise PasskeyNotAddedError(
            _("You have %(most)s passkeys. Remove one before you add another.", most=MOST)
        )
    try:
        async with connection.transaction():
            await connection.execute(
                """
                insert into passkeys (user_id, name, credential_id, public_key, sign_count)
                values ($1, $2, $3, $4, $5)
                """,
                user_id,
                name,
                credential_id,
                public_key,
                sign_count,
            )
    except asyncpg.UniqueViolationError:
        raise PasskeyNotAddedError(_("This passkey has already been added.")) from None
    await factors.note(connection, user_id, "passkey_added", detail=name)


async def use(connection: Connection, passkey_id: int, *, sign_count: int) -> bool:
    """Record a use; False if the authenticator's count hasn't grown, so there may be a copy of it.
    Authenticators that don't count send 0 each time."""
    return bool(
        await connection.fetchval(
            """
            update passkeys set sign_count = $2, last_used_at = now()
             where id = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0)) returning true
            """,
            passkey_id,
            sign_count,
        )
    )


async def rename(connection: Connection, user_id: int, passkey_id: int, name: str) -> bool:
    """Give one of a user's passkeys another name; False if they have none with this id."""
    return bool(
        await connection.fetchval(
            "update passkeys set name = $3 where id = $1 and user_id = $2 returning true",
            passkey_id,
            user_id,
            name,
        )
    )


async def remove(connection: Connection, user_id: int, passkey_id: int, *, keep_one: bool) -> bool:
    """Remove one of a user's passkeys; False if they have none with this id. Raises
    `LastFactorError` if a factor must be kept. The caller opens the transaction."""
    await connection.execute("select from users where id = $1 for update", user_id)
    name = await connection.fetchval(
        "delete from passkeys where id = $1 and user_id = $2 returning name", passkey_id, user_id
    )
    if name is None:
        return False
    await factors.after_removal(
        connection, user_id, "passkey_removed", keep_one=keep_one, detail=name
    )
    return True


async def keep_challenge(
    connection: Connection, challenge: bytes, *, browser: bytes, user_id: int | None, seconds: int
) -> None:
    """Keep a challenge until it is answered, at most for `seconds`. `user_id` is None for one that
    signs in or sets the site up. Deletes expired ones."""
    await connection.execute(
        """
        with swept as (
            delete from passkey_challenges where challenge in (
                select challenge from passkey_challenges where expires_at <= now() limit $5))
        insert into passkey_challenges (challenge, browser, user_id, expires_at)
        values ($1, $2, $3, now() + make_interval(secs => $4))
        """,
        challenge,
        browser,
        user_id,
        seconds,
        SWEEP,
    )


async def take_challenge(
    connection: Connection, challenge: bytes, *, browser: bytes, user_id: int | None
) -> bool:
    """Use up a challenge; False if it is unknown, expired, used, or another browser's, user's or
    purpose's."""
    return bool(
        await connection.fetchval(
            """
            delete from passkey_challenges
             where challenge = $1 and browser = $2 and user_id is not distinct from $3
               and expires_at > now() returning true
            """,
            challenge,
            browser,
            user_id,
        )
    )
