"""`python -m bench.renewals`: subscriptions that renew in one hour, played as fast as it goes,
against only reading the same list."""

import asyncio
import sys
import time

import httpx
import stripe

from bench import load
from bench.burst import CONNECTIONS, USUAL, happened, reads, signed, spent, until_all
from bench.lifecycle import link
from bench.reconcile import without_lifecycles
from bench.stack import Json, Stack, stack
from tests.harness import KEY

SIZE = 50_000
WAVE = 100
HOUR = 3600
AUTH = ("sk_test_bench", "")


def subscribe(running: Stack, count: int) -> Json:
    """Subscribers who came in the course of an hour, a hundred at a time."""
    made = running.control("bulk", count=WAVE)
    for _ in range(1, count // WAVE):
        running.control("clock/advance", seconds=max(1, HOUR * WAVE // count))
        running.control("bulk", count=WAVE, product=made["product"])
    return made


def renew(running: Stack) -> list[Json]:
    """Let a month pass; what Stripe says of it, oldest first."""
    httpx.post(f"{running.sandbox}/v1/products", data={"name": "First"}, auth=AUTH, timeout=60)
    [first] = httpx.get(f"{running.sandbox}/_sandbox/events?limit=1", timeout=60).json()["data"]
    listed = httpx.get(f"{running.sandbox}/v1/subscriptions?limit=1", auth=AUTH, timeout=60)
    [newest] = listed.json()["data"]
    running.control("clock/advance", subscription=newest["id"], until="period_end")
    running.control("clock/advance", seconds=2 * HOUR)
    return happened(running, first["id"])


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
    with stack(LATCHKEY_BURST_FROM=burst_from, LATCHKEY_CATCHUP_SECONDS="86400") as running:
        made = subscribe(running, count)
        link(running, made)
        without_lifecycles(running)
        [endpoint] = httpx.get(
            f"{running.sandbox}/v1/webhook_endpoints", auth=AUTH, timeout=60
        ).json()["data"]
        [key, *_] = running.control(f"webhook_endpoints/{endpoint['id']}")["secrets"]
        running.control("faults", drop=1)
        events = renew(running)
        requests = signed(events, key)
        httpx.delete(f"{running.sandbox}/_sandbox/requests")
        before, used = running.memory("worker"), running.cpu()
        port = int(running.url.rpartition(":")[2])
        began = time.perf_counter()
        taken = asyncio.run(load.run(port, requests, connections=CONNECTIONS))
        left = "select case when count(*) = 0 then 1 else 0 end as n from events"
        peak = asyncio.run(until_all(running, f"{left} where state in ('waiting', 'relayed')", 1))
        seconds, cost = time.perf_counter() - began, spent(running, used)
        counted = reads(running)
        renewed = "select count(distinct subscription_id) as n from subscription_items"
        asyncio.run(
            until_all(running, f"{renewed} where period_end > now() + interval '9 days'", count)
        )
        walked, walked_cpu, seen = walk(running)
        each = ", ".join(f"{path} {number}" for path, number in counted.most_common(4))
        print(
            f"from {burst_from:>4}: {len(events)} events of {count} renewals handled in"
            f" {seconds:.1f} s (taken in {taken.words()}), walk of {seen} {walked:.1f} s, ratio"
            f" {seconds / walked:.2f} (wanted: at most 1.5); CPU seconds of the walk"
            f" {walked_cpu:.1f}, of the rest {cost}; Stripe calls"
            f" {sum(counted.values()) / count:.3f} a renewal: {each}; worker"
            f" {before / 2**20:.0f} MB before, {peak / 2**20:.0f} MB at most"
        )


if __name__ == "__main__":
    main()
