"""Repairs differences between Stripe and the grants by applying what Stripe says."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

from temporalio import activity
from temporalio.client import Client

from activities import comparison_source, fetch
from activities.base import ActivityDeps
from activities.comparison_source import Readings
from activities.errors import discreet
from latchkey import contracts, dispatch
from latchkey.contracts import CompareBatch, CompareBatchResult, Compared
from latchkey.rules.drift import Kind, Severity
from latchkey.rules.vocabulary import Cause, GrantSource
from latchkey.store.access import collections, complimentary
from latchkey.store.checks import reconciliations as store
from latchkey.store.checks.comparing import Difference
from latchkey.store.checks.reconciliations import Found
from latchkey.store.pool import Connection
from latchkey.store.products import links
from latchkey.store.purchases import orders, subscription_mirror, subscriptions
from latchkey.store.purchases.subscriptions import CheckoutInfo
from latchkey.store.stripe import wakeups
from latchkey.store.stripe.context import ApplyContext

REPAIRS_AT_ONCE = 20
MANUAL_AT_ONCE = 1000
AT_ONCE = 8


class RepairActivities:
    """Applies what Stripe says, and has the objects' runs look again."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @activity.defn(name=contracts.REPAIR_DIFFERENCES)
    async def repair(self, job: CompareBatch) -> CompareBatchResult:
        """Repair the next batch of selected differences."""
        async with discreet():
            context = await self._deps.context(as_of=job.as_of, cause=Cause.RECONCILIATION)
            async with self._deps.pool.acquire() as connection:
                batch = await store.chosen(connection, job.reconciliation_id, limit=REPAIRS_AT_ONCE)
            repaired = await self._repair(job.reconciliation_id, batch, context)
            progress = replace(job.progress, repaired=job.progress.repaired + repaired)
            async with self._deps.pool.acquire() as connection:
                await store.write_repaired(connection, job.reconciliation_id)
        return CompareBatchResult(len(batch) == REPAIRS_AT_ONCE, len(batch), progress)

    async def mend(
        self,
        run: str,
        found: Readings,
        differences: Sequence[Difference],
        *,
        context: ApplyContext,
        progress: Compared,
    ) -> Compared:
        """Apply the readings whose differences are all safe, and notify their runs."""
        unsafe = {
            difference.source_id
            for difference in differences
            if difference.severity is not Severity.SAFE
        }
        safe = {difference.source_id for difference in differences} - unsafe
        if not safe:
            return progress
        checkouts = await self._contexts(found, safe)
        progress = replace(
            progress,
            reads=progress.reads + len(checkouts),
            repaired=progress.repaired + len(safe),
        )
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await self._apply(connection, found, safe, context, checkouts)
            done = await store.open_of_sources(connection, run, sorted(safe))
            await store.mark_repaired(connection, run, ids=done)
            await store.write_progress(connection, run, asdict(progress))
            await _have_told(connection, safe)
        return progress

    async def _repair(self, run: str, batch: list[Found], context: ApplyContext) -> int:
        """Start or notify runs; read and apply objects again, and notify their runs. Returns how
        many differences were repaired."""
        api = await self._deps.keyring.api()
        found = await comparison_source.by_id(self._deps, api, _to_read(batch))
        failed = _failures(found)
        mended = [difference for difference in batch if difference.source_id not in failed]
        checkouts = await self._contexts(found, set(found.ids))
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await self._apply(connection, found, set(found.ids), context, checkouts)
            await _mend_others(connection, mended, context)
            await _have_told(connection, set(_to_tell(mended)))
        await self._start(
            [
                difference.source_id
                for difference in mended
                if difference.kind == Kind.WORKFLOW_MISSING
            ]
        )
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await store.mark_repaired(connection, run, ids=[difference.id for difference in mended])
            for key, error in failed.items():
                ids = [difference.id for difference in batch if difference.source_id == key]
                await store.mark_unrepaired(connection, ids, error=error)
        return len(mended)

    async def _contexts(self, found: Readings, ids: set[str]) -> dict[str, CheckoutInfo]:
        """The checkout sessions of subscriptions that are new to us. They may contain the buyer's
        signed reference, which takes precedence over an email address."""
        wanted = [subscription.id for subscription in found.subscriptions if subscription.id in ids]
        async with self._deps.pool.acquire() as connection:
            known = await subscription_mirror.known(connection, wanted)
        api = await self._deps.keyring.api()
        checkouts = {}
        for key in [key for key in wanted if key not in known]:
            sessions = await api.sessions_of(subscription=key)
            if sessions:
                order = await fetch.session(api, sessions[0])
                reference = self._deps.reference(order.reference)
                checkouts[key] = CheckoutInfo(order.id, reference, order.created, order.locale)
        return checkouts

    async def _apply(
        self,
        connection: Connection,
        found: Readings,
        ids: set[str],
        context: ApplyContext,
        checkouts: dict[str, CheckoutInfo],
    ) -> None:
        subscribed = [reading for reading in found.subscriptions if reading.id in ids]
        if subscribed:
            await subscriptions.apply_subscriptions(
                connection, subscribed, context=context, checkouts=checkouts
            )
        bought = [reading for reading in found.orders if reading.id in ids]
        if bought:
            references = comparison_source.references(self._deps, bought)
            await orders.apply_orders(connection, bought, context=context, references=references)

    async def _start(self, subscription_ids: Sequence[str]) -> None:
        async with self._deps.pool.acquire() as connection:
            waiting = await subscription_mirror.lifecycles(connection, subscription_ids)
        known = {lifecycle.subscription_id for lifecycle in waiting}
        for start in range(0, len(waiting), AT_ONCE):
            batch = waiting[start : start + AT_ONCE]
            await asyncio.gather(
                *(dispatch.start_lifecycle(self._client, lifecycle) for lifecycle in batch)
            )
        async with self._deps.pool.acquire() as connection:
            await subscription_mirror.mark_lifecycles(connection, sorted(known))


def _to_read(batch: Sequence[Found]) -> list[tuple[str, str]]:
    """Source and id of the objects that Stripe is asked for again."""
    objects = {
        (difference.source, difference.source_id)
        for difference in batch
        if difference.source in (GrantSource.SUBSCRIPTION, GrantSource.ORDER)
        and difference.kind not in (Kind.WORKFLOW_MISSING, Kind.TIMER_MISSING)
    }
    return sorted(objects)


def _failures(found: Readings) -> dict[str, str]:
    """Why some objects can't be repaired, by id."""
    gone = {key: "It no longer exists in Stripe: decide by hand" for _, key in found.gone}
    return gone | {
        key: f"Stripe's answer can't be read: {why}" for key, why in found.unreadable.items()
    }


async def _mend_others(
    connection: Connection, mended: Sequence[Found], context: ApplyContext
) -> None:
    """Complimentary access that is over ends, what products open follows their grants, links have
    their workflows started."""
    if any(found.source in (GrantSource.MANUAL, GrantSource.COLLECTION) for found in mended):
        await complimentary.end_due(connection, context.as_of, limit=MANUAL_AT_ONCE)
        await wakeups.add(connection, wakeups.ENDINGS, [""])
    opened = {found.source_id for found in mended if found.source == GrantSource.PRODUCT}
    if opened:
        await collections.repair_opened(connection, sorted(opened))
    for difference in mended:
        if difference.source == "link":
            await links.dispatch_again(connection, int(difference.source_id))


def _to_tell(mended: Sequence[Found]) -> Iterable[str]:
    """Ids of the objects whose runs have to look again; those without a run are started."""
    for difference in mended:
        by_order = difference.source == GrantSource.ORDER
        by_subscription = difference.source == GrantSource.SUBSCRIPTION
        if by_order or (by_subscription and difference.kind != Kind.WORKFLOW_MISSING):
            yield difference.source_id


async def _have_told(connection: Connection, keys: set[str]) -> None:
    """Have the objects' runs look again, so that they learn the new deadline."""
    purchases = {key for key in keys if key.startswith(("cs_", "in_"))}
    await wakeups.add(connection, wakeups.LOOK_AGAIN, sorted(keys - purchases))
    await wakeups.add(connection, wakeups.PURCHASE, sorted(purchases))
