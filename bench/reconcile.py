"""`python -m bench.reconcile`: comparing all access with Stripe, against only reading the lists."""

import asyncio
import sys
import time

import stripe

from bench.imports import import_all
from bench.stack import Json, Stack, fetch, stack
from tests.harness import KEY

SIZES = (1_000, 10_000, 50_000)


def walk(running: Stack, price: str) -> tuple[float, int]:
    """Read the same lists with the SDK, including ended subscriptions, without processing them."""
    client = stripe.StripeClient(KEY, base_addresses={"api": running.sandbox})
    began = time.perf_counter()
    count = 0
    params: Json = {"price": price, "status": "all", "limit": 100, "expand": ["data.customer"]}
    for _ in client.v1.subscriptions.list(params).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    parts = ["data.line_items", "data.payment_intent.latest_charge"]
    sessions: Json = {"limit": 100, "status": "complete", "expand": parts}
    for _ in client.v1.checkout.sessions.list(sessions).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    bills: Json = {"limit": 100, "status": "paid", "expand": ["data.payments"]}
    for _ in client.v1.invoices.list(bills).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    return time.perf_counter() - began, count


def without_lifecycles(running: Stack) -> None:
    """Skip starting workflows for all subscriptions, since they aren't being timed."""
    asyncio.run(fetch(running.dsn, "update subscriptions set lifecycle_at = now() returning 1"))
    time.sleep(12)


def compare(running: Stack) -> tuple[float, Json, int]:
    """A full dry run: seconds, its report and the worker's peak memory."""
    peak = 0
    began = time.perf_counter()
    made = running.api("POST", "/reconciliations", json={"dry_run": True})
    while True:
        peak = max(peak, running.memory("worker"))
        found = running.api("GET", f"/reconciliations/{made['id']}?limit=5")
        if found["state"] == "done":
            return time.perf_counter() - began, found, peak
        if found["state"] == "failed":
            raise SystemExit(f"the comparison failed: {found['error']}")
        time.sleep(0.05)


def main() -> None:
    """Import each size on a fresh stack, compare, then only read the same lists."""
    sizes = [int(given) for given in sys.argv[1:]] or list(SIZES)
    for count in sizes:
        began = time.perf_counter()

        def say(what: str, began: float = began) -> None:
            print(f"  {time.perf_counter() - began:6.1f} s: {what}", flush=True)

        with stack() as running:
            made = running.control("bulk", count=count)
            say(f"{count} subscribers are in the sandbox")
            import_all(running, made, count, invoices="none")
            without_lifecycles(running)
            say("they are imported")
            before = running.memory("worker")
            seconds, report, peak = compare(running)
            say(f"compared in {seconds:.2f} s")
            walked, seen = walk(running, made["monthly"])
            say(f"walked {seen} objects in {walked:.2f} s")
            if report["differences"]:
                raise SystemExit(f"found differences where there are none: {report['counts']}")
            pages, reads = report["progress"]["pages"], report["progress"]["reads"]
            print(
                f"{count:6d} subscribers: comparison {seconds:6.2f} s, walk of {seen}"
                f" {walked:6.2f} s, ratio {seconds / walked:.2f} (wanted: at most 1.5); {pages}"
                f" pages and {reads} further reads, worker {before / 2**20:.0f} MB before,"
                f" {peak / 2**20:.0f} MB at most",
                flush=True,
            )


if __name__ == "__main__":
    main()
