"""What members agreed to that third parties may know, and the sites they are signed in to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.store import audit_draft
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class ConnectedSite:
    """A client that a user agreed to or is signed in to. `scopes` are what they agreed to, empty
    for a first party."""

    client_id: str
    name: str
    scopes: list[str]
    since: datetime
    last_sign_in: datetime | None


async def of_user(connection: Connection, user_id: int, client_id: str) -> frozenset[str]:
    """The scopes that a user agreed to for a client."""
    found = await connection.fetchval(
        "select scopes from oauth_consents where user_id = $1 and client_id = $2",
        user_id,
        client_id,
    )
    return frozenset(found or ())


async def give(connection: Connection, user_id: int, client_id: str, scopes: Sequence[str]) -> None:
    """Remember that a user agreed to these scopes, besides earlier ones."""
    await connection.execute(
        """
        insert into oauth_consents (user_id, client_id, scopes) values ($1, $2, $3)
        on conflict (client_id, user_id) do update set given_at = now(), scopes = array(
            select distinct unnest(oauth_consents.scopes || excluded.scopes) order by 1)
        """,
        user_id,
        client_id,
        list(scopes),
    )
    audit_draft.note(target=("client", client_id), after={"scopes": list(scopes)})


async def connected(connection: Connection, user_id: int) -> list[ConnectedSite]:
    """The sites that a user agreed to or is signed in to, the most recent sign-in first."""
    rows = await connection.fetch(
        """
        select c.id as client_id, c.name, coalesce(k.scopes, '{}') as scopes,
               least(k.given_at, a.first) as since, a.last as last_sign_in
          from oauth_clients c
          left join oauth_consents k on k.client_id = c.id and k.user_id = $1
          left join (select client_id, min(created_at) as first, max(code_used_at) as last
                       from oauth_authorizations
                      where user_id = $1 and ended_at is null and code_used_at is not null
                      group by 1) a on a.client_id = c.id
         where k.client_id is not null or a.client_id is not null
         order by a.last desc nulls last, c.name
        """,
        user_id,
    )
    return [ConnectedSite(**dict(row)) for row in rows]


async def withdraw(connection: Connection, user_id: int, client_id: str) -> bool:
    """Forget that a user agreed to a client, and end what it was given; False if there was nothing.
    The client is told that they are signed out. The caller opens the transaction."""
    known = await connection.fetchval(
        """
        select exists (select from oauth_consents where user_id = $1 and client_id = $2)
            or exists (select from oauth_authorizations
                        where user_id = $1 and client_id = $2 and ended_at is null)
        """,
        user_id,
        client_id,
    )
    await connection.execute(
        "delete from oauth_consents where user_id = $1 and client_id = $2", user_id, client_id
    )
    await connection.execute("select end_authorizations($1, null, $2)", user_id, client_id)
    audit_draft.note(target=("client", client_id))
    return bool(known)
