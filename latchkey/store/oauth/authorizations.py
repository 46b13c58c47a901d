"""Codes and tokens: given once, exchanged once, refreshed in turn, and ended together."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from latchkey.rules.oauth import (
    AuthorizationRequest,
    Scope,
    granted_scopes,
    verifier_fits,
)
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.oauth import claims
from latchkey.store.oauth.claims import UserClaims
from latchkey.store.oauth.clients import Client, digest
from latchkey.store.pool import Connection, Pool
from latchkey.store.users.sessions import CurrentSession

CODE_LIFE = timedelta(seconds=60)
ACCESS_LIFE = timedelta(minutes=10)
REFRESH_LIFE = timedelta(days=30)
"""How long a refresh token can be used; each use gives another one."""
LONGEST = timedelta(days=365)
"""How long somebody stays signed in elsewhere by refreshing alone."""

SWEEP = 100


@dataclass(frozen=True)
class Authorization:
    """Who was let into a client, how and when they had signed in here, and for which scopes."""

    id: int
    client_id: str
    user_id: int
    sid: str
    scopes: tuple[str, ...]
    nonce: str | None
    auth_time: datetime
    via: str
    second_factor: str | None


@dataclass(frozen=True)
class Issued:
    """The tokens that a client is given, and what they stand for. `refresh_token` is None without
    the scope for it."""

    authorization: Authorization
    scopes: tuple[str, ...]
    user: UserClaims
    access_token: str
    refresh_token: str | None


@dataclass(frozen=True)
class TokenState:
    """A token that is valid now. `has_product`: its user has the product that the client is for."""

    kind: str
    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    user: UserClaims
    has_product: bool


async def issue_code(
    connection: Connection,
    asked: AuthorizationRequest,
    *,
    user_id: int,
    session: CurrentSession,
) -> str:
    """A code for a user and their session, to be exchanged once within `CODE_LIFE`. The caller
    opens the transaction."""
    await _sweep(connection)
    code = secrets.token_urlsafe(32)
    await connection.execute(
        """
        insert into oauth_authorizations (client_id, user_id, session_id, sid, scopes, redirect_uri,
                                          nonce, code_challenge, auth_time, via, second_factor,
                                          code_hash, code_expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + $13::interval)
        """,
        asked.client_id,
        user_id,
        session.id,
        session.sid,
        list(asked.scopes),
        asked.redirect_uri,
        asked.nonce,
        asked.code_challenge,
        session.authenticated_at,
        session.via,
        session.second_factor,
        digest(code),
        CODE_LIFE,
    )
    return code


async def exchange(
    connection: Connection,
    client: Client,
    *,
    code: str,
    redirect_uri: str | None,
    verifier: str | None,
) -> Issued | str:
    """The tokens for a code, or a sentence about why not. A code that was used before ends what it
    gave: somebody else may have it. The caller opens the transaction, and commits it either way."""
    row = await connection.fetchrow(
        """
        select *, code_expires_at <= now() as expired from oauth_authorizations
         where code_hash = $1 and client_id = $2 for update
        """,
        digest(code),
        client.id,
    )
    if row is None:
        return "this code is unknown, or another client's"
    if row["code_used_at"] is not None:
        await _end_replayed(connection, row, client, "code")
        return "this code was used before: what it gave has ended"
    if row["expired"] or row["ended_at"] is not None:
        return "this code has expired, or its user has signed out"
    if redirect_uri != row["redirect_uri"]:
        return "redirect_uri isn't the one that the code was sent to"
    if not verifier_fits(verifier, row["code_challenge"]):
        return "code_verifier doesn't fit the code_challenge"
    user = await _who(connection, row["user_id"], client)
    if isinstance(user, str):
        return user
    await connection.execute(
        "update oauth_authorizations set code_used_at = now() where id = $1", row["id"]
    )
    scopes = _allowed(row["scopes"], client.scopes)
    return await _give(
        connection,
        _authorization(row),
        scopes,
        user,
        refreshable=Scope.OFFLINE_ACCESS in scopes,
    )


async def refresh(
    connection: Connection, client: Client, *, token: str, scope: str | None
) -> Issued | str:
    """New tokens for a refresh token, which is used up; or a sentence about why not. One that was
    used before ends the whole family: somebody else may have it. Raises `AuthorizationError` for a
    wider scope. The caller opens the transaction, and commits it unless an error is raised."""
    row = await connection.fetchrow(
        """
        select a.*, t.scopes as token_scopes, t.used_at, t.expires_at <= now() as expired,
               a.created_at <= now() - $3::interval as too_old
          from oauth_tokens t join oauth_authorizations a on a.id = t.authorization_id
         where t.token_hash = $1 and t.kind = 'refresh' and a.client_id = $2
           for update
        """,
        digest(token),
        client.id,
        LONGEST,
    )
    if row is None:
        return "this refresh token is unknown, or another client's"
    if row["ended_at"] is not None:
        return "this sign-in has ended: the user has signed out, or it was revoked"
    if row["used_at"] is not None:
        await _end_replayed(connection, row, client, "refresh token")
        return "this refresh token was used before: the whole sign-in has ended"
    if row["expired"] or row["too_old"]:
        return "this refresh token has expired"
    allowed = _allowed(row["scopes"], client.scopes)
    if Scope.OFFLINE_ACCESS not in allowed:
        return "this client may not refresh any more"
    scopes = granted_scopes(scope, allowed)
    user = await _who(connection, row["user_id"], client)
    if isinstance(user, str):
        return user
    await connection.execute(
        "update oauth_tokens set used_at = now() where token_hash = $1", digest(token)
    )
    return await _give(connection, _authorization(row), scopes, user, refreshable=True)


async def _who(connection: Connection, user_id: int, client: Client) -> UserClaims | str:
    user = await claims.of_user(connection, user_id)
    if user is None:
        return "this user's account doesn't exist any more"
    if client.product_required and not user.has(client.product_id):
        return "the user doesn't have the product that this client is for"
    return user


def _allowed(scopes: Sequence[str], of_client: Sequence[str]) -> tuple[str, ...]:
    """The scopes that the client may still have: admins can take some away."""
    return tuple(scope for scope in scopes if scope in of_client or scope == Scope.OPENID)


async def _give(
    connection: Connection,
    found: Authorization,
    scopes: Sequence[str],
    user: UserClaims,
    *,
    refreshable: bool,
) -> Issued:
    access = secrets.token_urlsafe(32)
    renewed = secrets.token_urlsafe(32) if refreshable else None
    tokens = [(access, "access", ACCESS_LIFE), (renewed, "refresh", REFRESH_LIFE)]
    for token, kind, life in tokens:
        if token is not None:
            await connection.execute(
                """
                insert into oauth_tokens (token_hash, authorization_id, kind, scopes, expires_at)
                values ($1, $2, $3, $4, now() + $5::interval)
                """,
                digest(token),
                found.id,
                kind,
                list(scopes),
                life,
            )
    return Issued(found, tuple(scopes), user, access, renewed)


async def _end_replayed(connection: Connection, row: Any, client: Client, what: str) -> None:
    """End a sign-in of which somebody has shown something that was used before."""
    await _end(connection, row["id"])
    fact = Fact(
        key=f"token_replayed:{row['id']}",
        type=ActivityType.TOKEN_REPLAYED,
        at=datetime.now(UTC),
        cause=Cause.CUSTOMER,
        user_id=row["user_id"],
        data={"client": client.name, "what": what},
    )
    await write_facts(connection, [fact])


async def _end(connection: Connection, authorization_id: int) -> None:
    await connection.execute(
        "update oauth_authorizations set ended_at = now() where id = $1 and ended_at is null",
        authorization_id,
    )


def _authorization(row: Any) -> Authorization:
    fields = {name: row[name] for name in Authorization.__dataclass_fields__}
    return Authorization(**{**fields, "sid": str(row["sid"]), "scopes": tuple(row["scopes"])})


@dataclass(frozen=True)
class TokenQuestion:
    """What a token stands for. A `client` asks about a token of its own alone, and proves who it
    is: its id and secret."""

    token: str
    client: tuple[str, str] | None = None


@dataclass(frozen=True)
class TokenAnswer:
    """`authentic`: the client proved who it is. `state` is None for a token that isn't valid."""

    authentic: bool
    state: TokenState | None


_STATES = f"""
select q.n, k.id is not null as authentic, t.kind, t.scopes, t.created_at, t.expires_at,
       c.id as client_id, c.scopes as allowed, c.product_required, c.product_id, {claims.FIELDS}
  from unnest($1::bytea[], $2::text[], $3::bytea[])
       with ordinality as q (token_hash, client_id, secret_hash, n)
  left join (oauth_client_secrets k join oauth_clients o on o.id = k.client_id and o.confidential)
       on k.client_id = q.client_id and k.secret_hash = q.secret_hash
      and (k.expires_at is null or k.expires_at > now())
  left join (oauth_tokens t
             join oauth_authorizations a on a.id = t.authorization_id and a.ended_at is null
             join oauth_clients c on c.id = a.client_id
             join users u on u.id = a.user_id and u.erased_at is null)
       on t.token_hash = q.token_hash and t.expires_at > now() and t.used_at is null
      and (q.client_id is null or (c.id = q.client_id and k.id is not null))
"""


async def answer(pool: Pool, questions: Sequence[TokenQuestion]) -> list[TokenAnswer]:
    """What tokens stand for now, in one query for all. A client that doesn't prove who it is learns
    nothing about its token."""
    rows = await pool.fetch(
        _STATES,
        [digest(question.token) for question in questions],
        [question.client and question.client[0] for question in questions],
        [question.client and digest(question.client[1]) for question in questions],
    )
    found = {row["n"]: row for row in rows}
    return [_answer(found[n]) for n in range(1, len(questions) + 1)]


def _answer(row: Any) -> TokenAnswer:
    return TokenAnswer(row["authentic"], None if row["kind"] is None else _state(row))


def _state(row: Any) -> TokenState:
    user = claims.read(row)
    return TokenState(
        kind=row["kind"],
        client_id=row["client_id"],
        scopes=_allowed(row["scopes"], row["allowed"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        user=user,
        has_product=not row["product_required"] or user.has(row["product_id"]),
    )


async def revoke(connection: Connection, client: Client, token: str) -> None:
    """End a token of a client: an access token alone, a refresh token with all that came of its
    code. What isn't a token of this client stays as it is."""
    row = await connection.fetchrow(
        """
        select t.kind, t.authorization_id from oauth_tokens t
          join oauth_authorizations a on a.id = t.authorization_id
         where t.token_hash = $1 and a.client_id = $2
        """,
        digest(token),
        client.id,
    )
    if row is None:
        return
    if row["kind"] == "refresh":
        await _end(connection, row["authorization_id"])
    else:
        await connection.execute("delete from oauth_tokens where token_hash = $1", digest(token))


async def _sweep(connection: Connection) -> None:
    """Delete tokens that have expired, and look again at some authorizations: they go once they
    have ended, were never used, or have neither a session nor a token left."""
    await connection.execute(
        """
        delete from oauth_tokens where token_hash in (
            select token_hash from oauth_tokens where expires_at <= now() limit $1
               for update skip locked)
        """,
        SWEEP,
    )
    await connection.execute(
        """
        with due as (
            select a.id,
                   a.ended_at is not null or a.code_used_at is null
                   or not exists (select from sessions s where s.id = a.session_id)
                      and not exists (select from oauth_tokens t where t.authorization_id = a.id)
                   as over
              from oauth_authorizations a where a.check_at <= now()
             order by a.check_at limit $1 for update skip locked
        ), kept as (
            update oauth_authorizations set check_at = now() + interval '1 day'
             where id in (select id from due where not over)
        )
        delete from oauth_authorizations where id in (select id from due where over)
        """,
        SWEEP,
    )
