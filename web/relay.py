"""The relay: delivers waiting events from the inbox, and other committed work, to workflows.

Every web process runs one. The process that stored an event wakes its own relay; a slow poll picks
up what others left behind. While Temporal is unavailable, everything waits in Postgres. Events have
their own loop, so other work can't delay them.
"""

import asyncio
from collections import defaultdict
from datetime import timedelta

import structlog
from prometheus_client import Counter
from temporalio.client import Client

from latchkey import dispatch
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.checks import reconciliations
from latchkey.store.pool import Pool
from latchkey.store.products import checkout, links
from latchkey.store.purchases import order_mirror
from latchkey.store.stripe import inbox, wakeups
from latchkey.store.stripe.inbox import Waiting
from latchkey.supervision import AWAY, FAILURES, LoopSupervisor
from web.audit import AuditCounts
from web.refusals import Refusals

BATCH = 200
CONCURRENCY = 16
WAKEUPS = 50
POLL_SECONDS = 1.0
LONGEST_WAIT = timedelta(seconds=10)

_REFUSED = (dispatch.UndeliverableError, ValueError)

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
    ) -> None:
        self._refusals = refusals
        self._audit = audit
        self._pool = pool
        self._client = client
        self._arrived = arrived
        self._wake = wake
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether no events are being sent."""
        return not self._sending

    async def run(self, supervisor: LoopSupervisor) -> None:
        """Relay when woken and at every poll, until the supervisor stops."""
        await asyncio.gather(
            supervisor.repeat(
                "relay of events", self._relay_events, every=POLL_SECONDS, wake=self._arrived
            ),
            supervisor.repeat(
                "relay of commits", self._relay_commits, every=POLL_SECONDS, wake=self._wake
            ),
        )
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

    async def _relay_events(self) -> bool:
        """Start sending one batch; True if there may be more. The next batch doesn't wait for this
        one to arrive, only for a free slot."""
        waiting = await inbox.claim(self._pool, limit=BATCH)
        groups: dict[Target, list[Waiting]] = defaultdict(list)
        for event in await inbox.drop_echoes(self._pool, waiting):
            groups[await self._placed(event.target)].append(event)
        for target, events in groups.items():
            while len(self._sending) >= CONCURRENCY:
                await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._send(target, events))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(waiting) >= BATCH

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
            except _REFUSED as error:
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
            except _REFUSED as error:
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
            except _REFUSED as error:
                log.error("comparison refused by Temporal", id=reconciliation_id, reason=str(error))
                continue
            if started:
                async with self._pool.acquire() as connection:
                    await reconciliations.mark_dispatched(connection, reconciliation_id)

    async def _relay_wakeups(self) -> bool:
        """Deliver the outbox's wakeups to Temporal; True if there may be more."""
        told = 0
        async with self._pool.acquire() as connection:
            found = await wakeups.waiting(connection, limit=WAKEUPS)
        for wakeup in found:
            try:
                await dispatch.rouse(self._client, wakeup)
            except dispatch.TemporalUnavailableError as error:
                log.warning(
                    "Temporal unavailable, wakeup postponed", kind=wakeup.kind, error=str(error)
                )
                return False
            except _REFUSED as error:
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
            found = await order_mirror.order_of_payment(connection, target.id)
        if found:
            return Target(TargetKind.PURCHASE, found[0])
        return Target(TargetKind.OBJECT, f"payment_intent/{target.id}")

    async def _send(self, target: Target, events: list[Waiting]) -> None:
        """Nudge one object's workflow. If the delivery can't be recorded, the events are sent again
        once their lease expires."""
        ids = [event.id for event in events]
        try:
            try:
                await dispatch.nudge(self._client, target, ids)
            except _REFUSED as error:
                await self._give_up(ids, str(error))
                return
            except dispatch.TemporalUnavailableError as error:
                tries = max(event.attempts for event in events)
                wait = min(timedelta(seconds=2 ** min(tries, 4)), LONGEST_WAIT)
                log.warning(
                    "Temporal unavailable, events postponed", count=len(ids), error=str(error)
                )
                await inbox.put_back(self._pool, ids, error=str(error), wait=wait)
                return
            await inbox.mark_relayed(self._pool, ids)
        except AWAY as error:
            log.error("database unavailable, events will be sent again", error=type(error).__name__)
            return
        except Exception as error:
            FAILURES.labels("relay of events").inc()
            log.exception("sending events failed, they are sent again", error=type(error).__name__)
            return
        RELAYED.inc(len(ids))

    async def _give_up(self, ids: list[str], error: str) -> None:
        """Mark events as failed that would otherwise come back forever and crowd out others."""
        log.error("events refused by Temporal, see the inbox", events=ids, reason=error)
        async with self._pool.acquire() as connection:
            await inbox.mark_failed(connection, ids, error=error)
