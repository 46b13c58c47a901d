"""`python -m bench.growth`: how large the inbox gets with the years, and stays.

Months of events go through it, a month in moments: stored, relayed and handled by the statements
that do it in production, their bodies deleted after 3 months and they themselves after 13. Postgres
vacuums by itself. `--usual` does so with Postgres's own thresholds for that.
"""

import argparse
import asyncio
import hashlib
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from bench.webhooks import event
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.checks import retention
from latchkey.store.pool import Pool, create_pool
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import Account
from tests.harness import run_postgres

MONTHS, A_MONTH, AT_ONCE = 24, 15_000, 50
BODIES, EVENTS = 3, 13
"""After how many months they are deleted."""
USUAL = """
alter table events reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor,
                          autovacuum_analyze_scale_factor)
"""
SIZES = """
select pg_relation_size('events') as rows, pg_indexes_size('events') as indexes,
       pg_total_relation_size('events') - pg_relation_size('events') - pg_indexes_size('events')
       as bodies, (select count(*) from events) as events
"""


def arrival(number: int) -> inbox.Arrival:
    """An event of some 3 KB, of which Postgres's compression saves little."""
    made = orjson.loads(event(f"growth{number}", "customer.subscription.updated"))
    metadata = made["data"]["object"]["metadata"]
    made["data"]["object"]["metadata"] = {
        key: hashlib.sha1(f"{number} {key}".encode()).hexdigest() for key in metadata
    }
    subscription = f"sub_{number // 3}"
    return inbox.Arrival(
        id=made["id"],
        account=Account("acct_bench", livemode=False),
        type="customer.subscription.updated",
        object_id=subscription,
        thin=False,
        api_version="2026-10-28.dahlia",
        created_at=datetime.now(UTC),
        target=Target(TargetKind.SUBSCRIPTION, subscription),
        body=orjson.dumps(made).decode(),
    )


async def month(pool: Pool, number: int) -> None:
    for first in range(number * A_MONTH, (number + 1) * A_MONTH, AT_ONCE):
        await inbox.store(pool, [arrival(n) for n in range(first, first + AT_ONCE)])
        claimed = await inbox.claim(pool, limit=AT_ONCE)
        ids = [waiting.id for waiting in claimed]
        await inbox.mark_relayed(pool, ids)
        async with pool.acquire() as connection, connection.transaction():
            await inbox.mark_handled(connection, ids)


async def grow(pool: Pool, *, usual: bool) -> None:
    if usual:
        await pool.execute(USUAL)
    began: list[float] = []
    for number in range(MONTHS):
        began.append(time.monotonic())
        await month(pool, number)
        now = time.monotonic()
        if number >= BODIES:
            life = timedelta(seconds=now - began[number - BODIES + 1])
            await retention.forget_bodies(pool, older_than=life)
        if number >= EVENTS:
            life = timedelta(seconds=now - began[number - EVENTS + 1])
            await retention.forget_events(pool, older_than=life)
        size = await pool.fetchrow(SIZES)
        assert size is not None, "an aggregate returns a row"
        print(
            f"month {number + 1:2}: {size['events']:7} events in {size['rows'] / 1e6:6.1f} MB,"
            f" indexes {size['indexes'] / 1e6:6.1f} MB, long bodies {size['bodies'] / 1e6:5.1f} MB"
        )


async def measure(dsn: str, *, usual: bool) -> None:
    async with await create_pool(dsn) as pool:
        await pool.execute("alter system set autovacuum_naptime = '1s'")
        await pool.execute("alter system set autovacuum_vacuum_cost_delay = 0")
        await pool.execute("select pg_reload_conf()")
        await grow(pool, usual=usual)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--usual", action="store_true")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder,
        run_postgres(Path(folder) / "postgres") as postgres,
    ):
        asyncio.run(measure(asyncio.run(postgres.create()), usual=given.usual))


if __name__ == "__main__":
    main()
