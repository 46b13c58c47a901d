"""Second factors: authenticator apps, recovery codes, and what all of them have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store import site_settings
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.users import users

Change = Literal[
    "app_added",
    "app_removed",
    "passkey_added",
    "passkey_removed",
    "codes_renewed",
    "code_used",
    "codes_refused",
    "all_removed",
]
"""What can happen to a user's second factors. The user gets an email about each change."""


@dataclass(frozen=True)
class Factors:
    """A user's factors: since when they have an authenticator app, how many passkeys, and how many
    unused recovery codes."""

    app_since: datetime | None
    passkeys: int
    codes: int

    @property
    def app(self) -> bool:
        return self.app_since is not None

    @property
    def any(self) -> bool:
        """Whether the user has a factor of a kind that a site can require."""
        return self.app or self.passkeys > 0


class LastFactorError(Exception):
    """The site requires a second factor of this user, and this is their last one."""


async def of_user(connection: Connection, user_id: int) -> Factors:
    return (await of_users(connection, [user_id]))[user_id]


async def of_users(connection: Connection, user_ids: Sequence[int]) -> dict[int, Factors]:
    """The factors of each of these users."""
    rows = await connection.fetch(
        """
        select id, (select created_at from authenticator_apps where user_id = id) as app_since,
               (select count(*) from passkeys where user_id = given.id) as passkeys,
               (select count(*) from recovery_codes
                 where user_id = given.id and used_at is null) as codes
          from unnest($1::bigint[]) as given (id)
        """,
        list(user_ids),
    )
    return {row["id"]: Factors(row["app_since"], row["passkeys"], row["codes"]) for row in rows}


async def asked_of(connection: Connection, user: users.User) -> bool:
    """Whether signing in by password or link also asks this user for a factor. Where the site
    requires none of members, a member's passkey is only another way in, so that losing it locks
    nobody out."""
    owned = await of_user(connection, user.id)
    if owned.app or not owned.any or user.is_staff:
        return owned.any
    return (await site_settings.read(connection)).member_second_factor


@dataclass(frozen=True)
class TeamMember:
    """Somebody on the team, and their factors."""

    id: int
    email: str
    role: str
    factors: Factors


async def of_staff(connection: Connection) -> list[TeamMember]:
    """The team, owners first."""
    people = await users.staff(connection)
    owned = await of_users(connection, [person.id for person in people])
    return [TeamMember(member.id, member.email, member.role, owned[member.id]) for member in people]


async def note_rule(
    connection: Connection, owner: int, *, whom: Literal["team", "members"], required: bool
) -> None:
    """Write an activity line about the team or members being required, or no longer, to have a
    factor."""
    now = datetime.now(UTC)
    fact = Fact(
        key=f"factor_rule:{whom}:{now.isoformat()}",
        type=ActivityType.FACTOR_CHANGED,
        at=now,
        cause=Cause.ADMIN,
        user_id=owner,
        actor_id=owner,
        data={"change": f"required_of_{whom}" if required else f"not_required_of_{whom}"},
    )
    await write_facts(connection, [fact])


async def sealed_secret(connection: Connection, user_id: int) -> bytes | None:
    """The sealed secret of the user's authenticator app."""
    found: bytes | None = await connection.fetchval(
        "select secret from authenticator_apps where user_id = $1", user_id
    )
    return found


async def set_app(connection: Connection, user_id: int, sealed: bytes, *, step: int) -> None:
    """Store an authenticator app in place of an earlier one. `step` is that of the code that
    confirmed it, which isn't accepted again. The caller opens the transaction."""
    await connection.execute(
        """
        insert into authenticator_apps (user_id, secret, last_step) values ($1, $2, $3)
        on conflict (user_id) do update
           set secret = excluded.secret, last_step = excluded.last_step, created_at = now()
        """,
        user_id,
        sealed,
        step,
    )
    await note(connection, user_id, "app_added")


async def use_step(connection: Connection, user_id: int, step: int) -> bool:
    """Accept the code of a time step; False if that or a later one was accepted before."""
    return bool(
        await connection.fetchval(
            """
            update authenticator_apps set last_step = $2
             where user_id = $1 and last_step < $2 returning true
            """,
            user_id,
            step,
        )
    )


async def remove_app(connection: Connection, user_id: int, *, keep_one: bool) -> bool:
    """Remove the authenticator app; False if there is none. Recovery codes go with the last
    factor. Raises `LastFactorError` where one must be kept. The caller opens the transaction."""
    await connection.execute("select from users where id = $1 for update", user_id)
    removed = await connection.fetchval(
        "delete from authenticator_apps where user_id = $1 returning true", user_id
    )
    if removed:
        await after_removal(connection, user_id, "app_removed", keep_one=keep_one)
    return bool(removed)


async def set_codes(
    connection: Connection, user_id: int, hashes: Sequence[bytes | None], *, renewed: bool
) -> None:
    """Store recovery codes in place of all earlier ones. The caller opens the transaction."""
    await connection.execute("delete from recovery_codes where user_id = $1", user_id)
    await connection.execute(
        "insert into recovery_codes (user_id, code_hash) select $1, unnest($2::bytea[])",
        user_id,
        list(hashes),
    )
    if renewed:
        await note(connection, user_id, "codes_renewed")


async def use_code(connection: Connection, user_id: int, code_hash: bytes) -> bool:
    """Use up a recovery code; False if it isn't one of the user's, or was used. The caller opens
    the transaction."""
    used = await connection.fetchval(
        """
        update recovery_codes set used_at = now()
         where user_id = $1 and code_hash = $2 and used_at is null returning true
        """,
        user_id,
        code_hash,
    )
    if used:
        left = (await of_user(connection, user_id)).codes
        await note(connection, user_id, "code_used", detail=str(left))
    return bool(used)


async def after_removal(
    connection: Connection, user_id: int, change: Change, *, keep_one: bool, detail: str = ""
) -> None:
    """Note that a factor was removed; the recovery codes go with the last one. Raises
    `LastFactorError` where one must be kept. The caller has locked the user's row."""
    left = await of_user(connection, user_id)
    if keep_one and not left.any:
        raise LastFactorError
    if not left.any:
        await connection.execute("delete from recovery_codes where user_id = $1", user_id)
    await note(connection, user_id, change, detail=detail)


async def remove_factors(connection: Connection, user_id: int, *, actor: int | None) -> bool:
    """Remove all factors of a user and end their sessions; False if they had none. `actor` is who
    removes them, None for the command line. The caller opens the transaction."""
    removed = await connection.fetchval(
        """
        with app as (delete from authenticator_apps where user_id = $1 returning 1),
             codes as (delete from recovery_codes where user_id = $1 returning 1),
             keys as (delete from passkeys where user_id = $1 returning 1)
        select (select count(*) from app) + (select count(*) from codes)
             + (select count(*) from keys) > 0
        """,
        user_id,
    )
    if removed:
        await connection.execute("delete from sessions where user_id = $1", user_id)
        await note(connection, user_id, "all_removed", actor=actor)
    return bool(removed)


async def note(
    connection: Connection,
    user_id: int,
    change: Change,
    *,
    detail: str = "",
    actor: int | None = None,
) -> None:
    """Write an activity line about a change, and an email to the user."""
    key = f"{change}:{user_id}:{uuid4().hex}"
    data = {"change": change, **({"detail": detail} if detail else {})}
    cause = Cause.ADMIN if change == "all_removed" else Cause.CUSTOMER
    await write_facts(
        connection,
        [
            Fact(
                key=key,
                type=ActivityType.FACTOR_CHANGED,
                at=datetime.now(UTC),
                cause=cause,
                user_id=user_id,
                actor_id=actor,
                data=data,
            )
        ],
    )
    await write_mails(
        connection, [Mail(key=key, kind="factor_changed", user_id=user_id, data=data)]
    )
