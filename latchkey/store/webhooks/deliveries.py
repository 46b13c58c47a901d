"""What each endpoint is still to be told, in order for each user, and what came of each attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.deliveries import Next
from latchkey.rules.vocabulary import DeliveryState
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups


@dataclass(frozen=True)
class ToldUser:
    """A user as receivers get to know them. `email` is None once they were erased, and `name` may
    be."""

    id: int
    email: str | None
    name: str | None


@dataclass(frozen=True)
class ToldProduct:
    """A product as receivers get to know it; slug and name are None once it was deleted."""

    id: str
    slug: str | None
    name: str | None


@dataclass(frozen=True)
class Delivery:
    """One event for one endpoint, with what its text needs. `first_tried_at` is None before the
    first attempt."""

    id: int
    message_id: str
    type: str
    at: datetime
    user: ToldUser | None
    product: ToldProduct | None
    data: dict[str, Any]
    attempts: int
    first_tried_at: datetime | None


@dataclass(frozen=True)
class Attempt:
    """What one attempt sent and got. `answer` is the beginning of the answer's body; `error` is why
    there was none, or why it counts as a failure. `asked` is how long the endpoint asks to be left
    alone, `hopeless` says that trying again is of no use, `alone` that a failure says nothing about
    the rest of what is sent there."""

    request: str
    status: int | None
    answer: str | None
    error: str | None
    milliseconds: int
    asked: timedelta | None = None
    hopeless: bool = False
    accepted: bool = False
    alone: bool = False


@dataclass(frozen=True)
class LoggedDelivery:
    """One line of an endpoint's log. `status` and `error` are those of the last attempt."""

    id: int
    type: str
    at: datetime
    user_id: int | None
    user_email: str | None
    state: DeliveryState
    attempts: int
    due_at: datetime
    done_at: datetime | None
    status: int | None
    error: str | None
    message_id: str


@dataclass(frozen=True)
class LoggedAttempt:
    """One attempt in the log. `request` and `answer` are None once the user was erased."""

    id: int
    at: datetime
    request: str | None
    status: int | None
    answer: str | None
    error: str | None
    milliseconds: int


_TOLD = """
select d.id, v.message_id, v.type, v.at, v.data, d.attempts, d.first_tried_at, v.user_id,
       case when u.erased_at is null then coalesce(u.email, m.email) end as email,
       case when u.erased_at is null then u.name end as user_name,
       v.product_id, p.slug, p.name as product_name
  from webhook_deliveries d
  join webhook_events v on v.id = d.event_id
  left join users u on u.id = v.user_id
  left join user_merges m on m.from_user = v.user_id
  left join products p on p.id = v.product_id
"""


async def due(
    connection: Connection, endpoint_id: str, *, limit: int, probe: bool = False
) -> list[Delivery]:
    """What can be sent now: the first waiting event of each user, if it is due, imports last.

    A `probe` is sent whether it is due or not: what was tried least, since what is refused for its
    own sake says little about the endpoint.
    """
    rows = await connection.fetch(
        f"""
        with heads as (
            select id, bulk, event_id from webhook_deliveries d
             where endpoint_id = $1 and state = 'waiting' and (due_at <= now() or $3)
               and not exists (select from webhook_deliveries earlier
                                where earlier.endpoint_id = $1 and earlier.state = 'waiting'
                                  and earlier.user_id = d.user_id
                                  and earlier.event_id < d.event_id)
             order by case when $3 then attempts else 0 end, bulk, event_id limit $2)
        {_TOLD} join heads h on h.id = d.id
         order by h.bulk, h.event_id
        """,
        endpoint_id,
        limit,
        probe,
    )
    return [_delivery(row) for row in rows]


async def next_due(connection: Connection, endpoint_id: str) -> datetime | None:
    """When the next event can be sent, None if none waits."""
    found: datetime | None = await connection.fetchval(
        """
        select min(due_at) from webhook_deliveries d
         where endpoint_id = $1 and state = 'waiting'
           and not exists (select from webhook_deliveries earlier
                            where earlier.endpoint_id = $1 and earlier.state = 'waiting'
                              and earlier.user_id = d.user_id
                              and earlier.event_id < d.event_id)
        """,
        endpoint_id,
    )
    return found


async def mark_delivered(
    connection: Connection, endpoint_id: str, delivery: Delivery, attempt: Attempt
) -> None:
    """Note a success, which ends the endpoint's failures in a row, but no rest: that was asked for
    by an answer to a request that was under way at the same time."""
    await connection.execute(
        f"""
        with told as (
            update webhook_deliveries
               set state = 'delivered', attempts = attempts + 1, done_at = now(),
                   first_tried_at = coalesce(first_tried_at, now())
             where id = $1 returning id, user_id
        ), noted as ({_NOTE})
        update webhook_endpoints
           set failures = 0, failing_since = null, delivered_at = now(),
               rests_until = case when rests_until > now() then rests_until end
         where id = $7
           and (failures > 0 or delivered_at is null
                or delivered_at < now() - interval '10 seconds')
        """,
        delivery.id,
        *_noted(attempt),
        endpoint_id,
    )


_NOTE = """
    insert into webhook_attempts (delivery_id, user_id, request, status, answer, error,
                                  milliseconds)
    select id, user_id, $2, $3, $4, $5, $6 from told
"""


def _noted(attempt: Attempt) -> tuple[object, ...]:
    return (
        attempt.request,
        attempt.status,
        attempt.answer,
        attempt.error,
        attempt.milliseconds,
    )


async def count_failure(
    connection: Connection, endpoint_id: str, *, alone: bool = False
) -> tuple[int, datetime, datetime]:
    """Count a failed attempt at an endpoint, unless it stands `alone`; returns how many in a row,
    since when, and the time of the database. The caller opens the transaction."""
    row = await connection.fetchrow(
        """
        update webhook_endpoints
           set failures = case when $2 then failures else failures + 1 end,
               failing_since = case when $2 then failing_since
                               else coalesce(failing_since, now()) end
         where id = $1 returning failures, coalesce(failing_since, now()) as failing_since,
                                 now() as now
        """,
        endpoint_id,
        alone,
    )
    if row is None:
        raise LookupError("the endpoint was deleted")
    return row["failures"], row["failing_since"], row["now"]


async def mark_tried(
    connection: Connection,
    endpoint_id: str,
    delivery: Delivery,
    attempt: Attempt,
    then: Next,
    *,
    reason: str,
) -> bool:
    """Note a failed attempt and what follows; True if that switches the endpoint off. A rest that
    another answer has begun is never cut short. The caller opens the transaction."""
    await connection.execute(
        f"""
        with told as (
            update webhook_deliveries
               set state = case when $7::timestamptz is null then 'failed' else 'waiting' end,
                   attempts = attempts + 1, due_at = coalesce($7, due_at),
                   done_at = case when $7 is null then now() end,
                   first_tried_at = coalesce(first_tried_at, now())
             where id = $1 returning id, user_id
        ) {_NOTE}
        """,
        delivery.id,
        *_noted(attempt),
        then.due_at,
    )
    off = await connection.fetchval(
        """
        update webhook_endpoints
           set rests_until = greatest($2, case when rests_until > now() then rests_until end),
               off_at = case when $3 then coalesce(off_at, now()) end,
               off_reason = case when $3 then $4 end
         where id = $1 and off_at is null returning off_at is not null
        """,
        endpoint_id,
        then.rests_until,
        then.switch_off,
        reason,
    )
    return bool(off)


async def listed(
    connection: Connection,
    endpoint_id: str,
    *,
    after: int | None = None,
    limit: int = 50,
    state: str | None = None,
) -> list[LoggedDelivery]:
    """An endpoint's log, newest first, from the one after id `after`."""
    rows = await connection.fetch(
        """
        select d.id, v.type, v.at, d.user_id,
               case when u.erased_at is null then u.email end as user_email,
               d.state, d.attempts, d.due_at, d.done_at, a.status, a.error, v.message_id
          from webhook_deliveries d
          join webhook_events v on v.id = d.event_id
          left join users u on u.id = d.user_id
          left join lateral (select status, error from webhook_attempts
                              where delivery_id = d.id order by id desc limit 1) a on true
         where d.endpoint_id = $1 and ($2::bigint is null or d.id < $2)
           and ($4::text is null or d.state = $4)
         order by d.id desc limit $3
        """,
        endpoint_id,
        after,
        limit,
        state,
    )
    return [LoggedDelivery(**dict(r) | {"state": DeliveryState(r["state"])}) for r in rows]


async def attempts(connection: Connection, delivery_id: int) -> list[LoggedAttempt]:
    """The attempts of one delivery, newest first."""
    rows = await connection.fetch(
        """
        select id, at, request, status, answer, error, milliseconds from webhook_attempts
         where delivery_id = $1 order by id desc limit 50
        """,
        delivery_id,
    )
    return [LoggedAttempt(**dict(row)) for row in rows]


async def find(connection: Connection, endpoint_id: str, delivery_id: int) -> LoggedDelivery | None:
    found = await listed(connection, endpoint_id, after=delivery_id + 1, limit=1)
    return found[0] if found and found[0].id == delivery_id else None


async def told(connection: Connection, delivery_id: int) -> Delivery | None:
    """One delivery with what its text needs."""
    row = await connection.fetchrow(f"{_TOLD} where d.id = $1", delivery_id)
    return _delivery(row) if row else None


async def resend(connection: Connection, endpoint_id: str, delivery_id: int) -> None:
    """Send one event again, with the same message id. The caller opens the transaction and wakes
    the relay afterwards."""
    await connection.execute(
        f"update webhook_deliveries set {_AGAIN} where id = $1 and endpoint_id = $2",
        delivery_id,
        endpoint_id,
    )
    await wakeups.add(connection, wakeups.WEBHOOKS, [endpoint_id])


_AGAIN = """
    state = 'waiting', attempts = 0, first_tried_at = null, due_at = now(), done_at = null
"""


async def replay(connection: Connection, endpoint_id: str, *, since: datetime) -> int:
    """Send all events since a time again that the endpoint's types name; returns how many. The
    caller opens the transaction and wakes the relay afterwards."""
    count: int = await connection.fetchval(
        f"""
        with again as (
            insert into webhook_deliveries (endpoint_id, event_id, user_id, bulk)
            select e.id, v.id, v.user_id, v.bulk
              from webhook_endpoints e join webhook_events v on v.at >= $2
             where e.id = $1 and v.type not in ('test', 'community.sync')
               and (e.types = '{{}}' or v.type = any(e.types))
             order by v.id
            on conflict (endpoint_id, event_id) do update set {_AGAIN}
            returning 1)
        select count(*) from again
        """,
        endpoint_id,
        since,
    )
    if count:
        await wakeups.add(connection, wakeups.WEBHOOKS, [endpoint_id])
    return count


async def forsaken(
    connection: Connection, *, overdue: timedelta = timedelta(minutes=10)
) -> Sequence[str]:
    """The endpoints with something to be sent that should have been sent so long ago."""
    rows = await connection.fetch(
        """
        select id from webhook_endpoints e
         where paused_at is null and off_at is null and format <> 'digest'
           and (rests_until is null or rests_until < now() - $1::interval)
           and exists (select from webhook_deliveries
                        where endpoint_id = e.id and state = 'waiting'
                          and due_at < now() - $1::interval)
        """,
        overdue,
    )
    return [row["id"] for row in rows]


def _delivery(row: Any) -> Delivery:
    user = row["user_id"]
    product = row["product_id"]
    return Delivery(
        id=row["id"],
        message_id=row["message_id"],
        type=row["type"],
        at=row["at"],
        user=ToldUser(user, row["email"], row["user_name"]) if user is not None else None,
        product=ToldProduct(product, row["slug"], row["product_name"]) if product else None,
        data=row["data"],
        attempts=row["attempts"],
        first_tried_at=row["first_tried_at"],
    )
