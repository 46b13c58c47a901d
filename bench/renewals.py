"""`python -m bench.renewals`: subscriptions that renew in one hour, played as fast as it goes,
against only reading the same list."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO

import httpx
import orjson
import stripe

from bench import load
from bench.burst import (
    ALL_HANDLED,
    CONNECTIONS,
    PATIENCE,
    USUAL,
    happened,
    reads,
    signed,
    spent,
    until_all,
)
from bench.lifecycle import link
from bench.reconcile import without_lifecycles
from bench.stack import Json, Stack, fetch, stack
from tests.harness import KEY

SIZE = 50_000
HOUR = 3600
AUTH = ("sk_test_bench", "")

AGED = """
with ends as (
    update subscriptions set period_end = period_end - $1::interval,
                             wake_at = wake_at - $1::interval
)
update subscription_items set period_start = period_start - $1::interval,
                              period_end = period_end - $1::interval
"""
"""Latchkey's side of a month that passes: the sandbox keeps the time of day and makes everything
older. Otherwise each renewal would move a deadline to sooner, which Stripe's never do."""

WALKS = 2
"""How often the list must be read: Stripe says that a subscription has renewed an hour before it
says that it was paid, and each event is followed by a reading that began after it."""

SECONDS_EACH = 0.05
"""How long a renewal may take at most, all together, before the benchmark gives up."""


def renew(running: Stack, into: BinaryIO) -> int:
    """Let a month pass; writes what Stripe says of it, oldest first, one event a line. Returns how
    many events that are."""
    httpx.post(f"{running.sandbox}/v1/products", data={"name": "First"}, auth=AUTH, timeout=60)
    [first] = httpx.get(f"{running.sandbox}/_sandbox/events?limit=1", timeout=60).json()["data"]
    listed = httpx.get(f"{running.sandbox}/v1/subscriptions?limit=1", auth=AUTH, timeout=60)
    [newest] = listed.json()["data"]
    left = newest["items"]["data"][0]["current_period_end"] - int(time.time())
    running.control("clock/advance", seconds=left + 2 * HOUR)
    asyncio.run(fetch(running.dsn, AGED, timedelta(seconds=left + 2 * HOUR)))
    count = 0
    for event in happened(running, first["id"]):
        if not _by_the_clock(event):
            into.write(orjson.dumps(event) + b"\n")
            count += 1
    return count


def _by_the_clock(event: Json) -> bool:
    """Whether the sandbox only says that it moved the clock, which Stripe never does."""
    return "start_date" in (event["data"].get("previous_attributes") or {})


def lines(written: BinaryIO) -> Iterator[bytes]:
    written.seek(0)
    return (line.rstrip(b"\n") for line in written)


def walk(running: Stack) -> tuple[float, float, int]:
    """Read the subscriptions with the SDK, without processing them. Returns the seconds, the CPU
    seconds here and in the sandbox, and how many there were."""
    own, used = time.process_time(), running.cpu()["sandbox"]
    client = stripe.StripeClient(KEY, base_addresses={"api": running.sandbox})
    began = time.perf_counter()
    params: Json = {"status": "all", "limit": 100, "expand": ["data.customer"]}
    found = client.v1.subscriptions.list(params)  # type: ignore[arg-type]
    seen = sum(1 for _ in found.auto_paging_iter())
    seconds = time.perf_counter() - began
    return seconds, time.process_time() - own + running.cpu()["sandbox"] - used, seen


def main() -> None:
    """Another number of subscriptions by argument, and another threshold."""
    count = int(sys.argv[1]) if sys.argv[1:] else SIZE
    burst_from = sys.argv[2] if sys.argv[2:] else USUAL
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"  {time.perf_counter() - started:6.1f} s: {what}", flush=True)

    with (
        stack(LATCHKEY_BURST_FROM=burst_from, LATCHKEY_CATCHUP_SECONDS="86400") as running,
        tempfile.TemporaryFile() as written,
    ):
        made = running.control("bulk", count=count, within=HOUR)
        say(f"{count} subscribers are in the sandbox")
        link(running, made)
        without_lifecycles(running)
        say("they are imported")
        [endpoint] = httpx.get(
            f"{running.sandbox}/v1/webhook_endpoints", auth=AUTH, timeout=60
        ).json()["data"]
        [key, *_] = running.control(f"webhook_endpoints/{endpoint['id']}")["secrets"]
        running.control("faults", drop=1)
        events = renew(running, written)
        say(f"they have renewed, which are {events} events")
        httpx.delete(f"{running.sandbox}/_sandbox/requests")
        before, used = running.memory("worker"), running.cpu()
        port = int(running.url.rpartition(":")[2])
        patience = max(PATIENCE, count * SECONDS_EACH)
        began = time.perf_counter()
        requests = signed(lines(written), key)
        taken = asyncio.run(load.run(port, requests, connections=CONNECTIONS))
        peak = asyncio.run(until_all(running, ALL_HANDLED, 1, seconds=patience))
        seconds, cost = time.perf_counter() - began, spent(running, used)
        counted = reads(running)
        renewed = "select count(distinct subscription_id) as n from subscription_items"
        asyncio.run(
            until_all(running, f"{renewed} where period_end > now() + interval '9 days'", count)
        )
        walked, walked_cpu, seen = walk(running)
        each = ", ".join(f"{path} {number}" for path, number in counted.most_common(4))
        print(
            f"from {burst_from:>4}: {events} events of {count} renewals handled in"
            f" {seconds:.1f} s (taken in {taken.words()}), walk of {seen} {walked:.1f} s, ratio"
            f" {seconds / walked:.2f}, to the {WALKS} walks that the events ask for"
            f" {seconds / walked / WALKS:.2f} (wanted: at most 1.5); CPU seconds of the walk"
            f" {walked_cpu:.1f}, of the rest {cost}; Stripe calls"
            f" {sum(counted.values()) / count:.3f} a renewal: {each}; worker"
            f" {before / 2**20:.0f} MB before, {peak / 2**20:.0f} MB at most"
        )


if __name__ == "__main__":
    main()
