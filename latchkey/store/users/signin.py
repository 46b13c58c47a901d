"""Signing in: rate-limited attempts, emailed links, and their activity lines."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from latchkey.languages import Language
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.users import sessions
from latchkey.store.users.sessions import NewSignIn, SessionRules
from latchkey.store.users.users import User

SWEEP = 500
"""How many expired counters one attempt deletes, so that the table stays small."""


async def try_once(connection: Connection, who: str, *, most: int, seconds: int) -> bool:
    """Count an attempt by `who`; False if there were more than `most` within `seconds`."""
    return await count_try(connection, who, seconds=seconds) <= most


async def count_try(connection: Connection, who: str, *, seconds: int) -> int:
    """Count an attempt by `who`. Returns how many there were within `seconds`.

    `who` is stored as a hash, and only for that window.
    """
    count: int = await connection.fetchval(
        """
        with swept as (
            delete from tries where who in (
                select who from tries where window_ends <= now() and who <> $1
                 order by window_ends limit $3 for update skip locked))
        insert into tries (who, window_ends) values ($1, now() + make_interval(secs => $2))
        on conflict (who) do update
           set count = case when tries.window_ends <= now() then 1 else tries.count + 1 end,
               window_ends = case when tries.window_ends <= now()
                             then now() + make_interval(secs => $2) else tries.window_ends end
        returning count
        """,
        _hashed(who),
        seconds,
        SWEEP,
    )
    return count


async def forgive(connection: Connection, who: str) -> None:
    """Uncount the last attempt, because it succeeded."""
    await connection.execute(
        "update tries set count = count - 1 where who = $1 and count > 0", _hashed(who)
    )


def _hashed(who: str) -> bytes:
    return hashlib.sha256(who.encode()).digest()


async def mail_link(
    connection: Connection,
    user_id: int,
    *,
    kind: str = "sign_in",
    next_path: str | None = None,
    delay: timedelta = timedelta(),
    language: Language | None = None,
) -> None:
    """Queue an email with a sign-in link: `sign_in`, `recovery` or `login_instructions`. It is sent
    after a delay. `language` is that of whoever asked for it, in case the user's isn't known."""
    key = f"{kind}:{user_id}:{secrets.token_hex(8)}"
    data = ({"next": next_path} if next_path else {}) | _in_language(language)
    mail = Mail(key=key, kind=kind, user_id=user_id, data=data, asked_for=True, delay=delay)
    await write_mails(connection, [mail])


def _in_language(language: Language | None) -> dict[str, str]:
    return {"language": language.code} if language else {}


async def mail_buyer(
    connection: Connection, *, user_id: int, session_id: str, language: Language | None
) -> None:
    """Make sure that a buyer who isn't signed in gets one email that lets them in: about the access
    they bought, or else with a sign-in link. `language` is that of the page that they see, in case
    the user's isn't known."""
    told = await connection.fetchval(
        """
        select exists (
            select from mails m left join subscriptions s on s.id = m.data->>'source_id'
             where m.user_id = $1 and m.kind = 'product_access' and m.state <> 'suppressed'
               and (m.data->>'source_id' = $2 or s.checkout_session = $2))
        """,
        user_id,
        session_id,
    )
    if not told:
        mail = Mail(
            key=f"sign_in:{user_id}:{session_id}",
            kind="sign_in",
            user_id=user_id,
            data=_in_language(language),
        )
        await write_mails(connection, [mail])


async def begin(
    connection: Connection, user: User, *, rules: SessionRules, sign_in: NewSignIn
) -> str:
    """Sign a user in, with an activity line; returns the token for their cookie. The caller opens
    the transaction."""
    token = await sessions.begin(connection, user, rules=rules, sign_in=sign_in)
    data = {"via": sign_in.via}
    if sign_in.second_factor:
        data["second_factor"] = sign_in.second_factor
    await write_facts(
        connection,
        [
            Fact(
                key=f"signed_in:{sessions.digest(token).hex()[:32]}",
                type=ActivityType.SIGNED_IN,
                at=datetime.now(UTC),
                cause=Cause.ADMIN if user.is_staff else Cause.CUSTOMER,
                user_id=user.id,
                data=data,
            )
        ],
    )
    return token


async def end_by_team(
    connection: Connection, user_id: int, *, session_id: int | None, actor: int
) -> int:
    """End one session of a user, or all of them, with an activity line; returns how many. The
    caller opens the transaction."""
    if session_id is None:
        ended = await sessions.end_all(connection, user_id)
    else:
        ended = int(await sessions.end_one(connection, user_id=user_id, session_id=session_id))
    if ended:
        now = datetime.now(UTC)
        fact = Fact(
            key=f"signed_out_by_team:{user_id}:{now.isoformat()}",
            type=ActivityType.SIGNED_OUT_BY_TEAM,
            at=now,
            cause=Cause.ADMIN,
            user_id=user_id,
            actor_id=actor,
            data={"sessions": ended},
        )
        await write_facts(connection, [fact])
    return ended


async def link_used(connection: Connection, nonce: str) -> bool:
    """Whether a sign-in link was used before."""
    used: bool = await connection.fetchval(
        "select exists (select from used_links where nonce = $1)", nonce
    )
    return used


async def use_link(connection: Connection, nonce: str) -> bool:
    """Mark a link as used; False if it was used before. Deletes records of long expired links."""
    await connection.execute(
        """
        delete from used_links where nonce in (
            select nonce from used_links where used_at < now() - interval '7 days' limit $1)
        """,
        SWEEP,
    )
    return bool(
        await connection.fetchval(
            "insert into used_links (nonce) values ($1) on conflict do nothing returning true",
            nonce,
        )
    )
