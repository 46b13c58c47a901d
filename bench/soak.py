"""`python -m bench.soak`: a day of renewals beside a stream of purchases, for an hour.

100,000 subscriptions, of which half renew, their 150,000 events delivered evenly over the time, and
5 purchases a second. Says every minute how large things are, and at the end what a purchase took,
what the memory and the disks grew by, and that nothing was lost. `--subscriptions 10000 --minutes
10 --rate 1` is a smaller one. The full one needs some 12 GB of memory, a large part of it for the
sandbox, and begins with the import of everybody.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import httpx

from bench import load
from bench.burst import CONNECTIONS, signed
from bench.imports import import_all
from bench.lifecycle import at_rate, checkouts, link, open_runs
from bench.renewals import AUTH, HOUR, lines, renew
from bench.stack import Stack, fetch, stack

SUBSCRIPTIONS, MINUTES, RATE = 100_000, 60, 5
PATIENCE = 1800
SAMPLES = 60
NEVER = "86400"
"""Looking for missed events would find all renewals at once, which the sandbox knows from the
beginning."""
PROGRAMS = ("worker", "web")
FIGURES = """
select count(*) filter (where state in ('waiting', 'relayed')) as waiting,
       count(*) filter (where state = 'failed') as failed, count(*) as events,
       coalesce(extract(epoch from now() - min(received_at)
                        filter (where state in ('waiting', 'relayed'))), 0)::float8 as oldest,
       pg_database_size(current_database()) / 1e6 as megabytes
  from events
"""
BEFORE = "create table soak_before as select id, period_end from subscription_items"
LOST = """
select (select count(distinct i.subscription_id) from subscription_items i
          left join soak_before b using (id) where i.period_end is distinct from b.period_end)
       as moved,
       (select count(*) from live_grants where source = 'subscription') as open,
       (select count(*) from (select from live_grants where source = 'subscription'
                               group by user_id, product_id having count(*) > 1) twice) as twice,
       (select count(*) from events where state = 'failed') as failed,
       (select count(*) from events where source = 'catch_up') as caught_up
"""


def key_of(running: Stack) -> str:
    """The signing secret of the endpoint that Latchkey registered."""
    url = f"{running.sandbox}/v1/webhook_endpoints"
    [endpoint] = httpx.get(url, auth=AUTH, timeout=60).json()["data"]
    [key, *_] = running.control(f"webhook_endpoints/{endpoint['id']}")["secrets"]
    return str(key)


@dataclass(frozen=True)
class Sample:
    """How large things are: sizes in MB, the age of the oldest unhandled event in seconds."""

    memory: dict[str, float]
    postgres: float
    temporal: float
    events: int
    unhandled: int
    oldest: float
    failed: int

    def __str__(self) -> str:
        memory = ", ".join(f"{name} {size:.0f} MB" for name, size in self.memory.items())
        return (
            f"{memory}, Postgres {self.postgres:.0f} MB, Temporal {self.temporal:.0f} MB;"
            f" {self.events} events, {self.unhandled} unhandled, the oldest for"
            f" {self.oldest:.1f} s, {self.failed} failed"
        )


async def sample(running: Stack) -> Sample:
    [row] = await fetch(running.dsn, FIGURES)
    return Sample(
        memory={name: running.memory(name) / 1e6 for name in PROGRAMS},
        postgres=row["megabytes"],
        temporal=sum(path.stat().st_size for path in running.folder.glob("temporal.db*")) / 1e6,
        events=row["events"],
        unhandled=row["waiting"],
        oldest=row["oldest"],
        failed=row["failed"],
    )


async def sampled(running: Stack, over: asyncio.Event, every: float) -> list[Sample]:
    """Sample, and print it, until it is over."""
    since, samples = time.perf_counter(), list[Sample]()
    while True:
        samples.append(await sample(running))
        print(f"  {(time.perf_counter() - since) / 60:5.1f} min: {samples[-1]}", flush=True)
        if over.is_set():
            return samples
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await over.wait()


def growth(samples: list[Sample]) -> Iterator[str]:
    """What the time between the first sample and the last one has cost."""
    first, last = samples[0], samples[-1]
    events = max(1, last.events - first.events)
    for name, before in first.memory.items():
        most = max(sample.memory[name] for sample in samples)
        yield f"{name}: {before:.0f} MB before, {most:.0f} at most, {last.memory[name]:.0f} after"
    for name, before, after in (
        ("Postgres", first.postgres, last.postgres),
        ("Temporal", first.temporal, last.temporal),
    ):
        grown = after - before
        yield f"{name}: {grown:.0f} MB more on disk, {1000 * grown / events:.1f} KB an event"
    oldest = max(sample.oldest for sample in samples)
    yield f"the oldest unhandled event at any look had waited for {oldest:.1f} s"


async def play(
    running: Stack,
    renewals: Iterator[bytes],
    count: int,
    *,
    price: str,
    product: str,
    minutes: int,
    rate: int,
) -> None:
    """Deliver the renewals evenly while people buy, and wait until all is handled."""
    port = int(running.url.rpartition(":")[2])
    over, seconds = asyncio.Event(), minutes * 60
    sessions = await checkouts(running, price, rate * seconds)
    sampling = asyncio.create_task(sampled(running, over, every=max(5, seconds / SAMPLES)))
    delivering = load.run(port, renewals, connections=CONNECTIONS, rate=count / seconds)
    buying = at_rate(
        running,
        {"monthly": price},
        product,
        rate,
        "soak",
        seconds,
        patience=PATIENCE,
        sessions=sessions,
    )
    delivered, bought = await asyncio.gather(delivering, buying)
    deadline = time.monotonic() + PATIENCE
    while (await fetch(running.dsn, FIGURES))[0]["waiting"]:
        if time.monotonic() > deadline:
            raise SystemExit("events are left unhandled")
        await asyncio.sleep(0.5)
    over.set()
    samples = await sampling
    print(f"purchases, {bought}")
    print(f"webhooks of renewals, taken in {delivered.words()}")
    print(*growth(samples), sep="\n")


def soak(subscriptions: int, minutes: int, rate: int) -> None:
    cohort = subscriptions // 2
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"  {time.perf_counter() - started:6.1f} s: {what}", flush=True)

    with stack(LATCHKEY_CATCHUP_SECONDS=NEVER) as running, tempfile.TemporaryFile() as written:
        resting = running.control("bulk", count=subscriptions - cohort, interval="year")
        renewing = running.control("bulk", count=cohort, within=HOUR)
        import_all(running, resting, subscriptions - cohort)
        product = link(running, renewing)
        open_runs(running, subscriptions)
        say(f"{subscriptions} subscriptions are imported, each with its run")
        key = key_of(running)
        running.control("faults", drop=1)
        count = renew(running, written)
        running.control("faults", drop=0)
        say(f"{cohort} of them renew, which are {count} events")
        requests = signed(lines(written), key)
        asyncio.run(fetch(running.dsn, BEFORE))
        asyncio.run(
            play(
                running,
                requests,
                count,
                price=renewing["monthly"],
                product=product,
                minutes=minutes,
                rate=rate,
            )
        )
        [lost] = asyncio.run(fetch(running.dsn, LOST))
        bought = rate * minutes * 60
        print(
            f"{lost['moved']} renewed or bought (wanted: {cohort + bought}),"
            f" {lost['open']} have access (wanted: {subscriptions + bought}),"
            f" {lost['twice']} twice, {lost['failed']} events failed,"
            f" {lost['caught_up']} came by catch-up"
        )
        found = (lost["moved"], lost["open"], lost["twice"], lost["failed"])
        if found != (cohort + bought, subscriptions + bought, 0, 0):
            raise SystemExit("something was lost, or done twice")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=SUBSCRIPTIONS)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    parser.add_argument("--rate", type=int, default=RATE, help="purchases a second")
    given = parser.parse_args()
    soak(given.subscriptions, given.minutes, given.rate)


if __name__ == "__main__":
    main()
