"""`python -m bench.outgoing`: outgoing webhooks beside purchases, and what they cost these.

Buys at a steady rate without an endpoint, and then as often with one that is told everything: a
purchase is four events. `--rate 5`, `--seconds 60`, `--endpoints 1`.
"""

import argparse
import asyncio
import os
import statistics
import time
from datetime import datetime

from bench.lifecycle import at_rate, link
from bench.stack import Stack, fetch, stack
from latchkey import webhook_signing
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.pool import create_pool
from latchkey.store.webhooks import endpoints
from latchkey.vault import Purpose, Vault
from tests.harness import SECRET
from tests.receiver import Received, receiving

NETWORKS = "LATCHKEY_OUTGOING_NETWORKS"
PATIENCE = 120


async def measure(running: Stack, *, rate: int, seconds: int, count: int) -> None:
    """Both rounds, one after the other."""
    made = running.control("bulk", count=1)
    product = await asyncio.to_thread(link, running, made)
    await at_rate(running, made, product, rate, "warm", 5)
    words = await at_rate(running, made, product, rate, "without", seconds)
    print(f"without an endpoint {words}", flush=True)
    arrived: list[tuple[float, Received]] = []

    async def take(request: Received) -> str:
        arrived.append((time.time(), request))
        return "204 No Content"

    async with receiving(take) as receiver:
        await _add(running.dsn, receiver.url, count)
        began = time.time()
        words = await at_rate(running, made, product, rate, "with", seconds)
        print(f"with {count} of them   {words}", flush=True)
        await _all_delivered(running.dsn)
        took = max(at for at, _ in arrived) - began
    waits = sorted(
        at - datetime.fromisoformat(request.json["timestamp"]).timestamp()
        for at, request in arrived
    )
    print(
        f"{len(arrived)} webhooks in {took:.0f} s, {60 * len(arrived) / took:,.0f} a minute; from"
        f" what happened to the receiver p50 {statistics.median(waits):.2f} s,"
        f" p99 {waits[int(len(waits) * 0.99)]:.2f} s"
    )


async def _add(dsn: str, url: str, count: int) -> None:
    vault = Vault((SECRET,))
    pool = await create_pool(dsn)
    for _ in range(count):
        async with pool.acquire() as connection, connection.transaction():
            await endpoints.create(
                connection,
                format_=WebhookFormat.JSON,
                url=vault.seal(url, Purpose.WEBHOOK_URL),
                host="127.0.0.1",
                description="",
                types=[],
                secret=vault.seal(webhook_signing.new_secret(), Purpose.OUTGOING_SECRET),
                actor=None,
            )
    await pool.close()


async def _all_delivered(dsn: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        [row] = await fetch(
            dsn,
            """
            select (select count(*) from webhook_deliveries where state = 'waiting')
                 + (select count(*) from webhook_facts) as left
            """,
        )
        if not row["left"]:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{row['left']} webhooks were not delivered")
        await asyncio.sleep(0.5)


def main() -> None:
    """Measure, and say so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--endpoints", type=int, default=1)
    given = parser.parse_args()
    os.environ[NETWORKS] = "127.0.0.0/8"
    with stack() as running:
        asyncio.run(measure(running, rate=given.rate, seconds=given.seconds, count=given.endpoints))


if __name__ == "__main__":
    main()
