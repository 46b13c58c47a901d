"""Reads and applies many objects at once, and starts the runs of what is new among them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities import burst_source
from activities.base import ActivityDeps
from activities.errors import retried
from activities.resilient import PASSING, PATIENCE
from latchkey import contracts, dispatch
from latchkey.contracts import BurstInput, BurstObject, BurstResult
from latchkey.rules.routing import Target, TargetKind
from latchkey.rules.vocabulary import Cause
from latchkey.store.purchases import subscription_mirror
from latchkey.store.purchases.batches import Purchase, apply_batch
from latchkey.store.stripe import inbox, origins, wakeups
from latchkey.store.stripe.context import ApplyContext, ReadBy

ASIDE_AT_ONCE = 8
STARTS_AT_ONCE, STARTS_PER_SECOND = 8, 50
MOST_STARTS = 100
BUSY = 50
"""While so many objects wait to be read, runs that sleep anyway are started more slowly."""

HELD_BACK = timedelta(seconds=1)

log = structlog.get_logger("worker")


class BurstActivities:
    """Keeps access in sync with many purchases at once, by the same rules as one by one."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @activity.defn(name=contracts.APPLY_BURST)
    async def apply(self, job: BurstInput) -> BurstResult:
        """Read and apply the objects that have unprocessed events. What is odd about one of them,
        or can't be applied, is left to its own run: it knows what to do. So is everything if our
        own code fails."""
        try:
            async with retried():
                return await self._read_and_apply(job.objects)
        except ApplicationError as error:
            if not error.non_retryable:
                raise
            reason = error.message
        except PASSING as error:
            name = type(error).__name__
            raise ApplicationError(f"not now: {name}", type=name) from None
        except Exception as error:
            log.exception("burst not applied")
            name = type(error).__name__
            if activity.info().attempt < PATIENCE:
                raise ApplicationError(f"unexpected {name}", type=name) from None
            reason = f"unexpected {name}"
        log.error("burst left to the objects' own runs", reason=reason)
        await self._set_aside(job.objects)
        return BurstResult(0, len(job.objects), 0)

    @activity.defn(name=contracts.START_WAITING)
    async def start_waiting(self) -> int:
        """Start the runs of subscriptions that bursts applied, asleep until their deadlines, at a
        limited rate; 0 means none are left."""
        async with self._deps.pool.acquire() as connection:
            waiting = await subscription_mirror.without_run(connection, limit=MOST_STARTS)
        for start in range(0, len(waiting), STARTS_AT_ONCE):
            batch = waiting[start : start + STARTS_AT_ONCE]
            pause = timedelta(seconds=len(batch) / STARTS_PER_SECOND)
            if await inbox.awaited(self._deps.pool, most=BUSY) >= BUSY:
                pause += HELD_BACK
            await asyncio.gather(
                asyncio.sleep(pause.total_seconds()),
                *(dispatch.start_lifecycle(self._client, lifecycle) for lifecycle in batch),
            )
            async with self._deps.pool.acquire() as connection, connection.transaction():
                moved = await subscription_mirror.mark_started(connection, batch)
                await wakeups.add(connection, wakeups.LOOK_AGAIN, moved)
            if activity.is_worker_shutdown():
                return start + len(batch)
        return len(waiting)

    async def _read_and_apply(self, objects: Sequence[BurstObject]) -> BurstResult:
        account = await self._deps.account()
        api = await self._deps.keyring.api()
        targets = [Target(TargetKind(found.kind), found.id) for found in objects]
        async with self._deps.pool.acquire() as connection:
            ticket, as_of, events = await inbox.begin_readings(connection, targets)
            read_at = time.perf_counter()
            elsewhere = await origins.elsewhere(
                connection, [target.id for target in targets], account=account
            )
        wanted = burst_source.wanted(events)
        mine = [found for key, found in wanted.items() if key not in elsewhere]
        found = await burst_source.read(self._deps, api, mine)
        events_of: dict[str, list[str]] = {}
        for event in events:
            events_of.setdefault(event.target.id, []).append(event.id)
        context = ApplyContext(
            account=account,
            ticket=ticket,
            as_of=as_of,
            cause=Cause.STRIPE,
            event_ids=[event.id for event in events],
            events_of=events_of
            | {p.order.id: events_of[p.id] for p in found.purchases if p.order is not None},
            read_by=ReadBy.BURST,
            arrivals={event.id: read_at - event.age for event in events},
        )
        poison = await self._apply(found.purchases, context)
        aside = elsewhere | set(found.odd) | poison
        left = [
            BurstObject(wanted[key].kind, key, ids, wanted[key].session)
            for key, ids in events_of.items()
            if key in aside
        ]
        await self._set_aside(left)
        return BurstResult(len(found.purchases) - len(poison), len(left), found.reads)

    async def _apply(self, purchases: Sequence[Purchase], context: ApplyContext) -> set[str]:
        """Apply the purchases in one transaction, or in several if one of them is poison. Returns
        the ids of those."""
        if not purchases:
            return set()
        try:
            async with self._deps.pool.acquire() as connection, connection.transaction():
                await apply_batch(connection, purchases, context=context)
                served = [event for p in purchases for event in context.events_of[p.id]]
                await inbox.mark_handled(connection, served)
        except PASSING:
            raise
        except Exception:
            if len(purchases) == 1:
                log.exception("object of a burst not applied", object=purchases[0].id)
                return {purchases[0].id}
            half = len(purchases) // 2
            first = await self._apply(purchases[:half], context)
            return first | await self._apply(purchases[half:], context)
        return set()

    async def _set_aside(self, objects: Sequence[BurstObject]) -> None:
        """Nudge the objects' own runs."""
        for start in range(0, len(objects), ASIDE_AT_ONCE):
            await asyncio.gather(*map(self._nudge, objects[start : start + ASIDE_AT_ONCE]))

    async def _nudge(self, found: BurstObject) -> None:
        """Nudge an object's own run. Where Temporal refuses its id, its events have failed."""
        target = Target(TargetKind(found.kind), found.id, found.checkout_session)
        try:
            await dispatch.nudge(self._client, target, found.event_ids)
        except dispatch.REFUSED as error:
            log.error(
                "events refused by Temporal, see the inbox",
                events=found.event_ids,
                reason=str(error),
            )
            async with self._deps.pool.acquire() as connection:
                await inbox.mark_failed(connection, found.event_ids, error=str(error))
