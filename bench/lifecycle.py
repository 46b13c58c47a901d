"""`python -m bench.lifecycle`: time from delivery to access, at several rates and with open
runs, and what a purchase costs each process.

`--rates 40` plays only that rate, `--seconds 60` for a minute, `--open 1000` only among so many.
"""

import argparse
import asyncio
import statistics
import time

import httpx
import orjson

from bench.stack import Json, Stack, fetch, stack
from sandbox.posting import Poster

RATES, SECONDS = (5, 20, 40), 20
OPEN = (1_000, 10_000)
PATIENCE = 120


async def checkout(client: httpx.AsyncClient, price: str) -> str:
    """A checkout session, created before timing starts."""
    session = (
        await client.post(
            "/v1/checkout/sessions",
            data={
                "mode": "subscription",
                "line_items[0][price]": price,
                "line_items[0][quantity]": "1",
                "success_url": "http://127.0.0.1/",
            },
        )
    ).json()
    return str(session["id"])


async def checkouts(running: Stack, price: str, count: int) -> list[str]:
    """So many checkout sessions, made one after the other."""
    async with httpx.AsyncClient(
        base_url=running.sandbox, headers={"Authorization": "Bearer sk_test_bench"}, timeout=60
    ) as client:
        return [await checkout(client, price) for _ in range(count)]


async def pay(poster: Poster, url: str, email: str, sent: dict[str, float]) -> None:
    """Pay a session, by its address, as cheaply as can be: the load runs on the same cores."""
    sent[email] = time.time()
    status = await poster.post(
        url, orjson.dumps({"email": email}), {"Content-Type": "application/json"}
    )
    if status != httpx.codes.OK:
        raise SystemExit(f"paying was answered with {status}")


async def at_rate(
    running: Stack,
    made: Json,
    product: str,
    rate: int,
    tag: str,
    seconds: int = SECONDS,
    *,
    patience: float = PATIENCE,
    sessions: list[str] | None = None,
) -> str:
    """Buy at a steady rate, with the checkout `sessions` if they were made before, and say how long
    each purchase took to access: from the moment its first event was stored, and from the moment
    before the payment was sent, the sandbox's work included. Also how long after the last payment
    everybody was in, and the CPU time of a purchase.
    """
    sent: dict[str, float] = {}
    sessions = sessions or await checkouts(running, made["monthly"], rate * seconds)
    poster = Poster(60)
    spent, own = running.cpu(), time.process_time()
    began = time.perf_counter()
    tasks = []
    for number, session in enumerate(sessions):
        await asyncio.sleep(max(0, began + number / rate - time.perf_counter()))
        email = f"{tag}-{number}@bench.example"
        url = f"{running.sandbox}/_sandbox/checkout/{session}/pay"
        tasks.append(asyncio.create_task(pay(poster, url, email, sent)))
    await asyncio.gather(*tasks)
    took, load = time.perf_counter() - began, time.process_time() - own
    await poster.close()
    last = time.time()
    deadline = time.monotonic() + patience
    while True:
        rows = await fetch(
            running.dsn,
            """
            select u.email, extract(epoch from g.created_at) as at,
                   (select extract(epoch from min(received_at)) from events
                     where target_id = g.source_id and target_kind <> 'none') as stored
              from grants g join users u on u.id = g.user_id
             where g.product_id = $1 and u.email like $2
            """,
            product,
            f"{tag}-%",
        )
        if len(rows) == len(sent):
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(rows)} of {len(sent)} buyers have access")
        await asyncio.sleep(0.2)
    stored = _figures([float(row["at"]) - float(row["stored"]) for row in rows])
    paid = _figures([float(row["at"]) - sent[row["email"]] for row in rows])
    late = max(0.0, max(float(row["at"]) for row in rows) - last)
    cost = ", ".join(
        f"{name} {1000 * (now - spent.get(name, 0)) / len(sent):.1f}"
        for name, now in sorted((await _settled(running)).items())
    )
    cost += f", the load {1000 * load / len(sent):.1f}"
    return (
        f"{len(sent) / took:5.1f}/s: from delivery {stored}; from payment {paid}; everybody in"
        f" {late:.1f} s after the last payment\n      ms of CPU a purchase: {cost}"
    )


async def _settled(running: Stack) -> dict[str, float]:
    """The CPU seconds of each process once the purchases' remaining work is done."""
    while (await fetch(running.dsn, "select count(*) as n from events where state = 'waiting'"))[0][
        "n"
    ]:
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)
    return running.cpu()


def _figures(seconds: list[float]) -> str:
    waits = sorted(1000 * wait for wait in seconds)
    return f"p50 {statistics.median(waits):5.0f} ms, p99 {waits[int(len(waits) * 0.99)]:5.0f} ms"


def link(running: Stack, made: Json) -> str:
    """A product linked to the bulk's Stripe product, listening."""
    product = str(running.api("POST", "/products", json={"name": "Bench"})["id"])
    while not running.api("GET", "/stripe/products?refresh=true")["data"]:
        time.sleep(0.5)
    body = {"stripe_product": made["product"], "mail": "suppress"}
    running.api("PUT", f"/products/{product}/link", json=body)
    while running.api("GET", f"/products/{product}/link")["state"] != "listening":
        time.sleep(0.1)
    return product


def open_runs(running: Stack, count: int) -> None:
    """Wait until every imported subscription has its workflow."""
    while True:
        rows = asyncio.run(
            fetch(
                running.dsn,
                "select count(*) as n from subscriptions where lifecycle_at is not null",
            )
        )
        if rows[0]["n"] >= count:
            return
        time.sleep(1)


def main() -> None:
    """Measure the rates on an empty shop, then 20 per second with more and more open runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", type=int, nargs="*", default=RATES)
    parser.add_argument("--open", type=int, nargs="*", default=OPEN)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    given = parser.parse_args()
    if given.rates:
        with stack() as running:
            made = running.control("bulk", count=1)
            product = link(running, made)
            asyncio.run(at_rate(running, made, product, 5, "warm"))
            for rate in given.rates:
                words = asyncio.run(
                    at_rate(running, made, product, rate, f"r{rate}", given.seconds)
                )
                print(f"{rate:3d} a second asked, {words}", flush=True)
    for count in given.open:
        with stack() as running:
            made = running.control("bulk", count=count)
            product = link(running, made)
            open_runs(running, count)
            asyncio.run(at_rate(running, made, product, 5, "warm"))
            words = asyncio.run(at_rate(running, made, product, 20, "open", given.seconds))
            print(f"20 a second among {count} open runs, {words}", flush=True)


if __name__ == "__main__":
    main()
