"""Keeps a run alive when its object can't be read or applied: the run reports why, and its events
are marked failed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Protocol, TypeVar

import asyncpg
import structlog
from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.base import ActivityDeps
from activities.errors import KEY_REFUSED
from latchkey.contracts import SyncInput, SyncResult, Wake
from latchkey.dispatch import TemporalUnavailableError
from latchkey.rules.access import SELDOM
from latchkey.rules.routing import TargetKind
from latchkey.store.pool import DATABASE_AWAY, Connection
from latchkey.store.purchases import settling, subscription_mirror
from latchkey.store.purchases.subscription_mirror import Recorded
from latchkey.store.stripe import inbox, origins

PATIENCE = 5
"""Attempts (about 15 seconds) before the run reports what it is waiting for."""

TRY_AGAIN = timedelta(minutes=1)
TRY_LATER = timedelta(hours=1)
READ_AGAIN = timedelta(seconds=1)

PASSING = (*DATABASE_AWAY, TemporalUnavailableError, asyncpg.TransactionRollbackError)

log = structlog.get_logger("worker")
FAILED = Counter("latchkey_events_given_up_total", "Events that could not be processed.")

UNCHANGED = SyncResult("", "", finished=False, unchanged=True)


class _Job(Protocol):
    @property
    def deps(self) -> ActivityDeps: ...


J = TypeVar("J", bound=_Job)
Sync = Callable[[J, SyncInput], Awaitable[SyncResult]]


def keeps_running(kind: TargetKind) -> Callable[[Sync[J]], Sync[J]]:
    """Decorates an activity that syncs one object. Temporary errors are retried forever, and after
    a while the run reports them. Our own errors fail the events, not the run. Only an error's type
    enters the history, since its text may quote personal data."""

    def around(sync: Sync[J]) -> Sync[J]:
        @wraps(sync)
        async def steadily(self: J, job: SyncInput) -> SyncResult:
            try:
                if job.only_events and await _unchanged(self.deps, job, kind):
                    return UNCHANGED
                return await _elsewhere(self.deps, job, kind) or await sync(self, job)
            except ApplicationError as error:
                if error.non_retryable or _soon(error):
                    raise
                return await _waiting(self.deps, job, kind, error.message)
            except PASSING as error:
                raise ApplicationError(
                    f"not now: {type(error).__name__}", type=type(error).__name__
                ) from None
            except Exception as error:
                log.exception("object not applied", object=job.object_id)
                name = type(error).__name__
                if activity.info().attempt < PATIENCE:
                    raise ApplicationError(f"unexpected {name}", type=name) from None
                return await failed(self.deps, job, kind, f"unexpected {name}, see the log")

        return steadily

    return around


async def _unchanged(deps: ActivityDeps, job: SyncInput, kind: TargetKind) -> bool:
    """Whether readings that began after these events were stored have been applied since, and the
    run has the last one's result: a nudge that arrives during a reading needs no other one.

    The result of a reading that was applied can be lost: the worker died, or Temporal refused the
    workflow task in which it was read. Then the run doesn't know the deadline yet.
    """
    async with deps.pool.acquire() as connection:
        if not await inbox.served(connection, kind, job.object_id, job.event_ids):
            return False
        if kind is TargetKind.OBJECT:
            return True
        return job.ticket == await origins.last_ticket(connection, job.object_id)


async def _elsewhere(deps: ActivityDeps, job: SyncInput, kind: TargetKind) -> SyncResult | None:
    """The result for an object from another account or mode than the connected one, otherwise None.
    It can't be read, so access stays as it is and a known end still takes effect. It is checked
    again daily in case its account is reconnected."""
    account = await deps.keyring.account()
    async with deps.pool.acquire() as connection:
        named = await inbox.named(connection, job.object_id)
        origin = await origins.origin_of(connection, named or job.object_id)
    if origin is None or account is None or origin.account == account:
        return None
    why = f"It belongs to account {origin.account}, which isn't the connected one"
    async with deps.pool.acquire() as connection, connection.transaction():
        await _give_up(connection, job, kind, why)
        await settling.end_due(
            connection,
            source_id=job.object_id,
            as_of=job.as_of,
            workflow_id=activity.info().workflow_id or "",
        )
    wake_at, wake = _next(job, await _known(deps, job, kind), SELDOM)
    return SyncResult(
        label="another account",
        state=f"{why}: access stays as it is, and a known end still takes effect",
        finished=origin.over,
        wake_at=None if origin.over else wake_at,
        wake=None if origin.over else wake,
    )


def _soon(error: ApplicationError) -> bool:
    """Whether a quick retry may help. A problem with the key needs a person."""
    return error.type != KEY_REFUSED and activity.info().attempt < PATIENCE


async def failed(deps: ActivityDeps, job: SyncInput, kind: TargetKind, error: str) -> SyncResult:
    """Handle what no retry can fix: mark the events as failed, and let the run wait for a person or
    a resend."""
    async with deps.pool.acquire() as connection:
        ids = await _give_up(connection, job, kind, error)
        known = await _known(deps, job, kind)
    log.error("events failed, see the inbox", object=job.object_id, events=ids, reason=error)
    wake_at, wake = _next(job, known, TRY_LATER)
    return SyncResult(
        label="failed",
        state=f"Can't continue: {error}. Resend the event once the cause is fixed",
        finished=known is None,
        wake_at=wake_at if known else None,
        wake=wake if known else None,
        unread=True,
    )


async def _give_up(
    connection: Connection, job: SyncInput, kind: TargetKind, error: str
) -> list[str]:
    """Mark the object's events as failed, including those that no nudge has mentioned yet."""
    _, waiting = await inbox.begin_reading(connection, kind, job.object_id)
    ids = list(dict.fromkeys([*job.event_ids, *(event.id for event in waiting)]))
    await inbox.mark_failed(connection, ids, error=error)
    FAILED.inc(len(ids))
    return ids


def read_again(as_of: datetime) -> SyncResult:
    """The result for a reading that a later one has overtaken. Its events are served: they were
    stored before its ticket (fencing token) was taken, and the later reading began after that. Only
    the deadline is missing."""
    return SyncResult(
        label="reading",
        state="A later reading was applied first: reading again",
        finished=False,
        wake_at=as_of + READ_AGAIN,
    )


async def _waiting(deps: ActivityDeps, job: SyncInput, kind: TargetKind, why: str) -> SyncResult:
    known = await _known(deps, job, kind)
    wake_at, wake = _next(job, known, TRY_AGAIN)
    log.warning("run waiting", object=job.object_id, reason=why)
    return SyncResult(
        label="waiting for Stripe",
        state=f"Waiting: {why}",
        finished=False,
        wake_at=wake_at,
        wake=wake,
        unread=True,
    )


async def _known(deps: ActivityDeps, job: SyncInput, kind: TargetKind) -> Recorded | None:
    if kind is not TargetKind.SUBSCRIPTION:
        return None
    async with deps.pool.acquire() as connection:
        return await subscription_mirror.recorded(connection, job.object_id)


def _next(job: SyncInput, known: Recorded | None, pause: timedelta) -> tuple[datetime, Wake]:
    """When to look again: after the pause, or at the previously known deadline if that is sooner.
    The workflow's clock continues from `as_of` during the attempts. Their moments are Temporal's,
    while this machine's clock may be wrong."""
    now = job.as_of + (activity.info().started_time - activity.info().scheduled_time)
    again = now + pause
    if known and known.wake and known.wake_at and now < known.wake_at < again:
        return known.wake_at, known.wake
    return again, Wake.TRY_AGAIN
