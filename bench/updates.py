"""`python -m bench.updates`: how often each table is updated, and how often that writes to its
indexes.

Subscriptions are imported, renew and are compared with Stripe, and others are bought. An update
that changes no indexed column, and finds room beside the old version, leaves the indexes alone
(Postgres counts it as HOT).
"""

import argparse
import asyncio
import tempfile
import time

from bench import load
from bench.burst import CONNECTIONS, PATIENCE, signed, until_all
from bench.lifecycle import at_rate, link, open_runs
from bench.reconcile import compare
from bench.renewals import HOUR, lines, renew
from bench.soak import key_of
from bench.stack import Stack, fetch, stack

SUBSCRIPTIONS, RATE, SECONDS = 1000, 10, 20
UPDATES = """
select s.relname as table, s.n_tup_upd as updates, s.n_tup_hot_upd as hot,
       (select count(*) from pg_index i where i.indrelid = s.relid) as indexes
  from pg_stat_user_tables s where s.n_tup_upd > 0 order by 2 desc, 1
"""


async def counted(running: Stack) -> list[tuple[str, int, int, int]]:
    """The figures, once the statistics have stood still for three seconds."""
    found: list[tuple[str, int, int, int]] = []
    since = time.monotonic()
    while time.monotonic() - since < 3:
        now = [tuple(row) for row in await fetch(running.dsn, UPDATES)]
        if now != found:
            found, since = now, time.monotonic()
        await asyncio.sleep(0.5)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=SUBSCRIPTIONS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    given = parser.parse_args()
    with (
        stack(LATCHKEY_CATCHUP_SECONDS="86400") as running,
        tempfile.TemporaryFile() as written,
    ):
        made = running.control("bulk", count=given.subscriptions, within=HOUR)
        product = link(running, made)
        open_runs(running, given.subscriptions)
        key = key_of(running)
        running.control("faults", drop=1)
        renew(running, written)
        running.control("faults", drop=0)
        port = int(running.url.rpartition(":")[2])
        asyncio.run(load.run(port, signed(lines(written), key), connections=CONNECTIONS))
        asyncio.run(at_rate(running, made, product, RATE, "buy", given.seconds))
        handled = """
        select case when count(*) = 0 then 1 else 0 end as n
          from events where state in ('waiting', 'relayed')
        """
        asyncio.run(until_all(running, handled, 1, seconds=PATIENCE))
        compare(running)
        for table, updates, hot, indexes in asyncio.run(counted(running)):
            print(f"{table:24} {updates:7} updates, {hot / updates:4.0%} HOT, {indexes} indexes")


if __name__ == "__main__":
    main()
