"""Background loops that outlive any error, and say so: logged, counted, retried, watched.

Every process keeps one `LoopSupervisor`. Its loops run until they are stopped and end for nothing
else. A loop that fails is retried with growing pauses; one that fails, or hangs, for too long is
*stuck*, which `/readyz`, Health and the metrics show.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge

from latchkey.store.pool import DATABASE_FAILED

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
LONGEST_PAUSE_AWAY = 5.0
"""The pause while a server doesn't answer, short enough to resume soon after it is back."""

log = structlog.get_logger("supervision")
FAILURES = Counter("latchkey_loop_failures_total", "Failed rounds of a background loop.", ["loop"])
STUCK = Gauge("latchkey_loop_stuck", "1 where a background loop makes no progress.", ["loop"])


@dataclass
class Loop:
    """One background loop: when it last completed a round, and what it failed with since, if
    anything. `patience` is how long it may take until the next one is completed: the rest between
    rounds, and the round itself, failures included."""

    name: str
    patience: timedelta
    completed_at: float = field(default_factory=time.monotonic)
    failures: int = 0
    error: str | None = None
    away: bool = False

    @property
    def stuck(self) -> bool:
        return time.monotonic() - self.completed_at > self.patience.total_seconds()


class LoopSupervisor:
    """The background loops of one process."""

    def __init__(self) -> None:
        self.loops: dict[str, Loop] = {}
        self._stopped = asyncio.Event()
        self._wakes: list[asyncio.Event] = []

    @property
    def stuck(self) -> list[Loop]:
        return [loop for loop in self.loops.values() if loop.stuck]

    def stop(self) -> None:
        """Have every loop end after its current round."""
        self._stopped.set()
        for wake in self._wakes:
            wake.set()

    async def repeat(
        self,
        name: str,
        round_: Callable[[], Awaitable[bool]],
        *,
        every: float,
        wake: asyncio.Event | None = None,
        patience: timedelta = timedelta(minutes=1),
    ) -> None:
        """Do rounds until `stop`: again at once where one returns True, otherwise after `every`
        seconds or when `wake` is set. A round may take `patience`, failures included."""
        wake = wake or asyncio.Event()
        loop = self._begin(name, wake, patience + timedelta(seconds=every))
        while not self._stopped.is_set():
            wake.clear()
            busy = await self._try(loop, round_)
            if busy is None:
                await self._pause(loop)
            elif not busy:
                await _rest(wake, every)

    async def once(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do something that a start needs, again and again until it succeeds or `stop`."""
        wake = asyncio.Event()
        loop = self._begin(name, wake, timedelta(minutes=10))
        while not self._stopped.is_set():
            if await self._try(loop, work) is not None:
                del self.loops[name]
                return
            await self._pause(loop)

    def _begin(self, name: str, wake: asyncio.Event, patience: timedelta) -> Loop:
        assert name not in self.loops, "each loop has a name of its own"
        loop = self.loops[name] = Loop(name, patience)
        self._wakes.append(wake)
        STUCK.labels(name).set_function(lambda: float(loop.stuck))
        return loop

    async def _try(self, loop: Loop, work: Callable[[], Awaitable[object]]) -> bool | None:
        """One round: what it returned, or None where it failed."""
        try:
            busy = bool(await work())
        except DATABASE_FAILED as error:
            log.error("background loop failed, retrying", loop=loop.name, error=_kind(error))
            self._failed(loop, error, away=True)
            return None
        except Exception as error:
            log.exception("background loop failed, retrying", loop=loop.name, error=_kind(error))
            self._failed(loop, error, away=False)
            return None
        loop.completed_at, loop.failures, loop.error = time.monotonic(), 0, None
        return busy

    def _failed(self, loop: Loop, error: Exception, *, away: bool) -> None:
        FAILURES.labels(loop.name).inc()
        loop.failures += 1
        loop.error, loop.away = _kind(error), away

    async def _pause(self, loop: Loop) -> None:
        """Wait, longer after each failure; `stop` cuts it short."""
        longest = LONGEST_PAUSE_AWAY if loop.away else LONGEST_PAUSE
        await _rest(self._stopped, min(FIRST_PAUSE * 2 ** min(loop.failures - 1, 10), longest))


def _kind(error: Exception) -> str:
    return type(error).__name__


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass
