"""The relay: delivers waiting events from the inbox, and other committed work, to workflows.

Every web process runs one. The process that stored an event wakes its own relay; a slow poll picks
up what others left behind. While Temporal is unavailable, everything waits in Postgres. Events have
their own loop, so other work can't delay them.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

import structlog
from prometheus_client import Counter
from structlog.contextvars import bind_contextvars
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from latchkey import dispatch, tracing
from latchkey.contracts import BurstObject
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.checks import reconciliations
from latchkey.store.communities import accounts
from latchkey.store.figures import counting
from latchkey.store.pool import DATABASE_FAILED, Pool
from latchkey.store.products import checkout, links
from latchkey.store.purchases import order_mirror
from latchkey.store.stripe import inbox, wakeups
from latchkey.store.stripe.inbox import Waiting
from latchkey.store.webhooks import digests
from latchkey.store.webhooks import events as webhook_events
from latchkey.supervision import FAILURES, LoopSupervisor
from web.audit import AuditCounts
from web.outages import Outage
from web.refusals import Refusals
from web.rush import Rush


@dataclass(frozen=True)
class Claim:
    """What a round claims: see `inbox.claim`."""

    limit: int
    few: int = inbox.FEW
    apart: bool = False


BATCH = 200
CONCURRENCY = 16
ROUND = Claim(limit=BATCH)
PROBE = Claim(limit=1, few=1)
"""How many events a round claims, and how many while Temporal is away."""

MANY = Claim(limit=1000)
APART = Claim(limit=BATCH, apart=True)
"""What a round claims after one that handed over: what a few hundred objects send, or only what
can't be handed over while handovers are waited for."""

GATHER_SECONDS = 0.1
"""How long events gather after a handover at least."""

APART_SECONDS = 0.25
"""How much longer those that can't be handed over wait for a handover to end."""

WAKEUPS = 50
POLL_SECONDS = 1.0
FIGURES_SECONDS = 10.0
LOOK_SECONDS = 60.0
"""Between looks for accounts at communities that are due."""
BURST = 250
"""How many objects are handed over at once at most. Their pages are read side by side, and fewer of
them are read for the sake of a few objects at an end."""

BURSTS = 3
"""How many handovers are made side by side. What arrives meanwhile gathers for the next, however
long they take."""

LAUNCH_SECONDS = 2.0
LAUNCH = 2.5
"""Handing over goes on as long as so many seconds bring so many times the threshold, which is more
than could be read one by one. They count from the end of a handover, however long it took."""

BURST_SECONDS = 8.0
"""After this long, a handover isn't waited for any more: Stripe may be unavailable for longer."""

LONGEST_WAIT = timedelta(seconds=10)

_AWAY = "Temporal is away"

log = structlog.get_logger("relay")
RELAYED = Counter("latchkey_events_relayed_total", "Events handed to Temporal.")


class Relay:
    """Delivers events and other committed work to Temporal."""

    def __init__(
        self,
        pool: Pool,
        client: Client,
        *,
        arrived: asyncio.Event,
        wake: asyncio.Event,
        refusals: Refusals,
        audit: AuditCounts,
        burst_from: int | Literal["off"],
    ) -> None:
        self._burst_from = burst_from
        self._refusals = refusals
        self._audit = audit
        self._pool = pool
        self._client = client
        self._arrived = arrived
        self._wake = wake
        self._sending: set[asyncio.Task[None]] = set()
        self._bursts: set[asyncio.Task[None]] = set()
        self._handed_over: deque[tuple[float, int]] = deque(maxlen=MANY.limit)
        self._rush = Rush(burst_from)
        self._outage = Outage()

    @property
    def idle(self) -> bool:
        """Whether no events are being sent."""
        return not self._sending and not self._bursts

    async def run(self, supervisor: LoopSupervisor) -> None:
        """Relay when woken and at every poll, until the supervisor stops."""
        await asyncio.gather(
            supervisor.repeat(
                "relay of events", self._relay_events, every=POLL_SECONDS, wake=self._arrived
            ),
            supervisor.repeat(
                "relay of commits", self._relay_commits, every=POLL_SECONDS, wake=self._wake
            ),
            supervisor.repeat("outgoing webhooks", self._make_webhooks, every=POLL_SECONDS),
            supervisor.repeat("communities", self._look_again, every=LOOK_SECONDS),
            supervisor.repeat(
                "figures",
                partial(counting.count_if_due, self._pool),
                every=FIGURES_SECONDS,
                patience=timedelta(seconds=2 * counting.LONGEST_SECONDS),
            ),
        )
        for burst in self._bursts:
            burst.cancel()
        await asyncio.gather(*self._sending)

    async def _relay_commits(self) -> bool:
        """Relay committed work. Whatever Temporal refuses stays queued and doesn't block the
        rest."""
        await self._relay_links()
        await self._relay_checkouts()
        await self._relay_reconciliations()
        busy = await self._relay_wakeups()
        await self._refusals.flush(self._pool)
        await self._audit.flush(self._pool)
        return busy

    async def _make_webhooks(self) -> bool:
        """Make outgoing events of one batch of what changed, and digests that are due; True if
        there may be more."""
        made, more = await webhook_events.make(self._pool)
        await digests.write_due(self._pool)
        if made:
            self._wake.set()
        return more

    async def _look_again(self) -> bool:
        """Have accounts looked at that weren't for long; True if there may be more."""
        due = await accounts.write_due(self._pool, limit=WAKEUPS)
        if due:
            self._wake.set()
        return due == WAKEUPS

    async def _relay_events(self) -> bool:
        """Start sending one batch; True if there may be more. The next batch doesn't wait for this
        one to arrive, only for a free slot. While objects are handed over, the next ones gather.
        While Temporal is away, one event is tried now and then, and the others aren't touched."""
        if not self._outage.may_try:
            return False
        gathering = await self._handovers_last()
        probing = self._outage.lasts
        size = PROBE if probing else APART if gathering else MANY if self._many() else ROUND
        waiting = await inbox.claim(self._pool, **asdict(size))
        groups: dict[Target, list[Waiting]] = defaultdict(list)
        for event in await inbox.drop_echoes(self._pool, waiting):
            groups[await self._placed(event.target)].append(event)
        together = await self._together(groups)
        left: list[str] = []
        for target, events in groups.items():
            if target.id in together:
                continue
            if self._outage.lasts and not probing:
                left += [event.id for event in events]
            else:
                await self._start(self._sending, CONCURRENCY, self._send(target, events))
        if left:
            await inbox.put_back(self._pool, left, error=_AWAY, wait=timedelta())
        objects = list(together.items())
        for first in range(0, len(objects), BURST):
            batch = dict(objects[first : first + BURST])
            await self._start(self._bursts, BURSTS, self._hand_over(batch))
        return len(waiting) >= size.limit

    def _many(self) -> bool:
        """Whether so much comes that each object had better wait for others."""
        if self._bursts:
            return True
        since = time.monotonic() - LAUNCH_SECONDS
        lately = sum(count for at, count in self._handed_over if at > since)
        return self._burst_from != "off" and lately >= LAUNCH * self._burst_from

    async def _handovers_last(self) -> bool:
        """While many wait, let some gather; whether handovers are still being made afterwards."""
        if not self._many():
            return False
        await asyncio.sleep(GATHER_SECONDS)
        if self._bursts:
            await asyncio.wait(self._bursts, timeout=APART_SECONDS)
        return bool(self._bursts)

    async def _start(
        self, tasks: set[asyncio.Task[None]], most: int, work: Coroutine[Any, Any, None]
    ) -> None:
        """Have the work done beside at most so much of its kind."""
        while len(tasks) >= most:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _together(self, groups: dict[Target, list[Waiting]]) -> dict[str, list[Waiting]]:
        """The objects to hand over together, by id, with whatever else waits of each: all those
        that can be, if enough wait, counting what Temporal has and hasn't read yet."""
        if self._burst_from == "off":
            return {}
        objects: dict[str, list[Waiting]] = defaultdict(list)
        for target, events in groups.items():
            if all(_read_together(event.target) for event in events):
                objects[target.id] += events
        at_once = self._rush.came(len(objects), at=time.monotonic()) or self._many()
        missing = 0 if at_once else self._burst_from - len(objects)
        if not objects or (missing > 0 and await inbox.awaited(self._pool, most=missing) < missing):
            return {}
        claimed = [event for events in objects.values() for event in events]
        for event in await inbox.claim_others(
            self._pool, {event.target for event in claimed}, without=[event.id for event in claimed]
        ):
            objects[event.target.id].append(event)
        return objects

    async def _relay_links(self) -> None:
        """Start or signal the workflows of links that were created, retried or removed."""
        async with self._pool.acquire() as connection:
            jobs = await links.waiting_jobs(connection, limit=50)
        for job in jobs:
            try:
                await dispatch.tell_link(self._client, job)
            except dispatch.TemporalUnavailableError as error:
                log.warning(
                    "Temporal unavailable, link job postponed", link=job.id, error=str(error)
                )
                return
            except dispatch.REFUSED as error:
                log.error("link job refused by Temporal", link=job.id, reason=str(error))
                continue
            async with self._pool.acquire() as connection:
                await links.mark_dispatched(connection, job)

    async def _relay_checkouts(self) -> None:
        """Start the workflows that create chosen payment links and deactivate old ones."""
        async with self._pool.acquire() as connection:
            products = await checkout.waiting(connection, limit=50)
        for product_id in products:
            try:
                await dispatch.settle_checkout(self._client, product_id)
            except dispatch.TemporalUnavailableError as error:
                log.warning("Temporal unavailable, payment links postponed", error=str(error))
                return
            except dispatch.REFUSED as error:
                log.error(
                    "payment links refused by Temporal", product=product_id, reason=str(error)
                )
                continue
            async with self._pool.acquire() as connection:
                await checkout.mark_told(connection, product_id)

    async def _relay_reconciliations(self) -> None:
        """Start the workflows of requested comparisons."""
        async with self._pool.acquire() as connection:
            asked = await reconciliations.waiting(connection, limit=10)
        for reconciliation_id, product in asked:
            try:
                started = await dispatch.start_reconciliation(
                    self._client, reconciliation_id, product
                )
            except dispatch.TemporalUnavailableError as error:
                log.warning("Temporal unavailable, comparison postponed", error=str(error))
                return
            except dispatch.REFUSED as error:
                log.error("comparison refused by Temporal", id=reconciliation_id, reason=str(error))
                continue
            if started:
                async with self._pool.acquire() as connection:
                    await reconciliations.mark_dispatched(connection, reconciliation_id)

    async def _relay_wakeups(self) -> bool:
        """Deliver the outbox's wakeups to Temporal; True if there may be more."""
        told = 0
        async with self._pool.acquire() as connection:
            waiting = await wakeups.waiting(connection, limit=WAKEUPS)
        for wakeup in waiting:
            try:
                await dispatch.rouse(self._client, wakeup)
            except dispatch.TemporalUnavailableError as error:
                log.warning(
                    "Temporal unavailable, wakeup postponed", kind=wakeup.kind, error=str(error)
                )
                return False
            except dispatch.REFUSED as error:
                log.error("wakeup refused by Temporal", kind=wakeup.kind, reason=str(error))
                async with self._pool.acquire() as connection:
                    await wakeups.put_behind(connection, wakeup)
                continue
            async with self._pool.acquire() as connection:
                await wakeups.done(connection, wakeup)
            told += 1
        return told == WAKEUPS

    async def _placed(self, target: Target) -> Target:
        """Replace a payment by the purchase it paid for, if that is known."""
        if target.kind is not TargetKind.PAYMENT:
            return target
        async with self._pool.acquire() as connection:
            orders = await order_mirror.order_of_payment(connection, target.id)
        if orders:
            return Target(TargetKind.PURCHASE, orders[0])
        return Target(TargetKind.OBJECT, f"payment_intent/{target.id}")

    async def _send(self, target: Target, events: list[Waiting]) -> None:
        """Nudge one object's workflow, in a task of its own."""
        bind_contextvars(object=target.id, events=[event.id for event in events])
        with tracing.span("relay", traces=[event.trace for event in events], object=target.id):
            async with self._delivering(events) as ids:
                await dispatch.nudge(self._client, target, ids)

    async def _hand_over(self, objects: dict[str, list[Waiting]]) -> None:
        """Have one workflow read these objects, and wait a while for it to end. Where Temporal
        refuses that, each is sent by itself, so that none fails because of another."""

        async def send_alone(_: list[str], error: str) -> None:
            log.error("handover refused by Temporal, its objects are sent alone", reason=error)
            for events in objects.values():
                await self._send(events[0].target, events)

        handle = None
        together = [event for events in objects.values() for event in events]
        with tracing.span("hand over", traces=[event.trace for event in together]):
            async with self._delivering(together, refused=send_alone):
                handle = await dispatch.hand_over(
                    self._client, list(map(_handed_over, objects.values()))
                )
        if handle is not None:
            with suppress(TimeoutError, RPCError, RuntimeError, WorkflowFailureError):
                async with asyncio.timeout(BURST_SECONDS):
                    await handle.result()
            self._handed_over.append((time.monotonic(), len(objects)))
            self._arrived.set()

    @asynccontextmanager
    async def _delivering(
        self,
        events: list[Waiting],
        *,
        refused: Callable[[list[str], str], Awaitable[None]] | None = None,
    ) -> AsyncIterator[list[str]]:
        """Record what becomes of these events: what Temporal refuses has failed, or is `refused`'s
        to deal with. If that can't be recorded, they are sent again once their lease expires."""
        ids = [event.id for event in events]
        try:
            try:
                yield ids
                self._answered()
            except dispatch.REFUSED as error:
                self._answered()
                await (refused or self._give_up)(ids, str(error))
                return
            except dispatch.TemporalUnavailableError as error:
                self._outage.failed()
                tries = max(event.attempts for event in events)
                wait = min(timedelta(seconds=2 ** min(tries, 4)), LONGEST_WAIT)
                log.warning(
                    "Temporal unavailable, events postponed", count=len(ids), error=str(error)
                )
                await inbox.put_back(self._pool, ids, error=str(error), wait=wait)
                return
            await inbox.mark_relayed(self._pool, ids)
        except DATABASE_FAILED as error:
            log.error("database unavailable, events will be sent again", error=type(error).__name__)
            return
        except Exception as error:
            FAILURES.labels("relay of events").inc()
            log.exception("sending events failed, they are sent again", error=type(error).__name__)
            return
        RELAYED.inc(len(ids))

    def _answered(self) -> None:
        """Note that Temporal answers; if it was away, the rest needn't wait for the next poll."""
        if self._outage.ended():
            self._arrived.set()

    async def _give_up(self, ids: list[str], error: str) -> None:
        """Mark events as failed that would otherwise come back forever and crowd out others."""
        log.error("events refused by Temporal, see the inbox", events=ids, reason=error)
        async with self._pool.acquire() as connection:
            await inbox.mark_failed(connection, ids, error=error)


def _read_together(target: Target) -> bool:
    """Whether lists may hold it. Invoices and payments are left to their own runs, which find out
    whose they are."""
    once = target.kind is TargetKind.PURCHASE and target.id.startswith("cs_")
    return once or target.kind is TargetKind.SUBSCRIPTION


def _handed_over(events: list[Waiting]) -> BurstObject:
    target = events[0].target
    sessions = [event.target.checkout_session for event in events]
    return BurstObject(
        target.kind, target.id, [event.id for event in events], next(filter(None, sessions), None)
    )
