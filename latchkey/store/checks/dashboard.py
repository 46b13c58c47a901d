"""The admin dashboard: numbers, what needs attention, and the rehearsal's steps."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from latchkey.rules.vocabulary import SubscriptionPhase
from latchkey.store.access.standings import StandingGroup, users_in
from latchkey.store.pool import Connection
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.purchase_list import COMPLETED, PURCHASES
from latchkey.store.purchases.subscription_list import RUNNING, SUBSCRIPTIONS

DAYS = timedelta(days=30)


@dataclass(frozen=True)
class Numbers:
    """How many users have access and how many of them lose it soon, how many subscriptions run and
    how many of them have a payment problem; and what was sold since the day `since` (UTC, 30 days
    ago): subscriptions begun and one-off purchases completed. Each `…_before` is what there was on
    that day, or in the 30 days before it."""

    members: int
    ending: int
    subscriptions: int
    payment_problems: int
    new_subscriptions: int
    purchases: int
    since: date
    subscriptions_before: int
    new_subscriptions_before: int
    purchases_before: int


@dataclass(frozen=True)
class Attention:
    """What needs attention now, beside the alarms at the top of every admin page."""

    failed_mails: int
    failed_links: int


@dataclass(frozen=True)
class Begun:
    """Whether a product is linked, and one was bought."""

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
        select {_users(StandingGroup.ACCESS)} as members,
               {_users(StandingGroup.ENDING)} as ending,
               (now() at time zone 'utc')::date - {DAYS.days} as since
        """
    )
    assert row is not None, "a query without a table has one row"
    begun = datetime.combine(row["since"], time(), UTC)
    problem = (SubscriptionPhase.PAYMENT_PROBLEM,)
    sold = BillingFilter(states=COMPLETED, since=begun)
    month_before = BillingFilter(since=begun - DAYS, until=begun)
    return Numbers(
        **dict(row),
        subscriptions=await SUBSCRIPTIONS.count(connection, BillingFilter(states=RUNNING)),
        payment_problems=await SUBSCRIPTIONS.count(connection, BillingFilter(states=problem)),
        new_subscriptions=await SUBSCRIPTIONS.count(connection, BillingFilter(since=begun)),
        purchases=await PURCHASES.count(connection, sold),
        subscriptions_before=await _running_at(connection, begun),
        new_subscriptions_before=await SUBSCRIPTIONS.count(connection, month_before),
        purchases_before=await PURCHASES.count(connection, replace(month_before, states=COMPLETED)),
    )


async def _running_at(connection: Connection, at: datetime) -> int:
    """How many subscriptions had begun at a moment and weren't over, of those that are known."""
    found: int = await connection.fetchval(
        """
        select count(*) from subscriptions
         where created_at < $1
           and case when phase = any($2::text[]) then true else ended_at >= $1 end
        """,
        at,
        list(RUNNING),
    )
    return found


def _users(group: StandingGroup) -> str:
    return f"(select count(*) from (select distinct user_id from ({users_in(group)}) g) u)"


async def attention(connection: Connection) -> Attention:
    row = await connection.fetchrow(
        """
        select (select count(*) from mails where state = 'failed') as failed_mails,
               (select count(*) from links
                 where state = 'failed' and removed_at is null) as failed_links
        """
    )
    assert row is not None, "a query without a table has one row"
    return Attention(**dict(row))


async def begun(connection: Connection) -> Begun:
    row = await connection.fetchrow(
        """
        select exists (select from links where state = 'listening') as linked,
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
