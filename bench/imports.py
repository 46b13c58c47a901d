"""`python -m bench.imports`: time until everyone has access, against only reading the lists."""

import asyncio
import sys
import time

import httpx
import stripe

from bench.stack import Json, Stack, fetch, stack
from tests.harness import KEY

SIZES = (1_000, 10_000, 50_000)


def walk(running: Stack, price: str) -> tuple[float, int]:
    """Read the same lists with the SDK, without processing them."""
    client = stripe.StripeClient(KEY, base_addresses={"api": running.sandbox})
    began = time.perf_counter()
    count = 0
    params: Json = {"price": price, "limit": 100, "expand": ["data.customer"]}
    for _ in client.v1.subscriptions.list(params).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    sessions: Json = {"limit": 100, "status": "complete", "expand": ["data.line_items"]}
    for _ in client.v1.checkout.sessions.list(sessions).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    bills: Json = {"limit": 100, "status": "paid", "expand": ["data.payments"]}
    for _ in client.v1.invoices.list(bills).auto_paging_iter():  # type: ignore[arg-type]
        count += 1
    return time.perf_counter() - began, count


def import_all(
    running: Stack, made: Json, count: int, *, invoices: str = "year"
) -> tuple[float, int, int]:
    """Link and wait until the link listens: seconds, calls to Stripe, peak memory of the worker."""
    product = running.api("POST", "/products", json={"name": f"Bench {count}"})["id"]
    while not any(
        item["id"] == made["product"] and item["active_subscriptions"] == count
        for item in running.api("GET", "/stripe/products?refresh=true")["data"]
    ):
        time.sleep(0.5)
    httpx.delete(f"{running.sandbox}/_sandbox/requests")
    peak = 0
    began = time.perf_counter()
    running.api(
        "PUT",
        f"/products/{product}/link",
        json={"stripe_product": made["product"], "mail": "suppress", "invoices": invoices},
    )
    while True:
        peak = max(peak, running.memory("worker"))
        link = running.api("GET", f"/products/{product}/link")
        if link["state"] == "listening":
            break
        if link["state"] == "failed":
            raise SystemExit(f"the import failed: {link['error']}")
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    rows = asyncio.run(
        fetch(running.dsn, "select count(*) as n from grants where product_id = $1", product)
    )
    if rows[0]["n"] != count:
        raise SystemExit(f"{rows[0]['n']} people have access, not {count}")
    return seconds, int(link["progress"]["pages"]), peak


def main() -> None:
    """Import each size on a fresh stack, then only read the lists of the same shop."""
    sizes = [int(given) for given in sys.argv[1:]] or list(SIZES)
    for count in sizes:
        with stack() as running:
            made = running.control("bulk", count=count)
            before = running.memory("worker")
            alone, seen = walk(running, made["monthly"])
            seconds, pages, peak = import_all(running, made, count)
            again, _ = walk(running, made["monthly"])
            walked = min(alone, again)
            print(
                f"{count:6d} subscribers: import {seconds:6.2f} s, walk of {seen} {walked:6.2f} s,"
                f" ratio {seconds / walked:.2f} (wanted: at most 1.5); {pages} pages, worker"
                f" {before / 2**20:.0f} MB before, {peak / 2**20:.0f} MB at most"
            )


if __name__ == "__main__":
    main()
