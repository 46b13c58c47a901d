"""The rate at Stripe is the cluster's: processes played in a time of their own, with the real row.

Nothing here looks at a clock: the players' time goes forward in steps.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from latchkey import stripe_leases
from latchkey.store.pool import Pool
from latchkey.stripe_rate import (
    BURST_SECONDS,
    CREDIT_SECONDS,
    LIFETIME_SECONDS,
    BusyError,
    Calling,
    Lease,
    Permits,
    StripeRate,
    calling,
)

pytestmark = pytest.mark.anyio

LIMIT = 20.0
STEP = 0.02
BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Call:
    """A call that got its permit; times in seconds since the beginning."""

    at: float
    asked: float
    process: int
    priority: int

    @property
    def waited(self) -> float:
        return self.at - self.asked


@dataclass
class Cluster:
    """Some processes on one row. `demand` says which calls each makes at a time."""

    pool: Pool
    processes: list[Permits]
    now: float = 0.0
    calls: list[Call] = field(default_factory=list)
    leases: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @classmethod
    async def of(cls, pool: Pool, count: int) -> "Cluster":
        await pool.execute("update stripe_rate set refilled_at = $1", BEGIN)
        for number in range(count):
            await pool.execute(
                "insert into processes (id, kind, release) values ($1, 'worker', '1')",
                f"worker-{number}",
            )
        return cls(pool, [Permits(LIMIT, processes=count) for _ in range(count)])

    def call(self, process: int, priority: int) -> None:
        asked = self.now

        def served() -> None:
            self.calls.append(Call(self.now, asked, process, priority))

        self.processes[process].wait(self.now, priority, served)

    async def play(
        self, seconds: float, demand: Callable[[float], Sequence[tuple[int, int]]] | None = None
    ) -> None:
        end = self.now + seconds
        while self.now < end:
            for process, priority in demand(self.now) if demand else ():
                self.call(process, priority)
            for permits in self.chance.sample(self.processes, len(self.processes)):
                permits.serve(self.now)
                asked = permits.ask(self.now)
                if asked is not None:
                    self.leases += 1
                    at = BEGIN + timedelta(seconds=self.now)
                    lease = await stripe_leases.lent(self.pool, LIMIT, asked, at=at)
                    permits.lent(self.now, asked, lease)
            self.now = round(self.now + STEP, 6)

    def between(self, start: float, end: float, *priorities: int) -> list[Call]:
        return [
            call
            for call in self.calls
            if start <= call.at < end and (not priorities or call.priority in priorities)
        ]

    def most_in(self, seconds: float) -> int:
        """The most calls in any stretch of so many seconds."""
        times = sorted(call.at for call in self.calls)
        first, most = 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


def steadily(
    per_second: float, processes: Sequence[int], priority: int, until: float = 1e9
) -> Callable[[float], list[tuple[int, int]]]:
    """So many calls per second, by the processes in turn."""
    made = 0

    def demand(now: float) -> list[tuple[int, int]]:
        nonlocal made
        due = int(min(now, until) * per_second) - made
        found = [(processes[(made + n) % len(processes)], priority) for n in range(due)]
        made += due
        return found

    return demand


def together(
    *demands: Callable[[float], list[tuple[int, int]]],
) -> Callable[[float], list[tuple[int, int]]]:
    return lambda now: [one for demand in demands for one in demand(now)]


def allowed(seconds: float, processes: int) -> float:
    """The most calls that the cluster may make in so many seconds: what the row holds and gets,
    permits that were lent just before, and each process's credit."""
    credit = processes * max(1, LIMIT * CREDIT_SECONDS)
    return LIMIT * (BURST_SECONDS + seconds + LIFETIME_SECONDS) + credit


@pytest.mark.parametrize("processes", [1, 4])
async def test_the_total_stays_under_the_limit_and_uses_it(pool: Pool, processes: int) -> None:
    cluster = await Cluster.of(pool, processes)
    await cluster.play(20, steadily(3 * LIMIT, range(processes), 2))
    assert len(cluster.calls) <= allowed(20, processes) - LIMIT * LIFETIME_SECONDS
    assert len(cluster.between(5, 20)) >= 0.95 * LIMIT * 15
    assert cluster.most_in(1) <= allowed(1, processes)
    by_process = [sum(1 for call in cluster.calls if call.process == n) for n in range(processes)]
    assert min(by_process) > 0.5 * len(cluster.calls) / processes
    assert cluster.leases < 2 * len(cluster.calls)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_the_total_stays_under_the_limit(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(2, 6)
    cluster = await Cluster.of(pool, count)

    def demand(now: float) -> list[tuple[int, int]]:
        rush = 6 if int(now) % 4 == 0 else 0.5
        calls = chance.random() * rush * LIMIT * STEP * 2
        return [
            (chance.randrange(count), chance.randint(1, 5))
            for _ in range(int(calls) + (chance.random() < calls % 1))
        ]

    await cluster.play(15, demand)
    assert len(cluster.calls) > 100
    for seconds in (1, 5, 15):
        assert cluster.most_in(seconds) <= allowed(seconds, count)


async def test_calls_within_the_rate_wait_for_nothing(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 2)
    await cluster.play(10, steadily(0.5 * LIMIT, [0, 1], 2))
    assert len(cluster.calls) == 99
    assert max(call.waited for call in cluster.calls) <= 2 * STEP
    assert cluster.leases <= 2 * 10 / 0.25, "a lease serves several calls"


async def test_people_come_before_bulk_in_all_processes(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 3)
    bulk = steadily(4 * LIMIT, [0, 1], 5)
    people = steadily(4, [1, 2], 1)
    await cluster.play(20, together(bulk, people))
    waits = [call.waited for call in cluster.between(1, 20, 1)]
    assert len(waits) > 70
    assert max(waits) <= 0.5
    assert len(cluster.between(5, 20, 5)) >= 0.6 * LIMIT * 15, "bulk has the rest of the rate"


async def test_bulk_is_not_starved_for_ever(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 2)
    cluster.call(0, 5)
    await cluster.play(40, steadily(1.5 * LIMIT, [0, 1], 2))
    [bulk] = cluster.between(0, 40, 5)
    assert 30 <= bulk.waited < 35
    assert len(cluster.between(0, bulk.at)) >= 0.9 * LIMIT * bulk.waited


async def test_people_wait_for_no_backlog_of_events(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 2)
    events = steadily(3 * LIMIT, [0, 1], 2)
    await cluster.play(20, together(events, steadily(4, [0, 1], 1)))
    waits = [call.waited for call in cluster.between(1, 20, 1)]
    assert len(waits) > 70
    assert max(waits) <= 1
    assert len(cluster.between(1, 20, 2)) >= 0.7 * LIMIT * 19


async def test_after_a_429_everybody_slows_down_and_recovers(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 3)
    demand = steadily(1.2 * LIMIT, [0, 1, 2], 2)
    await cluster.play(5, demand)
    for process in (0, 1):
        cluster.processes[process].limited(cluster.now, 2.0)
    await cluster.play(STEP * 2, demand)
    before = len(cluster.between(0, 5))
    await cluster.play(85, demand)
    assert before >= 0.9 * LIMIT * 5
    assert len(cluster.between(5 + LIFETIME_SECONDS, 7)) == 0, "nobody calls in Stripe's pause"
    slow = len(cluster.between(8, 18)) / 10
    assert 0.5 * LIMIT <= slow <= 0.8 * LIMIT, "two refusals at once are one"
    assert len(cluster.between(65, 85)) >= 0.95 * LIMIT * 20
    assert [permits.factor for permits in cluster.processes] == [1.0] * 3


async def test_the_rate_never_falls_to_nothing(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 1)
    demand = steadily(LIMIT, [0], 2)
    for _ in range(20):
        cluster.processes[0].limited(cluster.now, 0.0)
        await cluster.play(1.1, demand)
    assert cluster.processes[0].factor >= 0.05
    assert len(cluster.between(15, 22)) >= 3


async def test_a_locked_row_stops_nobody(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 2)
    demand = steadily(2 * LIMIT, [0, 1], 2)
    await cluster.play(5, demand)
    async with pool.acquire() as other, other.transaction():
        await other.execute("select * from stripe_rate for update")
        await cluster.play(10, demand)
    locked = len(cluster.between(6, 15)) / 9
    assert 0.7 * LIMIT <= locked <= 1.05 * LIMIT, "each process goes on with its share"
    await cluster.play(10, demand)
    assert cluster.most_in(25) <= allowed(25, 2), "what was taken meanwhile is settled"
    assert len(cluster.between(20, 25)) >= 0.9 * LIMIT * 5


async def test_a_process_that_is_gone_holds_nothing_up(pool: Pool) -> None:
    cluster = await Cluster.of(pool, 2)
    await cluster.play(3, steadily(2 * LIMIT, [0, 1], 2))
    gone = cluster.processes.pop()
    asked = gone.ask(cluster.now)
    if asked is not None:
        at = BEGIN + timedelta(seconds=cluster.now)
        await stripe_leases.lent(pool, LIMIT, asked, at=at)
    began = cluster.now
    await cluster.play(10, steadily(2 * LIMIT, [0], 2))
    assert len(cluster.between(began + 1, began + 10)) >= 0.95 * LIMIT * 9


async def test_a_call_does_not_wait_for_the_database() -> None:
    asked = asyncio.Event()

    async def never(_: object) -> Lease | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    rate = StripeRate(LIMIT, never)
    await rate.permit()
    await rate.permit()
    await asked.wait()
    token = calling.set(Calling(priority=3, patience=0))
    with pytest.raises(BusyError):
        await rate.permit()
    calling.reset(token)
    await rate.close()


async def test_real_processes_share_the_row(pool: Pool) -> None:
    """In real time, with more permits than are needed: each call gets one."""
    lend = stripe_leases.lender(pool, 10_000)
    rates = [StripeRate(10_000, lend) for _ in range(3)]
    token = calling.set(Calling(priority=4))
    try:
        await asyncio.gather(*(rate.permit() for rate in rates for _ in range(50)))
    finally:
        calling.reset(token)
    for rate in rates:
        await rate.close()
    assert await pool.fetchval("select level < 5000 from stripe_rate")
