"""The admin dashboard: numbers, what needs attention, and the setup and rehearsal steps."""

from dataclasses import dataclass

from latchkey.rules.access import LIVE_STATUSES, PAST_DUE_STATUSES
from latchkey.store.pool import Connection

MOST_COUNTED = 1000


@dataclass(frozen=True)
class Numbers:
    """Counts. `purchases` covers the last 30 days, up to `MOST_COUNTED`; `ending` the next 14
    days."""

    members: int
    subscriptions: int
    purchases: int
    ending: int
    payment_problems: int


@dataclass(frozen=True)
class Attention:
    """What needs attention now. Stuck events have been waiting for more than five minutes."""

    failed_events: int
    stuck_events: int
    failed_mails: int
    failed_links: int


@dataclass(frozen=True)
class Begun:
    """Which setup steps have been done on a new site."""

    connected: bool
    product: bool
    linked: bool
    bought: bool


@dataclass(frozen=True)
class Rehearsed:
    """Which rehearsal steps have been tried with the sandbox."""

    cancelled: bool
    time_moved: bool
    door_closed: bool


async def numbers(connection: Connection) -> Numbers:
    """Count everything. Reads every live grant and subscription, so don't call it on every
    request."""
    row = await connection.fetchrow(
        f"""
        select (select count(*) from (
                    select distinct user_id from live_grants) m) as members,
               s.running as subscriptions, s.troubled as payment_problems,
               (select count(*) from (
                    select from activities
                     where type = 'product_purchased' and at > now() - interval '30 days'
                     limit {MOST_COUNTED}) p) as purchases,
               (select count(*) from live_grants
                 where until > now() and until < now() + interval '14 days') as ending
          from (select count(*) filter (where status = any($1::text[])) as running,
                       count(*) filter (where status = any($2::text[])) as troubled
                  from subscriptions) s
        """,
        LIVE_STATUSES,
        PAST_DUE_STATUSES,
    )
    assert row is not None, "an aggregate has one row"
    return Numbers(**dict(row))


async def attention(connection: Connection) -> Attention:
    row = await connection.fetchrow(
        """
        select (select count(*) from events where state = 'failed') as failed_events,
               (select count(*) from events
                 where state = 'waiting' and received_at < now() - interval '5 minutes')
                    as stuck_events,
               (select count(*) from mails where state = 'failed') as failed_mails,
               (select count(*) from links
                 where state = 'failed' and removed_at is null) as failed_links
        """
    )
    assert row is not None, "a query without a table has one row"
    return Attention(**dict(row))


async def begun(connection: Connection) -> Begun:
    """The setup steps done, derived from recorded data rather than ticked off by hand."""
    row = await connection.fetchrow(
        """
        select (select state = 'connected' from stripe_connection) as connected,
               exists (select from products) as product,
               exists (select from links where state = 'listening') as linked,
               exists (select from activities where type = 'product_purchased') as bought
        """
    )
    assert row is not None, "a query without a table has one row"
    return Begun(**dict(row))


async def rehearsed(connection: Connection) -> Rehearsed:
    """The rehearsal steps done with the sandbox, whose shop is small.

    Advancing its clock shifts its world into the past: time was advanced if a period ends within a
    day of when its subscription was seen to start.
    """
    row = await connection.fetchrow(
        """
        select exists (select from activities c
                        where c.type = 'subscription_cancelled'
                          and exists (select from activities b
                                       where b.source_id = c.source_id
                                         and b.type = 'subscription_started')) as cancelled,
               exists (select from activities a join subscriptions s on s.id = a.source_id
                        where a.type = 'subscription_started'
                          and s.period_end < a.recorded_at + interval '20 hours') as time_moved,
               exists (select from activities e
                        where e.type = 'access_ended'
                          and exists (select from activities c
                                       where c.source_id = e.source_id
                                         and c.type = 'subscription_cancelled')) as door_closed
        """
    )
    assert row is not None, "a query without a table has one row"
    return Rehearsed(**dict(row))
