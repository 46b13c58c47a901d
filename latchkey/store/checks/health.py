"""Health figures for operators: failed and waiting events, last arrivals, and what is late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.store.checks import public_address
from latchkey.store.pool import Connection
from latchkey.store.stripe import refused_webhooks
from latchkey.store.stripe.refused_webhooks import Refused

MANY = 1000
"""The highest count: nobody needs an exact number beyond it."""

OVERDUE = timedelta(minutes=15)
LAST_SESSIONS, SEVERAL = 50, 5
"""If the last sessions are of several people and all come from one address, that is a proxy's."""

TOO_LONG_AGO = timedelta(hours=36)
"""A night's comparison of everything was left out, or did not get through."""


@dataclass(frozen=True)
class HealthFigures:
    """The few figures that every admin page shows the trouble of. Times are of the database.

    `oldest_unsent` is since when an email is due while none is being sent; `stuck_loops` are named
    by kind of process; `unsold` are the names of products on sale that nobody can buy,
    `refused_sales` of those whose checkout Stripe last refused to open; `second_subscriptions`
    counts those that nobody has settled. `only_address` is where the last sessions of several
    people all come from. `webhooks_off` are the hosts of endpoints that were switched off, and
    `webhooks_given_up` counts what was given up within three days; `communities_off` and
    `roles_refused` are communities that were, and roles that they don't let be given.
    `mail_server` says whether an admin entered one.
    `address` is what was last found at the public address (see `public_address`).
    `backed_up_at` is when `latchkey backup` last wrote this database to a file, if it ever did.
    Of the comparisons of all products: `compared_at` is when one last got
    through, or Stripe was connected, `comparison_error` why the last one since then failed, and
    `drift` what the newest left open, without what is foreign: nobody can settle that.
    """

    now: datetime
    failed: int
    oldest_unprocessed: datetime | None
    unprocessed: int
    drift: int
    compared_at: datetime | None
    comparison_error: str | None
    looked_at: datetime | None
    connected_at: datetime | None
    connection: str
    connection_error: str | None
    endpoint_state: str
    endpoint_found: dict[str, Any] | None
    overdue: int
    mails_failed: int
    oldest_unsent: datetime | None
    mail_server: bool
    oldest_wakeup: datetime | None
    stuck_loops: list[str]
    unsold: list[str]
    refused_sales: list[str]
    second_subscriptions: int
    webhooks_off: list[str]
    webhooks_given_up: int
    communities_off: list[str]
    roles_refused: list[str]
    only_address: str | None
    backed_up_at: datetime | None
    address: dict[str, Any] | None

    @property
    def uncompared(self) -> bool:
        """Whether everything should have been compared since."""
        return self.compared_at is not None and self.now - self.compared_at > TOO_LONG_AGO

    @property
    def unlooked_since(self) -> datetime | None:
        """Since when missed events were not looked for; None where nothing was ever connected."""
        known = [at for at in (self.looked_at, self.connected_at) if at]
        return max(known, default=None)


@dataclass(frozen=True)
class TypeSeen:
    """One event type: the last event and how it arrived, and the last one Stripe is known to have
    sent."""

    type: str
    received_at: datetime | None
    created_at: datetime | None
    source: str | None
    sent_at: datetime | None

    @property
    def state(self) -> str:
        """`received`, `caught up` (the last one was found in Stripe's list, not delivered),
        `missing` or `none yet`."""
        if self.received_at is None:
            return "missing" if self.sent_at else "none yet"
        if self.sent_at and self.created_at and self.sent_at > self.created_at:
            return "missing"
        return "caught up" if self.source == "catch_up" else "received"


@dataclass(frozen=True)
class Report:
    """Everything on the health page that comes from Postgres."""

    figures: HealthFigures
    types: list[TypeSeen]
    refusals: list[Refused]
    looks: list[dict[str, Any]]
    mails: dict[str, int]
    oldest_mail: datetime | None
    findings: list[dict[str, Any]]
    account_id: str | None
    account_name: str | None
    livemode: bool | None
    checked_at: datetime | None
    endpoint_url: str | None
    endpoint_error: str | None
    endpoint_checked_at: datetime | None


async def figures(connection: Connection) -> HealthFigures:
    """Read all figures in one query, counting up to `MANY`."""
    row = await connection.fetchrow(
        """
        select now() as now,
               (select count(*) from (select from events where state = 'failed' limit $1) f)
                   as failed,
               least((select received_at from events where state = 'waiting' order by seq limit 1),
                     (select received_at from events where state = 'relayed' order by seq limit 1))
                   as oldest_unprocessed,
               (select count(*) from (select from events where state in ('waiting', 'relayed')
                                       limit $1) w) as unprocessed,
               (select count(*) from (
                    select from differences d
                     where d.reconciliation_id = (
                           select id from reconciliations
                            where state = 'done' and product_id is null
                            order by created_at desc limit 1)
                       and d.class <> 'foreign'
                       and d.state in ('open', 'failed') limit $1) d) as drift,
               greatest(c.connected_at, (select max(compared_at) from reconciliations
                                          where product_id is null)) as compared_at,
               (select error from (
                    select state, error from reconciliations
                     where product_id is null and state in ('done', 'failed')
                       and created_at >= c.connected_at
                     order by created_at desc limit 1) last
                 where state = 'failed') as comparison_error,
               (select min(looked_at) from catch_up k
                 where part like 'often%'
                   and (k.account_id, k.livemode) = (c.account_id, c.livemode)) as looked_at,
               c.connected_at, c.state as connection, c.error as connection_error, c.endpoint_state,
               c.endpoint_found,
               (select count(*) from (select from subscriptions s
                                       where wake_at < now() - $2::interval and ended_at is null
                                         and wake_at is not null
                                         and (s.account_id, s.livemode) = (c.account_id, c.livemode)
                                       limit $1) o) as overdue,
               (select count(*) from (select from mails where state = 'failed' limit $1) m)
                   as mails_failed,
               (select min(due_at) from mails
                 where state in ('queued', 'sending') and pace = 'now'
                   and not exists (select from mails
                                    where claimed_at > now() - interval '5 minutes'))
                   as oldest_unsent,
               exists (select from mail_server where host is not null) as mail_server,
               (select min(at) from wakeups) as oldest_wakeup,
               (select coalesce(array_agg(distinct kind || ': ' || loop), '{}')
                  from processes, unnest(stuck) as loop
                 where seen_at > now() - interval '2 minutes') as stuck_loops,
               (select coalesce(array_agg(p.name order by p.name), '{}')
                  from interrupted_sales i join products p on p.id = i.product_id
                 where p.status = 'live') as unsold,
               (select coalesce(array_agg(name order by name), '{}')
                  from (select distinct p.name from refused_sales f
                          join products p on p.id = f.product_id
                         where p.status = 'live') f) as refused_sales,
               (select count(*) from (select distinct subscription_id
                                        from unsettled_second_subscriptions limit $1) u)
                   as second_subscriptions,
               (select coalesce(array_agg(host order by host), '{}') from webhook_endpoints
                 where off_at is not null
                   and id not in (select endpoint_id from communities)) as webhooks_off,
               (select coalesce(array_agg(host order by host), '{}') from webhook_endpoints
                 where off_at is not null
                   and id in (select endpoint_id from communities)) as communities_off,
               (select coalesce(array_agg(distinct role_name), '{}') from community_roles
                 where problem is not null) as roles_refused,
               (select count(*) from (select from webhook_deliveries d
                                       where d.state = 'failed'
                                         and d.endpoint_id not in
                                             (select endpoint_id from communities)
                                         and d.done_at > now() - interval '3 days'
                                       limit $1) g) as webhooks_given_up,
               (select min(ip) from (select user_id, ip from sessions
                                      where acting_as is null and ip <> 'unknown'
                                      order by id desc limit $3) s
                having count(distinct ip) = 1 and count(distinct user_id) >= $4) as only_address,
               (select done_at from chores where name = 'backup') as backed_up_at,
               (select value from site_settings where key = $5) as address
          from stripe_connection c
        """,
        MANY,
        OVERDUE,
        LAST_SESSIONS,
        SEVERAL,
        public_address.KEY,
    )
    assert row is not None, "the connection has its row"
    return HealthFigures(**dict(row))


async def report(connection: Connection, types: Sequence[str]) -> Report:
    """Build the report, with a fixed number of queries."""
    seen = await connection.fetch(
        """
        select t.type, e.received_at, e.created_at, e.source, s.created_at as sent_at
          from unnest($1::text[]) with ordinality as t (type, nth)
          left join lateral (
               select * from (
                   (select seq, received_at, created_at, source from events
                     where type = t.type order by seq desc limit 1)
                   union all
                   (select seq, received_at, created_at, source from events
                     where type = 'v1.' || t.type order by seq desc limit 1)) both_kinds
                order by seq desc limit 1) e on true
          left join sent_events s on s.type = t.type
         order by t.nth
        """,
        list(types),
    )
    row = await connection.fetchrow("select * from stripe_connection")
    mails = await connection.fetch(
        """
        select state, count(*) as count, min(due_at) as due from mails
         where state in ('queued', 'sending') group by state
        """
    )
    looks = await connection.fetch(
        """
        select k.part, k.looked_at, k.anchor_at, k.found, k.found_at
          from catch_up k
          join stripe_connection c on c.account_id = k.account_id and c.livemode = k.livemode
         order by k.part desc
        """
    )
    assert row is not None, "the connection has its row"
    return Report(
        figures=await figures(connection),
        types=[TypeSeen(**dict(row)) for row in seen],
        refusals=await refused_webhooks.lately(connection, within=timedelta(days=1)),
        looks=[dict(row) for row in looks],
        mails={row["state"]: row["count"] for row in mails},
        oldest_mail=min((row["due"] for row in mails), default=None),
        findings=row["findings"],
        account_id=row["account_id"],
        account_name=row["account_name"],
        livemode=row["livemode"],
        checked_at=row["checked_at"],
        endpoint_url=row["endpoint_url"],
        endpoint_error=row["endpoint_error"],
        endpoint_checked_at=row["endpoint_checked_at"],
    )
