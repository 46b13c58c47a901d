"""What is known about another site that was connected to this one, by its origin."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class ConnectionFacts:
    """What was set up for an origin, and when it last worked; None for what wasn't or didn't.

    The client is the newest with a redirect address there, the webhook endpoint the newest at that
    host. `token_used_at` is about API tokens of any application: they name no site.
    """

    client_id: str | None
    client_name: str | None
    signed_in_at: datetime | None
    protected_site_id: int | None
    entered_at: datetime | None
    endpoint_id: str | None
    delivered_at: datetime | None
    failing_since: datetime | None
    token_used_at: datetime | None


async def facts(connection: Connection, *, origin: str, host: str) -> ConnectionFacts:
    """What is known about a site, in one query. `origin` is as `origin_of` writes it, `host` its
    host in lower case, without a port."""
    row = await connection.fetchrow(
        """
        select c.id as client_id, c.name as client_name,
               (select max(a.code_used_at) from oauth_authorizations a where a.client_id = c.id)
                   as signed_in_at,
               p.id as protected_site_id,
               (select max(e.used_at) from site_entries e where e.site_id = p.id) as entered_at,
               w.id as endpoint_id, w.delivered_at, w.failing_since,
               (select max(t.last_used_at) from api_tokens t where t.revoked_at is null)
                   as token_used_at
          from (select) one
          left join lateral (
                select id, name from oauth_clients
                 where exists (select from unnest(redirect_uris) as u (address)
                                where starts_with(u.address || '/', $1 || '/'))
                 order by created_at desc, id limit 1) c on true
          left join protected_sites p on p.origin = $1
          left join lateral (
                select id, delivered_at, failing_since from webhook_endpoints
                 where host = $2
                 order by created_at desc, id limit 1) w on true
        """,
        origin,
        host,
    )
    assert row is not None, "there is one row"
    return ConnectionFacts(**dict(row))
