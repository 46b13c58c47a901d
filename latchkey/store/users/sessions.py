"""Sessions: who a cookie signs in, until when, and how a session is renewed and ended."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.store.pool import Connection
from latchkey.store.users.users import User, fields_of

MOST = 50
"""How many sessions a user can have: another sign-in ends the one that has been unused for
longest."""
SWEEP = 500
"""How many expired sessions one sign-in deletes, so that the table stays small."""


@dataclass(frozen=True)
class SessionRules:
    """What ends a session: `idle` time without a request, a `life` since its user last proved who
    they are, and the loss of the secret that it began under. The first of `secret_fingerprints`
    (`Vault.fingerprints`) is that of new sessions. A user's role is looked up at every request."""

    member_idle: timedelta
    member_life: timedelta
    staff_idle: timedelta
    staff_life: timedelta
    secret_fingerprints: tuple[bytes, ...]

    def idle(self, user: User) -> timedelta:
        return self.staff_idle if user.is_staff else self.member_idle

    def life(self, user: User) -> timedelta:
        return self.staff_life if user.is_staff else self.member_life

    @property
    def parameters(self) -> tuple[list[timedelta], list[bytes]]:
        """The parameters of `live`."""
        limits = [self.member_idle, self.member_life, self.staff_idle, self.staff_life]
        return limits, list(self.secret_fingerprints)


@dataclass(frozen=True)
class CurrentSession:
    """The session of a request. `owner` is whose it is, also while it shows the site as somebody
    else. `via` is how they signed in; `fresh` says whether that was within the last 15 minutes;
    `second_factor` is what they gave besides, if anything; `authenticated_at` is when they last
    proved who they are. `sid` names the session to other sites."""

    id: int
    owner: int
    via: str
    fresh: bool
    second_factor: str | None
    sid: str
    authenticated_at: datetime

    @property
    def came_by_link(self) -> bool:
        """Whether an emailed link has just started it: the mailbox's owner may set a password
        without knowing the old one."""
        return self.fresh and self.via == "link"


@dataclass(frozen=True)
class Session:
    """One of a user's sessions. `agent` is the browser's user agent."""

    id: int
    via: str
    ip: str | None
    agent: str | None
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    current: bool


@dataclass(frozen=True)
class NewSignIn:
    """How and from where somebody has just signed in: `via` is a password, link or passkey, and
    `second_factor` what they gave besides, if anything. `agent` is the browser's user agent."""

    via: str
    second_factor: str | None
    ip: str | None
    agent: str | None

    @property
    def parameters(self) -> tuple[str, str | None, str | None, str | None]:
        """What a session keeps of it: `via`, `second_factor`, `ip`, `agent`."""
        return self.via, self.second_factor, self.ip, self.agent[:200] if self.agent else None


def _limits(limits: str) -> tuple[str, str]:
    """The idle time and the life of a session of the user `a`, given a parameter's name."""
    at = f"({limits}::interval[])[case a.role when 'member' then {{}} else {{}} end]"
    return at.format(1, 3), at.format(2, 4)


def live(limits: str, fingerprints: str) -> str:
    """The condition that a session `s` of the user `a` has not ended, given two parameters' names.

    Sessions of releases that noted no fingerprint live until they expire.
    """
    idle, life = _limits(limits)
    return f"""(
        s.expires_at > now()
        and s.authenticated_at > now() - {life} and s.last_seen_at > now() - {idle}
        and (s.secret_fingerprint is null or s.secret_fingerprint = any({fingerprints}::bytea[])))
    """


def use(limits: str) -> str:
    """The columns of a query `found` that `NOTE_USE` needs, given a parameter's name."""
    idle, life = _limits(limits)
    return f"""s.last_seen_at as used_at,
               least(s.authenticated_at + {life}, now() + {idle}) as ends_at"""


NOTE_USE = """used as (
    update sessions s set last_seen_at = now(), expires_at = due.ends_at
      from (select l.id, f.ends_at from found f join sessions l on l.id = f.session_id
             where f.used_at < now() - interval '5 minutes'
               for no key update of l skip locked) due
     where s.id = due.id)"""
"""The part of a query that notes the use of the sessions that its part `found` has found. Who meets
another one that does so leaves it to that."""


async def read(
    connection: Connection, token: str, *, rules: SessionRules
) -> tuple[User, CurrentSession] | None:
    """The user that a cookie's token signs in, and its session; None once that has ended.

    An admin sees the site as somebody else only while they are an admin and the other one is a
    member. Use is noted every five minutes, so `idle` is that exact, together with when the session
    ends if it isn't used again.
    """
    row = await connection.fetchrow(
        f"""
        with found as (
            select s.id as session_id, s.user_id as owner, s.via, s.second_factor,
                   s.sid::text as sid, s.authenticated_at, {use("$2")},
                   s.authenticated_at > now() - interval '15 minutes' as fresh,
                   case when u.id <> s.user_id then a.email end as acted_by,
                   {fields_of("u")}
              from sessions s
              join users a on a.id = s.user_id
              left join users m on m.id = s.acting_as and s.acting_until > now()
                                and a.role in ('admin', 'owner')
                                and m.role = 'member' and m.erased_at is null
              join users u on u.id = coalesce(m.id, s.user_id)
             where s.token_hash = $1 and {live("$2", "$3")}
        ), {NOTE_USE}
        select * from found
        """,
        digest(token),
        *rules.parameters,
    )
    if row is None:
        return None
    fields = dict(row)
    session = CurrentSession(
        fields.pop("session_id"),
        fields.pop("owner"),
        fields.pop("via"),
        fields.pop("fresh"),
        fields.pop("second_factor"),
        fields.pop("sid"),
        fields.pop("authenticated_at"),
    )
    del fields["used_at"], fields["ends_at"]
    return User(**fields), session


async def begin(
    connection: Connection, user: User, *, rules: SessionRules, sign_in: NewSignIn
) -> str:
    """Begin a session. Returns the token for the user's cookie, of which only a hash is stored.
    Deletes expired sessions, and those of the user beyond `MOST`. The caller opens the
    transaction."""
    await connection.execute(
        """
        delete from sessions where token_hash in (
            select token_hash from sessions where expires_at <= now() limit $1
               for update skip locked)
        """,
        SWEEP,
    )
    await connection.execute(
        """
        delete from sessions where token_hash in (
            select token_hash from sessions where user_id = $1
             order by last_seen_at desc, id desc offset $2)
        """,
        user.id,
        MOST - 1,
    )
    token = secrets.token_urlsafe(32)
    await connection.execute(
        """
        insert into sessions (token_hash, user_id, expires_at, secret_fingerprint,
                              via, second_factor, ip, agent)
        values ($1, $2, now() + $3::interval, $4, $5, $6, $7, $8)
        """,
        digest(token),
        user.id,
        min(rules.idle(user), rules.life(user)),
        rules.secret_fingerprints[0],
        *sign_in.parameters,
    )
    await connection.execute(
        """
        update users set last_seen_at = now(), proven_at = coalesce(proven_at, now())
         where id = $1
        """,
        user.id,
    )
    return token


async def renew(
    connection: Connection,
    token: str,
    user: User,
    *,
    rules: SessionRules,
    sign_in: NewSignIn,
) -> str | None:
    """Note that the user of a session has signed in again: the session's new token, and the old one
    no longer works. None where it isn't the user's, has ended, or shows the site as somebody else.
    """
    renewed = secrets.token_urlsafe(32)
    found = await connection.fetchval(
        f"""
        update sessions s
           set token_hash = $4, authenticated_at = now(), last_seen_at = now(),
               expires_at = now() + $5::interval, secret_fingerprint = $6,
               via = $7, second_factor = $8, ip = $9, agent = $10
          from users a
         where s.token_hash = $1 and a.id = s.user_id and a.id = $11 and s.acting_as is null
           and {live("$2", "$3")}
        returning s.id
        """,
        digest(token),
        *rules.parameters,
        digest(renewed),
        min(rules.idle(user), rules.life(user)),
        rules.secret_fingerprints[0],
        *sign_in.parameters,
        user.id,
    )
    return None if found is None else renewed


async def add_factor(connection: Connection, session_id: int, factor: str) -> None:
    """Record that the user of a session has just set up this second factor in it."""
    await connection.execute(
        "update sessions set second_factor = $2 where id = $1", session_id, factor
    )


async def of_user(
    connection: Connection, user_id: int, *, rules: SessionRules, current: int | None = None
) -> list[Session]:
    """A user's sessions: the one with the id `current` first, then most recently used first."""
    rows = await connection.fetch(
        f"""
        select s.id, s.via, s.ip, s.agent, s.created_at, s.authenticated_at, s.last_seen_at,
               s.id is not distinct from $4::bigint as current
          from sessions s join users a on a.id = s.user_id
         where s.user_id = $1 and {live("$2", "$3")}
         order by current desc, s.last_seen_at desc, s.id desc
        """,
        user_id,
        *rules.parameters,
        current,
    )
    return [Session(**dict(row)) for row in rows]


async def end(connection: Connection, token: str) -> None:
    """End the session of a cookie's token."""
    await connection.execute("delete from sessions where token_hash = $1", digest(token))


async def end_one(connection: Connection, *, user_id: int, session_id: int) -> bool:
    """End one session of a user; False if they have no such session."""
    return bool(
        await connection.fetchval(
            "delete from sessions where id = $2 and user_id = $1 returning true",
            user_id,
            session_id,
        )
    )


async def end_all(connection: Connection, user_id: int, *, besides: int | None = None) -> int:
    """End a user's sessions, except the one with the id `besides`; returns how many."""
    ended: int = await connection.fetchval(
        """
        with ended as (
            delete from sessions where user_id = $1 and id is distinct from $2 returning 1)
        select count(*) from ended
        """,
        user_id,
        besides,
    )
    return ended


def digest(token: str) -> bytes:
    """What is stored of a session's token."""
    return hashlib.sha256(token.encode()).digest()
