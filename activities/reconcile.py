"""Compares grants with Stripe, a page at a time, and repairs what may be repaired."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities import comparison_source, fetch
from activities.base import ActivityDeps
from activities.comparison_source import Readings
from activities.errors import discreet
from latchkey import contracts, dispatch
from latchkey.contracts import (
    BeginReconciliation,
    CompareBatch,
    CompareBatchResult,
    Compared,
    ComparePageInput,
    ComparePageResult,
    FinishReconciliation,
    ReconcileStep,
    ReconciliationPlan,
)
from latchkey.rules.drift import Kind, Severity
from latchkey.rules.reading import Order
from latchkey.rules.vocabulary import Cause, ComparisonCause, GrantSource
from latchkey.store.access import complimentary
from latchkey.store.checks import comparing, invariants
from latchkey.store.checks import reconciliations as store
from latchkey.store.checks.comparing import Difference
from latchkey.store.checks.reconciliations import Found
from latchkey.store.pool import Connection
from latchkey.store.products import links
from latchkey.store.purchases import orders, subscription_mirror, subscriptions
from latchkey.store.purchases.subscriptions import CheckoutInfo
from latchkey.store.stripe import catalog, wakeups
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.context import ApplyContext
from latchkey.stripe_api import Page, StripeApi

UNSEEN_AT_ONCE = 25
REPAIRS_AT_ONCE = 20
RUNS_PER_PAGE = 1000
MANUAL_AT_ONCE = 1000
AT_ONCE = 8

_RUNNING = (
    "ExecutionStatus = 'Running' and WorkflowType in ('Subscription', 'Purchase', 'ProductLink')"
)
_COMPARING = "ExecutionStatus = 'Running' and WorkflowType = 'Reconciliation'"
_STUCK = (
    ("LatchkeyState = 'failed' and ExecutionStatus = 'Running'", "The run can't continue"),
    (
        "TemporalReportedProblems in ('category=WorkflowTaskFailed')",
        "The workflow's code fails on its history: see the run in the Temporal UI",
    ),
)

_NOT_CONNECTED = "Stripe isn't connected: connect it under Connectors, then compare again"


class ReconcileActivities:
    """Reads objects, compares by applying and rolling back, and repairs by applying."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @activity.defn(name=contracts.BEGIN_RECONCILIATION)
    async def begin(self, job: BeginReconciliation) -> ReconciliationPlan:
        """Begin the requested comparison, or the schedule's own. Its id is derived from the run's,
        so a second attempt doesn't create a second one. Without a connection it fails, and is
        closed here because the run doesn't know the schedule's own comparison yet."""
        async with discreet():
            await self._fail_lost()
            async with self._deps.pool.acquire() as connection, connection.transaction():
                if job.reconciliation_id:
                    wanted = job.reconciliation_id
                else:
                    run = activity.info().workflow_run_id or ""
                    made = await store.request(
                        connection,
                        repair=job.repair,
                        cause=ComparisonCause.SCHEDULE,
                        dispatched=True,
                        reconciliation_id=f"rec_{run.replace('-', '')[:16]}",
                    )
                    wanted = made.id
                found, products = await store.begin(connection, wanted)
                since = await store.invoices_since(connection, found)
                most = await catalog.pages_of_subscriptions(connection)
                connected = await connections.is_connected(connection)
                if not connected:
                    await store.finish(connection, wanted, error=_NOT_CONNECTED)
        if not connected:
            raise ApplicationError(_NOT_CONNECTED, type="NotConnectedError", non_retryable=True)
        return ReconciliationPlan(
            found.id,
            found.repair,
            products,
            compared=found.compared_at is not None,
            most_prices=max(20, most),
            product=found.product_id,
            invoices_since=since,
        )

    @activity.defn(name=contracts.COMPARE_PAGE)
    async def page(self, job: ComparePageInput) -> ComparePageResult:
        """Read one page and compare it; in a repairing run, apply what is safe."""
        async with discreet():
            context = await self._deps.context(as_of=job.as_of, cause=Cause.RECONCILIATION)
            api = await self._deps.keyring.api()
            page, found = await self._page(api, job)
            progress = replace(
                job.progress,
                pages=job.progress.pages + 1,
                reads=job.progress.reads + found.reads,
            )
            progress = await self._compare(
                job.reconciliation_id, found, context, progress, repair=job.repair
            )
        return ComparePageResult(page.next, progress)

    @activity.defn(name=contracts.COMPARE_UNSEEN)
    async def unseen(self, job: CompareBatch) -> CompareBatchResult:
        """Read purchases that give access but were on none of the lists: moved to another price,
        bought by invoice, or gone from Stripe."""
        async with discreet():
            context = await self._deps.context(as_of=job.as_of, cause=Cause.RECONCILIATION)
            async with self._deps.pool.acquire() as connection:
                run = await store.find(connection, job.reconciliation_id)
                batch = await store.unseen(
                    connection,
                    job.reconciliation_id,
                    product_id=run.product_id if run else None,
                    limit=UNSEEN_AT_ONCE,
                )
            api = await self._deps.keyring.api()
            found = await comparison_source.by_id(self._deps, api, batch)
            progress = replace(job.progress, reads=job.progress.reads + found.reads)
            progress = await self._compare(
                job.reconciliation_id, found, context, progress, repair=job.repair
            )
            async with self._deps.pool.acquire() as connection, connection.transaction():
                await store.see(connection, job.reconciliation_id, [key for _, key in batch])
                await store.mark_compared(
                    connection, [k for kind, k in batch if kind == GrantSource.ORDER]
                )
        return CompareBatchResult(len(batch) == UNSEEN_AT_ONCE, len(batch), progress)

    @activity.defn(name=contracts.CHECK_INVARIANTS)
    async def check(self, job: CompareBatch) -> Compared:
        """Record which runs exist, then check the invariants."""
        async with discreet():
            ids: list[str] = []
            async for run in self._client.list_workflows(_RUNNING, page_size=RUNS_PER_PAGE):
                ids.append(run.id)
                if len(ids) == RUNS_PER_PAGE:
                    await self._see(job.reconciliation_id, ids)
                    ids = []
            await self._see(job.reconciliation_id, ids)
            stuck = await self._stuck()
            async with self._deps.pool.acquire() as connection, connection.transaction():
                run_row = await store.find(connection, job.reconciliation_id)
                assert run_row is not None, "the run began by creating it"
                await invariants.check(
                    connection, run_row.id, product_id=run_row.product_id, stuck=stuck
                )
                if job.repair:
                    await store.choose_safe(connection, run_row.id)
                await store.compared(connection, run_row.id)
                counted = await store.find(connection, run_row.id)
                assert counted is not None, "it was written in this transaction"
                total = counted.safe + counted.person + counted.foreign
                progress = replace(
                    job.progress, differences=total + counted.repaired + counted.failed
                )
                await store.write_progress(connection, run_row.id, asdict(progress))
        return progress

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
                await store.write_progress(connection, job.reconciliation_id, asdict(progress))
        return CompareBatchResult(len(batch) == REPAIRS_AT_ONCE, len(batch), progress)

    @activity.defn(name=contracts.FINISH_RECONCILIATION)
    async def finish(self, job: FinishReconciliation) -> None:
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await store.finish(connection, job.reconciliation_id, error=job.error)

    async def _page(self, api: StripeApi, job: ComparePageInput) -> tuple[Page, Readings]:
        match job.step:
            case ReconcileStep.SUBSCRIPTIONS:
                page = await api.subscriptions(price=job.price, after=job.cursor, ended=True)
                return page, await comparison_source.subscriptions(self._deps, api, page.data)
            case ReconcileStep.INVOICES:
                page = await api.paid_invoices(since=job.since, after=job.cursor)
                return page, await comparison_source.invoices(self._deps, api, page.data)
        page = await api.completed_sessions(after=job.cursor)
        return page, await comparison_source.sessions(self._deps, api, page.data)

    async def _compare(
        self, run: str, found: Readings, context: ApplyContext, progress: Compared, *, repair: bool
    ) -> Compared:
        references = self._references(found.orders)
        async with self._deps.pool.acquire() as connection, connection.transaction():
            differences = [
                *await comparing.subscriptions(connection, found.subscriptions, context=context),
                *await comparing.orders(
                    connection, found.orders, context=context, references=references
                ),
                *(_gone(source, key) for source, key in found.gone),
            ]
            scope = await store.find(connection, run)
            if scope and scope.product_id:
                mine = (None, scope.product_id)
                differences = [one for one in differences if one.product_id in mine]
            await store.record(connection, run, differences)
            await store.see(connection, run, found.ids)
            progress = replace(
                progress,
                subscriptions=progress.subscriptions + len(found.subscriptions),
                orders=progress.orders + len(found.orders),
                differences=progress.differences + len(differences),
            )
            await store.write_progress(connection, run, asdict(progress))
        return await self._mend(run, found, differences, context, progress) if repair else progress

    async def _mend(
        self,
        run: str,
        found: Readings,
        differences: Sequence[Difference],
        context: ApplyContext,
        progress: Compared,
    ) -> Compared:
        """Apply the readings whose differences are all safe, and notify their runs."""
        unsafe = {one.source_id for one in differences if one.severity is not Severity.SAFE}
        safe = {one.source_id for one in differences} - unsafe
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

    async def _contexts(self, found: Readings, ids: set[str]) -> dict[str, CheckoutInfo]:
        """The checkout sessions of subscriptions that are new to us. They may contain the buyer's
        signed reference, which takes precedence over an email address."""
        mine = [one.id for one in found.subscriptions if one.id in ids]
        async with self._deps.pool.acquire() as connection:
            known = await subscription_mirror.known(connection, mine)
        api = await self._deps.keyring.api()
        checkouts = {}
        for key in [key for key in mine if key not in known]:
            sessions = await api.sessions_of(subscription=key)
            if sessions:
                order = await fetch.session(api, sessions[0])
                user = self._deps.reference_user(order.reference)
                checkouts[key] = CheckoutInfo(order.id, user)
        return checkouts

    async def _apply(
        self,
        connection: Connection,
        found: Readings,
        ids: set[str],
        context: ApplyContext,
        checkouts: dict[str, CheckoutInfo],
    ) -> None:
        mine = [one for one in found.subscriptions if one.id in ids]
        if mine:
            await subscriptions.apply_subscriptions(
                connection, mine, context=context, checkouts=checkouts
            )
        bought = [one for one in found.orders if one.id in ids]
        if bought:
            await orders.apply_orders(
                connection, bought, context=context, references=self._references(bought)
            )

    async def _repair(self, run: str, batch: list[Found], context: ApplyContext) -> int:
        """Start or notify runs; read and apply objects again, and notify their runs. Returns how
        many differences were repaired."""
        objects = {
            (one.source, one.source_id)
            for one in batch
            if one.source in (GrantSource.SUBSCRIPTION, GrantSource.ORDER)
            and one.kind not in (Kind.WORKFLOW_MISSING, Kind.TIMER_MISSING)
        }
        api = await self._deps.keyring.api()
        found = await comparison_source.by_id(self._deps, api, sorted(objects))
        failed = {key: "It no longer exists in Stripe: decide by hand" for _, key in found.gone}
        failed |= {
            key: f"Stripe's answer can't be read: {why}" for key, why in found.unreadable.items()
        }
        mended = [one for one in batch if one.source_id not in failed]
        checkouts = await self._contexts(found, set(found.ids))
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await self._apply(connection, found, set(found.ids), context, checkouts)
            if any(one.source in (GrantSource.MANUAL, GrantSource.COLLECTION) for one in mended):
                await complimentary.end_due(connection, context.as_of, limit=MANUAL_AT_ONCE)
                await wakeups.add(connection, wakeups.ENDINGS, [""])
            for one in mended:
                if one.source == "link":
                    await links.dispatch_again(connection, int(one.source_id))
            await _have_told(
                connection,
                {
                    one.source_id
                    for one in mended
                    if one.source == GrantSource.ORDER
                    or (
                        one.source == GrantSource.SUBSCRIPTION and one.kind != Kind.WORKFLOW_MISSING
                    )
                },
            )
        await self._start([one.source_id for one in mended if one.kind == Kind.WORKFLOW_MISSING])
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await store.mark_repaired(connection, run, ids=[one.id for one in mended])
            for key, error in failed.items():
                ids = [one.id for one in batch if one.source_id == key]
                await store.mark_unrepaired(connection, ids, error=error)
        return len(mended)

    async def _fail_lost(self) -> None:
        me = activity.info().workflow_id
        alive = [run.id async for run in self._client.list_workflows(_COMPARING)]
        scheduled = contracts.reconciliation_workflow_id(contracts.SCHEDULED)
        others = any(one.startswith(scheduled) for one in alive if one != me)
        async with self._deps.pool.acquire() as connection:
            await store.fail_lost(connection, alive=alive, schedule_alive=others)

    def _references(self, found: Sequence[Order]) -> dict[str, int]:
        named = {order.id: self._deps.reference_user(order.reference) for order in found}
        return {key: user for key, user in named.items() if user is not None}

    async def _see(self, run: str, ids: list[str]) -> None:
        if ids:
            async with self._deps.pool.acquire() as connection:
                await store.see(connection, run, ids)

    async def _stuck(self) -> list[tuple[str, str]]:
        """Runs that can't continue, with the reason. An old server may not support the second
        query."""
        found: dict[str, str] = {}
        for query, reason in _STUCK:
            try:
                async for run in self._client.list_workflows(query, limit=200):
                    found.setdefault(run.id, reason)
            except RPCError as error:
                activity.logger.warning("Temporal query failed: %s", error.status.name)
        return list(found.items())

    async def _start(self, subscription_ids: Sequence[str]) -> None:
        async with self._deps.pool.acquire() as connection:
            waiting = await subscription_mirror.lifecycles(connection, subscription_ids)
        known = {one.subscription_id for one in waiting}
        for start in range(0, len(waiting), AT_ONCE):
            batch = waiting[start : start + AT_ONCE]
            await asyncio.gather(*(dispatch.start_lifecycle(self._client, one) for one in batch))
        async with self._deps.pool.acquire() as connection:
            await subscription_mirror.mark_lifecycles(connection, sorted(known))


async def _have_told(connection: Connection, keys: set[str]) -> None:
    """Have the objects' runs look again, so that they learn the new deadline."""
    purchases = {key for key in keys if key.startswith(("cs_", "in_"))}
    await wakeups.add(connection, wakeups.LOOK_AGAIN, sorted(keys - purchases))
    await wakeups.add(connection, wakeups.PURCHASE, sorted(purchases))


def _gone(source: str, key: str) -> Difference:
    return Difference(
        Kind.GONE,
        Severity.MANUAL,
        f"It gives access, but the connected Stripe account has no such {source}: it may belong to"
        " another account or mode, or be deleted test data",
        source,
        key,
    )
