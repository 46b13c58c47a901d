"""`python -m bench.burst`: 4,000 events of 1,000 purchases at once, to access for all.

`--purchases 3000` plays another number; `off` or a number as argument is another threshold.
"""

import argparse
import asyncio
import collections
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Iterator

import asyncpg
import httpx
import orjson

from bench import load
from bench.lifecycle import checkout, link
from bench.stack import Json, Stack, stack
from latchkey.rules.routing import HANDLED_EVENTS

PURCHASES = 1000
CONNECTIONS = 16
POLL_SECONDS = 0.05
USUAL = "20"


async def buy(running: Stack, price: str, purchases: int) -> None:
    """Have so many buy, by eight buyers at a time."""
    headers = {"Authorization": "Bearer sk_test_bench"}
    async with httpx.AsyncClient(base_url=running.sandbox, headers=headers, timeout=60) as client:
        gate = asyncio.Semaphore(8)

        async def one(number: int) -> None:
            async with gate:
                session = await checkout(client, price)
                email = f"buyer-{number}@bench.example"
                paid = await client.post(f"/_sandbox/checkout/{session}/pay", json={"email": email})
                paid.raise_for_status()

        await asyncio.gather(*(one(number) for number in range(purchases)))


def happened(running: Stack, since: str) -> Iterator[Json]:
    """The sandbox's events of the types that Latchkey asks for, oldest first."""
    with httpx.Client(base_url=running.sandbox, timeout=60) as client:
        while True:
            page = client.get("/_sandbox/events", params={"limit": "100", "after": since})
            events = orjson.loads(page.content)["data"]
            if not events:
                return
            yield from (event for event in events if event["type"] in HANDLED_EVENTS)
            since = events[-1]["id"]


def signed(bodies: Iterable[bytes], key: str) -> Iterator[bytes]:
    """The requests that deliver these events, each signed when it is asked for."""
    for body in bodies:
        at = int(time.time())
        digest = hmac.new(key.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}
        yield load.request("POST", "/webhooks/stripe", headers, body)


PATIENCE = 200
ALL_HANDLED = """
select 1 - (exists (select from events where state = 'waiting')
            or exists (select from events where state = 'relayed'))::int
"""


async def until_all(running: Stack, query: str, wanted: int, *, seconds: float = PATIENCE) -> int:
    """Wait until a query counts so many. Returns the most memory that the worker took."""
    peak = 0
    deadline = time.monotonic() + seconds
    connection = await asyncpg.connect(running.dsn)
    try:
        while True:
            peak = max(peak, running.memory("worker"))
            count = await connection.fetchval(query)
            if count >= wanted:
                return peak
            if time.monotonic() > deadline:
                raise SystemExit(f"only {count} of {wanted}: {query}")
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


def spent(running: Stack, before: dict[str, float]) -> str:
    """The CPU seconds since then, and those of the processes that took most."""
    used = {name: seconds - before.get(name, 0) for name, seconds in running.cpu().items()}
    most = sorted(used.items(), key=lambda one: -one[1])[:5]
    return f"{sum(used.values()):.1f}: " + ", ".join(f"{name} {one:.1f}" for name, one in most)


def reads(running: Stack) -> collections.Counter[str]:
    log = httpx.get(f"{running.sandbox}/_sandbox/requests", timeout=60).json()["data"]
    return collections.Counter(
        re.sub(r"(?<=/)\w+_\w{10,}", "{id}", entry["path"])
        for entry in log
        if entry["path"].startswith("/v1/")
    )


def rush(burst_from: str, purchases: int) -> float:
    """Play the launch on a fresh stack; returns the events per second, to access for all."""
    with stack(LATCHKEY_BURST_FROM=burst_from, LATCHKEY_CATCHUP_SECONDS="86400") as running:
        made = running.control("bulk", count=1)
        link(running, made)
        endpoints = httpx.get(
            f"{running.sandbox}/v1/webhook_endpoints", auth=("sk_test_bench", ""), timeout=60
        ).json()
        [endpoint] = [row["id"] for row in endpoints["data"]]
        [key, *_] = running.control(f"webhook_endpoints/{endpoint}")["secrets"]
        running.control("faults", drop=1)
        headers = {"Authorization": "Bearer sk_test_bench"}
        httpx.post(f"{running.sandbox}/v1/products", data={"name": "First"}, headers=headers)
        [first] = httpx.get(f"{running.sandbox}/_sandbox/events?limit=1", timeout=60).json()["data"]
        asyncio.run(buy(running, made["monthly"], purchases))
        events = [orjson.dumps(event) for event in happened(running, first["id"])]
        requests = iter(list(signed(events, key)))
        httpx.delete(f"{running.sandbox}/_sandbox/requests")
        before, used = running.memory("worker"), running.cpu()

        async def play() -> tuple[load.Result, float, int]:
            began = time.perf_counter()
            port = int(running.url.rpartition(":")[2])
            sending = asyncio.create_task(load.run(port, requests, connections=CONNECTIONS))
            opened = "select count(*) as n from live_grants g join users u on u.id = g.user_id"
            opened += " where u.email like 'buyer-%'"
            peak = await until_all(running, opened, purchases)
            return await sending, time.perf_counter() - began, peak

        taken, seconds, peak = asyncio.run(play())
        cost = spent(running, used)
        began = time.perf_counter()
        asyncio.run(until_all(running, ALL_HANDLED, 1))
        settled = time.perf_counter() - began
        counted = reads(running)
        runs = "select count(*) as n from subscriptions where lifecycle_at is not null"
        most = asyncio.run(until_all(running, runs, purchases))
        started = time.perf_counter() - began
        each = ", ".join(f"{path} {count}" for path, count in counted.most_common(4))
        print(
            f"from {burst_from:>4}: {len(events)} events of {purchases} purchases:"
            f" {len(events) / seconds:6.0f} events/s to access for all ({seconds:.1f} s;"
            f" taken in {taken.words()}), handled {settled:.1f} s later, every run started"
            f" {started:.1f} s later; Stripe calls {sum(counted.values()) / purchases:.2f} a"
            f" purchase: {each}; worker {before / 2**20:.0f} MB before,"
            f" {peak / 2**20:.0f} MB at most until then, {most / 2**20:.0f} MB with all runs;"
            f" CPU seconds until access {cost}",
            flush=True,
        )
        return len(events) / seconds


def main() -> None:
    """With every purchase by itself and with the default, or with the thresholds given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("thresholds", nargs="*", default=["off", USUAL])
    parser.add_argument("--purchases", type=int, default=PURCHASES)
    asked = parser.parse_args()
    rates = [rush(given, asked.purchases) for given in asked.thresholds]
    print(f"ratio {rates[-1] / rates[0]:.1f}; wanted: at least 400 events/s, 0.2 calls a purchase")


if __name__ == "__main__":
    main()
