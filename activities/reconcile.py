"""Compares grants with Stripe, a page at a time, and checks the invariants."""

from dataclasses import asdict, replace
from datetime import datetime

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities import comparison_source
from activities.base import ActivityDeps
from activities.comparison_source import Readings
from activities.errors import discreet
from activities.repair import RepairActivities
from latchkey import contracts
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
from latchkey.rules.vocabulary import Cause, ComparisonCause, GrantSource
from latchkey.store.checks import comparing, invariants
from latchkey.store.checks import reconciliations as store
from latchkey.store.checks.comparing import Difference
from latchkey.store.figures import past
from latchkey.store.purchases import second_subscriptions, subscription_mirror
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.context import ApplyContext
from latchkey.stripe_api import Page, StripeApi

UNSEEN_AT_ONCE = 25
RUNS_PER_PAGE = 1000

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

log = structlog.get_logger("reconciliation")

_NOT_CONNECTED = "Stripe isn't connected: connect it under Connectors, then compare again"


class ReconcileActivities:
    """Reads objects and compares by applying and rolling back. `repairs` repairs what is safe."""

    def __init__(self, deps: ActivityDeps, client: Client, repairs: RepairActivities) -> None:
        self._deps = deps
        self._client = client
        self._repairs = repairs

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
        """Record which runs exist, then check the invariants, and who has a second subscription."""
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
            await self._notice_second(as_of=job.as_of)
        return progress

    async def _notice_second(self, *, as_of: datetime) -> None:
        """Note second subscriptions. Whatever goes wrong there doesn't hold up the comparison."""
        try:
            context = await self._deps.context(as_of=as_of, cause=Cause.RECONCILIATION)
            async with self._deps.pool.acquire() as connection, connection.transaction():
                await second_subscriptions.notice_all(connection, context=context)
        except Exception:
            log.exception("second subscriptions not noticed")

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
        references = comparison_source.references(self._deps, found.orders)
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
                in_scope = (None, scope.product_id)
                differences = [
                    difference for difference in differences if difference.product_id in in_scope
                ]
            await store.record(connection, run, differences)
            await store.see(connection, run, found.ids)
            await subscription_mirror.note_cards(connection, found.subscriptions)
            await past.record(connection, found.subscriptions, context=context)
            progress = replace(
                progress,
                subscriptions=progress.subscriptions + len(found.subscriptions),
                orders=progress.orders + len(found.orders),
                differences=progress.differences + len(differences),
            )
            await store.write_progress(connection, run, asdict(progress))
        if not repair:
            return progress
        return await self._repairs.mend(run, found, differences, context=context, progress=progress)

    async def _fail_lost(self) -> None:
        me = activity.info().workflow_id
        alive = [run.id async for run in self._client.list_workflows(_COMPARING)]
        scheduled = contracts.reconciliation_workflow_id(contracts.SCHEDULED)
        others = any(run.startswith(scheduled) for run in alive if run != me)
        async with self._deps.pool.acquire() as connection:
            await store.fail_lost(connection, alive=alive, schedule_alive=others)

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


def _gone(source: str, key: str) -> Difference:
    return Difference(
        Kind.GONE,
        Severity.MANUAL,
        f"It gives access, but the connected Stripe account has no such {source}: it may belong to"
        " another account or mode, or be deleted test data",
        source,
        key,
    )
