"""Makes outgoing events of what was written with each change, and gives them to the endpoints.

Facts are written in the transactions that change something (`webhook_facts`): by triggers where
grants and users change, by the one writer of activity lines for the rest. One process at a time
makes events of them, so that events have an order that everybody sees.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.vocabulary import WebhookType
from latchkey.rules.webhooks import HeldGrant, WebhookEvent, WebhookFact, events_of
from latchkey.store.pool import Connection, Pool
from latchkey.store.stripe import wakeups

BATCH = 1000
KEPT = timedelta(days=30)
"""How long events can be sent again, and their log can be read."""
_MAKERS = 0x686F6F6B
"""Advisory lock: only one process at a time makes events."""

_FACTS = """
with batch as (
    select id, user_id from webhook_facts order by id limit $1
), facts as (
    select f.id, f.tx, f.at, f.kind, f.user_id, f.product_id, f.source, f.source_id, f.cause,
           f.grant_id, f.was, f.is_now, f.until_was, f.until_now, f.data
      from webhook_facts f
     where f.id in (select id from batch)
        or f.user_id in (select user_id from batch where user_id is not null)
     order by f.id
), held as (
    select g.id, g.user_id, g.product_id, g.until from grants g
     where g.ended_at is null and (g.user_id, g.product_id) in (
           select user_id, product_id from facts where kind = 'grant')
)
select (select max(id) from batch) as upto,
       (select coalesce(jsonb_agg(to_jsonb(f)), '[]') from facts f) as facts,
       (select coalesce(jsonb_agg(to_jsonb(h)), '[]') from held h) as held
"""


async def make(pool: Pool) -> tuple[int, bool]:
    """Make events of one batch of facts; returns of how many facts, and whether there may be
    more."""
    async with pool.acquire() as connection:
        if not await connection.fetchval("select exists (select from webhook_facts)"):
            return 0, False
        async with connection.transaction():
            if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", _MAKERS):
                return 0, False
            made = await _make(connection)
    return made, made >= BATCH


async def _make(connection: Connection) -> int:
    row = await connection.fetchrow(_FACTS, BATCH)
    assert row is not None, "an aggregate has one row"
    upto = row["upto"]
    if upto is None:
        return 0
    facts = [_fact(each) for each in row["facts"]]
    held = [HeldGrant(**each | {"until": _moment(each["until"])}) for each in row["held"]]
    done = [fact.id for fact in facts if fact.id <= upto]
    await write(connection, events_of(facts, held, upto))
    await connection.execute("delete from webhook_facts where id = any($1::bigint[])", done)
    return len(done)


async def write(connection: Connection, events: Sequence[WebhookEvent]) -> None:
    """Store events, with a delivery for each endpoint that wants to know, and rouse these. The
    caller opens the transaction."""
    if not events:
        return
    rows = [
        {name: value for name, value in asdict(event).items() if name != "after"}
        | {"message_id": f"msg_{secrets.token_hex(16)}", "place": place}
        for place, event in enumerate(events)
    ]
    told = await connection.fetch(
        """
        with made as (
            insert into webhook_events (message_id, type, at, user_id, product_id, data, bulk)
            select message_id, type, at, user_id, product_id, data, bulk
              from jsonb_to_recordset($1::jsonb) as given (
                place int, message_id text, type text, at timestamptz, user_id bigint,
                product_id text, data jsonb, bulk boolean)
             order by place
            returning id, type, user_id, bulk
        ), given as (
            insert into webhook_deliveries (endpoint_id, event_id, user_id, bulk)
            select e.id, m.id, m.user_id, m.bulk
              from made m join webhook_endpoints e on e.types = '{}' or m.type = any(e.types)
             where not exists (select from communities c where c.endpoint_id = e.id)
                or exists (select from community_accounts a
                            where a.endpoint_id = e.id and a.user_id = m.user_id)
            returning endpoint_id, user_id, bulk
        ), sooner as (
            update webhook_deliveries d set bulk = false
              from given g join communities c on c.endpoint_id = g.endpoint_id
             where not g.bulk
               and d.endpoint_id = g.endpoint_id and d.user_id = g.user_id
               and d.state = 'waiting' and d.bulk
        )
        select distinct e.id from given join webhook_endpoints e on e.id = given.endpoint_id
         where e.format <> 'digest' and e.paused_at is null and e.off_at is null
           and (e.rests_until is null or e.rests_until <= now())
        """,
        rows,
    )
    await wakeups.add(connection, wakeups.WEBHOOKS, [row["id"] for row in told])


async def write_test(connection: Connection, endpoint_id: str) -> int:
    """Store a test event for one endpoint and rouse it; returns its delivery. The caller opens the
    transaction and wakes the relay afterwards."""
    [delivery] = await write_to(connection, endpoint_id, WebhookType.TEST.value, [None])
    return delivery


async def write_to(
    connection: Connection,
    endpoint_id: str,
    type_: str,
    user_ids: Sequence[int | None],
    *,
    bulk: bool = False,
) -> list[int]:
    """Store events for one endpoint alone, one about each of these users, and rouse it; returns the
    deliveries. What waits about them comes no later than these, since `bulk` comes last. The caller
    opens the transaction and wakes the relay afterwards."""
    rows = await connection.fetch(
        """
        with sooner as (
            update webhook_deliveries set bulk = false
             where endpoint_id = $1 and user_id = any($4::bigint[]) and state = 'waiting'
               and bulk and not $5
        ), made as (
            insert into webhook_events (message_id, type, at, user_id, bulk)
            select message_id, $3, now(), user_id, $5
              from unnest($2::text[], $4::bigint[]) as given (message_id, user_id)
            returning id, user_id)
        insert into webhook_deliveries (endpoint_id, event_id, user_id, bulk)
        select $1, id, user_id, $5 from made returning id
        """,
        endpoint_id,
        [f"msg_{secrets.token_hex(16)}" for _ in user_ids],
        type_,
        user_ids,
        bulk,
    )
    await wakeups.add(connection, wakeups.WEBHOOKS, [endpoint_id])
    return [row["id"] for row in rows]


async def forget_old(connection: Connection) -> None:
    """Delete what is older than `KEPT`, with the log, in batches."""
    await connection.execute("delete from webhook_facts where at < now() - $1::interval", KEPT)
    deleted = BATCH
    while deleted == BATCH:
        status = await connection.execute(
            """
            delete from webhook_events where id in (
                select id from webhook_events where created_at < now() - $1::interval
                 order by created_at limit $2)
            """,
            KEPT,
            BATCH,
        )
        deleted = int(status.split()[-1])


def _fact(row: dict[str, Any]) -> WebhookFact:
    times = {name: _moment(row[name]) for name in ("at", "until_was", "until_now")}
    return WebhookFact(**row | times)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
