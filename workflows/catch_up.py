"""`CatchUp`: looks for events that no webhook delivered. The schedule starts a new run each
time."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.attempts import HEARTBEAT, ONE_ATTEMPT

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import CatchUpPageInput, CatchUpPageResult, CatchUpPlan

STATE = SearchAttributeKey.for_keyword("LatchkeyState")

MOST_PAGES = 1000
"""Pages per part and run: 100,000 events. The next run continues from there."""

A_FEW_TIMES = RetryPolicy(maximum_attempts=6, maximum_interval=timedelta(seconds=30))
"""After this, the run fails with the reason, and the schedule tries again."""

BEHIND_THE_LIVING = Priority(priority_key=3)

CHORES_FIRST = "chores-first"
"""The id of a change of commands: see docs/operating.md, Changing workflow code."""


@workflow.defn(name=contracts.CATCH_UP)
class CatchUp:
    """Puts missed events into the inbox. If the event list doesn't reach back far enough, requests
    a sweep."""

    @workflow.run
    async def run(self) -> int:
        try:
            return await self._look()
        except ActivityError as error:
            cause = error.cause
            reason = cause.message if isinstance(cause, ApplicationError) else str(error)
            self._show("failed", f"Couldn't look for missed events: {reason}")
            raise

    async def _look(self) -> int:
        plan: CatchUpPlan = await workflow.execute_activity(
            contracts.PLAN_CATCH_UP,
            result_type=CatchUpPlan,
            start_to_close_timeout=ONE_ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=A_FEW_TIMES,
            summary="Check which lists are due",
        )
        if not (plan.hourly and workflow.patched(CHORES_FIRST)):
            return await self._lists(plan)
        chores = asyncio.create_task(self._chores())
        try:
            return await self._lists(plan)
        finally:
            await chores

    async def _lists(self, plan: CatchUpPlan) -> int:
        """Process what is due. Runs of earlier releases do the chores last, so an unreadable list
        kept them from being done."""
        if not plan.connected:
            self._show("not connected", "Stripe isn't connected, so there is nothing to look for")
            return 0
        found, gap = 0, False
        for part in plan.parts:
            new, torn = await self._part(part)
            found, gap = found + new, gap or torn
        if gap:
            await self._ours(
                contracts.BEGIN_SWEEP, "Request a comparison of all objects with Stripe"
            )
        if plan.hourly:
            await self._stripe_endpoint()
            if not workflow.patched(CHORES_FIRST):
                await self._chores()
        words = f"{found} missed events found" if found else "No missed events"
        self._show("done", f"{words}. The list has a gap: sweeping objects" if gap else words)
        return found

    async def _part(self, part: str) -> tuple[int, bool]:
        """Events found in one part of the list, and whether the list has a gap. All pages share the
        first page's time: newer events would shift a list that shows the newest first."""
        found, cursor, begun = 0, None, workflow.now()
        for pages in range(MOST_PAGES):
            page: CatchUpPageResult = await workflow.execute_activity(
                contracts.CATCH_UP_PAGE,
                CatchUpPageInput(part, begun, cursor, pages),
                result_type=CatchUpPageResult,
                task_queue=contracts.STRIPE_QUEUE,
                start_to_close_timeout=ONE_ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=A_FEW_TIMES,
                priority=BEHIND_THE_LIVING,
                summary=f"List events: {part}",
            )
            found, cursor = found + page.found, page.cursor
            if page.gap or cursor is None:
                return found, page.gap
        return found, False

    async def _stripe_endpoint(self) -> None:
        await workflow.execute_activity(
            contracts.CHECK_ENDPOINT,
            task_queue=contracts.STRIPE_QUEUE,
            start_to_close_timeout=ONE_ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=A_FEW_TIMES,
            priority=BEHIND_THE_LIVING,
            summary="Check the webhook endpoint",
        )

    async def _chores(self) -> None:
        await self._ours(contracts.DO_CHORES, "Delete expired data")

    async def _ours(self, activity: str, summary: str) -> None:
        await workflow.execute_activity(
            activity,
            start_to_close_timeout=ONE_ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=A_FEW_TIMES,
            summary=summary,
        )

    def _show(self, label: str, details: str) -> None:
        workflow.set_current_details(details)
        workflow.upsert_search_attributes([STATE.value_set(label)])
