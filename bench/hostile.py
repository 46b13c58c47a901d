"""`python -m bench.hostile`: random lives as a load. Measures events per second until settled, and
their reads from Stripe, first without faults, then with faults."""

import asyncio
import collections
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import httpx
from temporalio.client import Client

from bench.stack import Stack, stack
from latchkey import schedules
from latchkey.store.pool import create_pool
from tests.harness import TOKEN
from tests.hostile.company import Company
from tests.hostile.life import Life, Size
from tests.hostile.outside import Outside
from tests.hostile.truth import Truth

BURSTS = 60
PACE = 4.0
"""Bursts per second while reads are counted. If this is faster than the machine can process, one
object's events spread beyond the half second that counts as one burst."""
SIZE = Size(people=60, rounds=4, moves=80)


@asynccontextmanager
async def reached(running: Stack) -> AsyncIterator[Outside]:
    """The test engine's connections to the running processes."""
    pool = await create_pool(running.dsn)
    client = await Client.connect(running.environment["TEMPORAL_ADDRESS"], namespace="default")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    truth = Truth(running.sandbox)
    async with httpx.AsyncClient(
        base_url=f"{running.url}/api/v1", headers=headers, timeout=60
    ) as api:
        yield Outside(api, pool, truth, lambda: schedules.catch_up_now(client))
    await truth.close()
    await pool.close()


async def reads(truth: Truth, *, forget: bool = False) -> collections.Counter[str]:
    """Latchkey's calls to the sandbox since the log was last cleared, by kind."""
    if forget:
        await truth.client.request("DELETE", "/_sandbox/requests")
        return collections.Counter()
    answer = await truth.client.get("/_sandbox/requests")
    return collections.Counter(
        re.sub(r"(?<=/)\w+_\w{10,}", "{id}", entry["path"])
        for entry in answer.json()["data"]
        if not entry["spared"]
    )


def words(counted: collections.Counter[str], bursts: int) -> str:
    each = ", ".join(f"{path} {count / bursts:.2f}" for path, count in counted.most_common(4))
    return f"{sum(counted.values()) / bursts:.2f} a burst: {each}"


async def stored(company: Company) -> int:
    found: int = await company.outside.pool.fetchval("select count(*) from events")
    return found


async def in_peace(company: Company) -> None:
    """Bursts about one object each: a purchase, then a cancellation, its withdrawal and an end."""
    truth, price = company.truth, company.lives[0].goods[0].monthly[0]
    made: list[str] = []

    async def buy(number: int) -> None:
        session = await truth.post(
            "checkout/sessions",
            mode="subscription",
            line_items=[{"price": price, "quantity": 1}],
            success_url="http://127.0.0.1/thanks",
        )
        email = f"burst{number}@lives.example"
        paid = await truth.control(f"checkout/{session['id']}/pay", email=email)
        made.append(paid["session"]["subscription"])

    async def change(subscription: str) -> None:
        await truth.post(f"subscriptions/{subscription}", cancel_at_period_end=True)
        await truth.post(f"subscriptions/{subscription}", metadata={"note": "noise"})
        await truth.post(f"subscriptions/{subscription}", cancel_at_period_end=False)

    await measure(company, "purchases at checkout", [buy(number) for number in range(BURSTS)])
    await measure(company, "three changes at once", [change(one) for one in made])
    await measure(company, "ends", [truth.delete(f"subscriptions/{one}") for one in made])


async def measure(company: Company, name: str, moves: Sequence[Awaitable[object]]) -> None:
    """Make the moves at a steady pace; print what they cost and how long the events took to settle
    after the last one."""

    async def one(number: int, move: Awaitable[object]) -> None:
        await asyncio.sleep(number / PACE)
        await move

    before = await stored(company)
    await reads(company.truth, forget=True)
    await asyncio.gather(*(one(number, move) for number, move in enumerate(moves)))
    began = time.perf_counter()
    await company.settle()
    took = time.perf_counter() - began
    events = await stored(company) - before
    counted = await reads(company.truth)
    print(
        f"{name:24} {events:5} events, settled {took:.1f} s after the last;"
        f" Stripe calls {words(counted, len(moves))}",
        flush=True,
    )


async def under_faults(company: Company) -> None:
    """Run the property test's rounds, comparing each with the model."""
    events, took = 0, 0.0
    await reads(company.truth, forget=True)
    for number in range(SIZE.rounds):
        before, began = await stored(company), time.perf_counter()
        await company.round(number)
        await company.settle()
        took += time.perf_counter() - began
        events += await stored(company) - before
        await company.compare()
    if company.wrong:
        raise SystemExit("\n".join(company.wrong.values()))
    counted = await reads(company.truth)
    print(
        f"{'lives under faults':24} {events:5} events, {events / took:6.1f}/s to settled;"
        f" Stripe calls {sum(counted.values()) / events:.2f} an event, repeats included",
        flush=True,
    )


async def run(running: Stack, seed: int) -> None:
    async with reached(running) as outside:
        company = Company(outside, [Life(outside, seed, SIZE)])
        await company.prepare()
        await in_peace(company)
        await under_faults(company)


def main() -> None:
    """Another seed by argument."""
    seed = int(sys.argv[1]) if sys.argv[1:] else 1
    with stack() as running:
        asyncio.run(run(running, seed))


if __name__ == "__main__":
    main()
