"""The connected servers and workspaces, and which product gives which role or channel there."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import COMMUNITY_SYNC, WebhookFormat, WebhookType
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.webhooks import endpoints, events

TYPES = (WebhookType.ACCESS_GRANTED, WebhookType.ACCESS_ENDED)

_COLUMNS = """
    c.endpoint_id as id, e.format as kind, e.host as name, c.space_id, c.bot_id, c.token,
    c.client_id, c.client_secret, c.invite_url, c.leaving_at,
    e.paused_at is null and e.off_at is null as active
"""


@dataclass(frozen=True)
class Community:
    """A Discord server or Slack workspace. `token` and `client_secret` are sealed; `space_id` is
    empty until the server is chosen. By `invite_url` people join the workspace. `active` is false
    while it is paused or switched off."""

    id: str
    kind: WebhookFormat
    name: str
    space_id: str
    bot_id: str
    token: bytes
    client_id: str
    client_secret: bytes | None
    invite_url: str | None
    leaving_at: datetime | None
    active: bool

    @property
    def open(self) -> bool:
        """Whether members can connect their accounts."""
        return bool(self.space_id) and self.leaving_at is None


@dataclass(frozen=True)
class CommunityRole:
    """A role or channel that a product gives. `problem` says why it can't be given now."""

    product_id: str
    product_name: str
    role_id: str
    role_name: str
    problem: str | None


@dataclass(frozen=True)
class CommunityFigures:
    """How many accounts are connected, how many of these aren't in the community, and how many
    roles were given."""

    accounts: int
    away: int
    given: int


async def create(
    connection: Connection,
    *,
    kind: WebhookFormat,
    name: str,
    space_id: str,
    bot_id: str,
    token: bytes,
    client_id: str = "",
    client_secret: bytes | None = None,
    invite_url: str | None = None,
    actor: int | None,
) -> str:
    """Connect a community; returns its id. The caller opens the transaction."""
    community_id = await endpoints.create(
        connection,
        format_=kind,
        url=None,
        host=name,
        description="",
        types=TYPES,
        secret=None,
        actor=actor,
    )
    await connection.execute(
        """
        insert into communities
            (endpoint_id, space_id, bot_id, token, client_id, client_secret, invite_url)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        community_id,
        space_id,
        bot_id,
        token,
        client_id,
        client_secret,
        invite_url,
    )
    audit_draft.note(target=("community", community_id), after={"kind": kind, "name": name})
    return community_id


async def listed(connection: Connection) -> list[Community]:
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from communities c join webhook_endpoints e on e.id = c.endpoint_id
         order by e.created_at, e.id
        """
    )
    return [_community(row) for row in rows]


async def any_open(connection: Connection) -> bool:
    """Whether there is a community with which members can connect their accounts."""
    found: bool = await connection.fetchval(
        "select exists (select from communities where space_id <> '' and leaving_at is null)"
    )
    return found


async def find(connection: Connection, community_id: str) -> Community | None:
    row = await connection.fetchrow(
        f"""
        select {_COLUMNS} from communities c join webhook_endpoints e on e.id = c.endpoint_id
         where c.endpoint_id = $1
        """,
        community_id,
    )
    return _community(row) if row else None


async def figures(connection: Connection, community_id: str) -> CommunityFigures:
    row = await connection.fetchrow(
        """
        select count(*) filter (where a.unbound_at is null) as accounts,
               count(*) filter (where a.unbound_at is null and a.away_since is not null) as away,
               (select count(*) from community_given g join community_accounts o
                    on o.id = g.account_id where o.endpoint_id = $1) as given
          from community_accounts a where a.endpoint_id = $1
        """,
        community_id,
    )
    assert row is not None, "an aggregate has one row"
    return CommunityFigures(**dict(row))


async def choose_space(
    connection: Connection, community_id: str, *, space_id: str, name: str
) -> None:
    """Say which server it is. The caller opens the transaction."""
    await connection.execute(
        "update communities set space_id = $2 where endpoint_id = $1", community_id, space_id
    )
    await connection.execute(
        "update webhook_endpoints set host = $2 where id = $1", community_id, name
    )
    audit_draft.note(target=("community", community_id), after={"name": name})


async def change_keys(
    connection: Connection,
    community_id: str,
    *,
    bot_id: str,
    token: bytes,
    client_id: str,
    client_secret: bytes | None,
    invite_url: str | None,
) -> None:
    """Use another token, and go on where the earlier one was refused. The caller opens the
    transaction and wakes the relay afterwards."""
    await connection.execute(
        """
        update communities
           set bot_id = $2, token = $3, client_id = $4, client_secret = $5, invite_url = $6
         where endpoint_id = $1
        """,
        community_id,
        bot_id,
        token,
        client_id,
        client_secret,
        invite_url,
    )
    await endpoints.resume(connection, community_id)
    audit_draft.note(target=("community", community_id), after={"token": "replaced"})


async def roles(connection: Connection, community_id: str) -> list[CommunityRole]:
    rows = await connection.fetch(
        """
        select r.product_id, p.name as product_name, r.role_id, r.role_name, r.problem
          from community_roles r join products p on p.id = r.product_id
         where r.endpoint_id = $1 order by p.name, r.role_name, r.role_id
        """,
        community_id,
    )
    return [CommunityRole(**dict(row)) for row in rows]


async def add_role(
    connection: Connection, community_id: str, *, product_id: str, role_id: str, name: str
) -> None:
    """Have a product give a role, also to those who have it already. The caller opens the
    transaction and wakes the relay afterwards."""
    await connection.execute(
        """
        insert into community_roles (endpoint_id, product_id, role_id, role_name)
        values ($1, $2, $3, $4)
        on conflict (endpoint_id, product_id, role_id)
        do update set role_name = excluded.role_name, problem = null
        """,
        community_id,
        product_id,
        role_id,
        name,
    )
    audit_draft.note(
        target=("community", community_id), after={"product": product_id, "role": name}
    )
    await sync_all(connection, community_id)


async def remove_role(
    connection: Connection, community_id: str, *, product_id: str, role_id: str
) -> None:
    """Have a product no longer give a role, and take it from those who have it by that. The caller
    opens the transaction and wakes the relay afterwards."""
    name = await connection.fetchval(
        """
        delete from community_roles where endpoint_id = $1 and product_id = $2 and role_id = $3
        returning role_name
        """,
        community_id,
        product_id,
        role_id,
    )
    audit_draft.note(
        target=("community", community_id), before={"product": product_id, "role": name}
    )
    await sync_all(connection, community_id)


async def note_problem(
    connection: Connection, community_id: str, role_id: str, problem: str | None
) -> None:
    """Note why a role can't be given, or that it can."""
    await connection.execute(
        """
        update community_roles set problem = $3
         where endpoint_id = $1 and role_id = $2 and problem is distinct from $3
        """,
        community_id,
        role_id,
        problem,
    )


async def sync_all(connection: Connection, community_id: str) -> int:
    """Have everybody looked at who is connected, or has something that Latchkey gave; returns how
    many. What happens to members meanwhile comes before them. The caller opens the transaction and
    wakes the relay afterwards."""
    rows = await connection.fetch(
        "select distinct user_id from community_accounts where endpoint_id = $1", community_id
    )
    users = [row["user_id"] for row in rows]
    await events.write_to(connection, community_id, COMMUNITY_SYNC, users, bulk=True)
    return len(users)


async def leave(connection: Connection, community_id: str) -> None:
    """Give nothing more, and take back what was given; then the community goes. The caller opens
    the transaction and wakes the relay afterwards."""
    await connection.execute(
        "update communities set leaving_at = coalesce(leaving_at, now()) where endpoint_id = $1",
        community_id,
    )
    await connection.execute("delete from community_roles where endpoint_id = $1", community_id)
    await endpoints.resume(connection, community_id)
    await sync_all(connection, community_id)
    audit_draft.note(target=("community", community_id), after={"takes back": True})


async def finish_leaving(connection: Connection, community_id: str) -> bool:
    """Delete a community that is being left once nothing is left to take back."""
    gone = await connection.fetchval(
        """
        delete from webhook_endpoints e using communities c
         where e.id = $1 and c.endpoint_id = e.id and c.leaving_at is not null
           and not exists (select from webhook_deliveries
                            where endpoint_id = $1 and state = 'waiting')
        returning true
        """,
        community_id,
    )
    return bool(gone)


def _community(row: object) -> Community:
    values = dict(row)  # type: ignore[call-overload]
    return Community(**values | {"kind": WebhookFormat(values["kind"])})
