"""How fast this process may call Stripe: its part of a rate that all processes share.

A permit is taken from a stock in memory, so no call waits for the database. The stock is refilled
beside the calls by *leases* of many permits (`latchkey/store/stripe/rate.py`). Urgent calls that
find it empty may go on credit, which the next lease settles. A permit expires soon, so a process
that is gone holds nothing up.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field

import structlog

LEASE_SECONDS = 0.25
"""A lease serves about so long. More often it is asked for only while calls wait."""

LIFETIME_SECONDS = 1.0
"""A permit that isn't used for so long is void."""

CREDIT_SECONDS = 0.1
"""Urgent calls may be ahead of the leases by so much of the rate, at least by one call."""

BURST_SECONDS = 0.5
"""The bucket holds so much of the rate, at least two permits."""

ASK_TIMEOUT_SECONDS = 1.0
TRIES = 3
"""After so many refused leases, because the row is locked or the database is unavailable, a
process goes on with its share of the rate."""

LONG_SECONDS = {1: 0.0, 2: 1.0, 3: 10.0, 4: 20.0, 5: 30.0}
"""People who wait come first, then the rest by priority. A call that has waited for so long is
served out of turn, but only each `OUT_OF_TURN`th permit goes to such calls."""

OUT_OF_TURN = 4

KEPT = {1: 0.0, 2: 0.1, 3: 0.25, 4: 0.25, 5: 0.25}
"""The part of the bucket that a lease leaves to more urgent calls, in whatever process."""

LONGEST_PAUSE_SECONDS = 60.0
"""Of what Stripe asks for, so that an odd answer can't stop all calls for hours."""

URGENT = 2

log = structlog.get_logger("stripe")


@dataclass(frozen=True)
class Calling:
    """On whose behalf the current task calls: a priority from 1 (a person waits) to 5, how many
    seconds it waits for a permit before it gives up, and then for the answer, if that matters."""

    priority: int = 1
    patience: float = 100.0
    answer: float | None = None


_SOMEONE = Calling()
calling: ContextVar[Calling] = ContextVar("calling", default=_SOMEONE)


class BusyError(Exception):
    """There was no permit within the caller's patience."""


@dataclass(frozen=True)
class Ask:
    """A request for `want` permits. `owed` were used without a lease. `kept` is the part of the
    bucket to leave in it. `limited`: Stripe has refused a call for its rate, and wants none for so
    many seconds."""

    want: int
    owed: int
    kept: float
    limited: float | None = None


@dataclass(frozen=True)
class Lease:
    """`permits` to use at once. `factor` is the part of the rate that Stripe leaves us now. Nobody
    may call for `pause` seconds. There may be a permit again in `wait` seconds. `processes` share
    the rate."""

    permits: int
    factor: float
    pause: float
    wait: float
    processes: int


Lend = Callable[[Ask], Awaitable[Lease | None]]
"""None if the row is locked."""


@dataclass
class _Waiter:
    priority: int
    since: float
    served: Callable[[], None]
    gone: bool = False

    def long(self, now: float) -> bool:
        """Whether it has waited for so long that others may be kept waiting for it."""
        return now >= self.since + LONG_SECONDS[self.priority]


@dataclass
class Permits:
    """The bookkeeping of one process. Does nothing by itself: `now` is any clock in seconds."""

    limit: float
    factor: float = 1.0
    processes: int = 1
    _stock: int = 0
    _void_at: float = -math.inf
    _owed: int = 0
    _on_credit: bool = True
    _used: int = 0
    _asked_at: float = -math.inf
    _ask_from: float = -math.inf
    _asking: bool = False
    _refused: int = 0
    _alone_at: float = -math.inf
    _paused_until: float = -math.inf
    _limited: float | None = None
    _waiting: dict[int, deque[_Waiter]] = field(
        default_factory=lambda: {priority: deque() for priority in LONG_SECONDS}
    )
    _in_turn: int = 0

    @property
    def rate(self) -> float:
        """The cluster's calls per second."""
        return self.limit * self.factor

    def wait(self, now: float, priority: int, served: Callable[[], None]) -> _Waiter:
        """Queue a call; `served` is called once it has its permit, perhaps at once."""
        waiter = _Waiter(priority, now, served)
        self._waiting[priority].append(waiter)
        self.serve(now)
        return waiter

    def serve(self, now: float) -> None:
        """Give out the permits that there are."""
        while (waiter := self._next(now)) and self._take(now, waiter.priority):
            self._in_turn = self._in_turn + 1 if waiter is self._first() else 0
            self._waiting[waiter.priority].popleft()
            self._used += 1
            waiter.served()

    def _first(self) -> _Waiter | None:
        """The most urgent of those that wait."""
        for queue in self._waiting.values():
            while queue and queue[0].gone:
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def _next(self, now: float) -> _Waiter | None:
        """Whose turn it is: the most urgent, or now and then one that has waited for long."""
        first = self._first()
        if first is None or self._in_turn < OUT_OF_TURN - 1:
            return first
        heads = [queue[0] for queue in self._waiting.values() if queue and not queue[0].gone]
        late = [waiter for waiter in heads if waiter is not first and waiter.long(now)]
        return min(late, key=lambda waiter: waiter.since) if late else first

    def _take(self, now: float, priority: int) -> bool:
        if now < self._paused_until:
            return False
        if self._stock > 0 and now < self._void_at:
            self._stock -= 1
            return True
        if self._refused >= TRIES:
            return self._take_alone(now)
        credit = max(1, self.rate * CREDIT_SECONDS)
        if priority > URGENT or not self._on_credit or self._owed >= credit:
            return False
        self._owed += 1
        return True

    def _take_alone(self, now: float) -> bool:
        """The share of a process that no lease can reach, one call at a time."""
        pause = self.processes / self.rate
        if now < self._alone_at + pause:
            return False
        self._alone_at = max(self._alone_at + pause, now - pause)
        self._owed += 1
        return True

    def ask(self, now: float) -> Ask | None:
        """The lease to ask for now, if any. Answer it with `lent`."""
        if self._asking or now < self._ask_from:
            return None
        first = self._next(now)
        used = self._used if now - self._asked_at < LIFETIME_SECONDS else 0
        stock = self._stock if now < self._void_at else 0
        soon = self._owed > 0 or (used > 0 and stock < used / 2)
        rested = now >= self._asked_at + LEASE_SECONDS
        if not (first or self._limited is not None or (soon and rested)):
            return None
        most = max(1, int(self.rate * LEASE_SECONDS / self.processes))
        kept = KEPT[first.priority] if first else KEPT[URGENT]
        alike = sum(len(queue) for of, queue in self._waiting.items() if KEPT[of] <= kept)
        want = min(most, max(1, alike + (used if kept <= KEPT[URGENT] else 0)))
        if first and first.priority > URGENT and first.long(now):
            kept = 0.0
        self._asking = True
        asked = Ask(want, self._owed, kept, self._limited)
        self._limited = None
        return asked

    def lent(self, now: float, asked: Ask, lease: Lease | None) -> None:
        """Take in the answer to `asked`, None if there was none."""
        self._asking = False
        self._asked_at, self._used = now, 0
        if lease is None:
            self._limited = asked.limited if self._limited is None else self._limited
            self._refused += 1
            self._ask_from = now + (0.02 if self._refused < TRIES else LEASE_SECONDS)
            self.serve(now)
            return
        self._refused = 0
        self.factor, self.processes = lease.factor, max(1, lease.processes)
        self._owed -= asked.owed
        self._on_credit = lease.permits >= asked.want
        self._paused_until = max(self._paused_until, now + lease.pause)
        turn = min(LEASE_SECONDS, self.processes / self.rate)
        self._ask_from = now if self._on_credit else now + max(turn, lease.wait)
        if self._limited is None:
            left = self._stock if now < self._void_at else 0
            self._stock, self._void_at = left + lease.permits, now + LIFETIME_SECONDS
        self.serve(now)

    def limited(self, now: float, pause: float) -> None:
        """Stripe has refused a call for its rate."""
        self._limited = max(self._limited or 0.0, pause)
        self._paused_until = max(self._paused_until, now + pause)
        self._stock, self._on_credit, self._ask_from = 0, False, now

    def next_at(self, now: float) -> float | None:
        """When to look again, unless something happens before; None if nothing waits."""
        if self._first() is None:
            return None
        times = [self._ask_from] if not self._asking else []
        if self._refused >= TRIES:
            times.append(self._alone_at + self.processes / self.rate)
        return max(now + 0.005, self._paused_until, min(times, default=now + LEASE_SECONDS))


class StripeRate:
    """The permits of this process. `limit` is the whole cluster's calls per second."""

    def __init__(self, limit: float, lend: Lend) -> None:
        self._permits = Permits(limit)
        self._lend = lend
        self._asking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def permit(self) -> None:
        """Wait for the permit of one call, as `calling` says. Raises `BusyError`."""
        who = calling.get()
        had: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def served() -> None:
            if not had.done():
                had.set_result(None)

        waiter = self._permits.wait(time.monotonic(), who.priority, served)
        self._go_on()
        if had.done():
            return
        try:
            async with asyncio.timeout(who.patience):
                await had
        except TimeoutError:
            raise BusyError from None
        finally:
            waiter.gone = True

    def limited(self, *, pause: float, reason: str | None) -> None:
        """Stripe has refused a call for its rate: everybody slows down."""
        log.warning("Stripe limits the rate of calls", reason=reason, pause=pause)
        self._permits.limited(time.monotonic(), min(pause, LONGEST_PAUSE_SECONDS))
        self._go_on()

    async def close(self) -> None:
        """Ask for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _go_on(self) -> None:
        now = time.monotonic()
        asked = self._permits.ask(now)
        if asked is not None:
            self._asking = asyncio.create_task(
                self._ask(asked), name="lease of Stripe's rate", context=Context()
            )
        at = self._permits.next_at(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(at - now, self._look)

    def _look(self) -> None:
        self._permits.serve(time.monotonic())
        self._go_on()

    async def _ask(self, asked: Ask) -> None:
        lease = None
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                lease = await self._lend(asked)
        except Exception as error:
            log.warning("no lease of Stripe's rate", error=type(error).__name__)
        finally:
            self._permits.lent(time.monotonic(), asked, lease)
        self._go_on()
