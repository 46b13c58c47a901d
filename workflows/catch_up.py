"""`CatchUp`: looks for events that no webhook delivered. The schedule starts a new run each
time."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError

from workflows.steps import on_main_queue, on_stripe_queue, reason_of, show

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import CatchUpPageInput, CatchUpPageResult, CatchUpPlan
    from latchkey.rules.plurals import counted

MOST_PAGES = 1000
"""Pages per part and run: 100,000 events. The next run continues from there."""

A_FEW_TIMES = RetryPolicy(maximum_attempts=6, maximum_interval=timedelta(seconds=30))
"""After this, the run fails with the reason, and the schedule tries again."""

BEHIND_THE_LIVING = Priority(priority_key=3)

CHORES_FIRST = "chores-first"
"""The id of a change of commands: see CONTRIBUTING.md, Changing workflow code."""


@workflow.defn(name=contracts.CATCH_UP)
class CatchUp:
    """Puts missed events into the inbox. If the event list doesn't reach back far enough, requests
    a sweep."""

    @workflow.run
    async def run(self) -> int:
        try:
            return await self._look()
        except ActivityError as error:
            show("failed", f"Couldn't look for missed events: {reason_of(error)}")
            raise

    async def _look(self) -> int:
        plan = await on_main_queue(
            contracts.PLAN_CATCH_UP,
            result_type=CatchUpPlan,
            retry_policy=A_FEW_TIMES,
            summary="Check which lists are due",
        )
        if not (plan.hourly and workflow.patched(CHORES_FIRST)):
            return await self._lists(plan)
        deleting = asyncio.create_task(self._delete_old())
        try:
            return await self._lists(plan)
        finally:
            await deleting

    async def _lists(self, plan: CatchUpPlan) -> int:
        """Process what is due. Runs of earlier releases do the chores last, so an unreadable list
        kept them from being done."""
        if not plan.connected:
            show("not connected", "Stripe isn't connected, so there is nothing to look for")
            return 0
        found, gap = 0, False
        for part in plan.parts:
            new, torn = await self._part(part)
            found, gap = found + new, gap or torn
        if gap:
            await self._ours(
                contracts.BEGIN_SWEEP, str, "Request a comparison of all objects with Stripe"
            )
        if plan.hourly:
            await self._stripe_endpoint()
            if not workflow.patched(CHORES_FIRST):
                await self._delete_old()
        words = f"{counted(found, 'missed event')} found" if found else "No missed events"
        show("done", f"{words}. The list has a gap: sweeping objects" if gap else words)
        return found

    async def _part(self, part: str) -> tuple[int, bool]:
        """Events found in one part of the list, and whether the list has a gap. All pages share the
        first page's time: newer events would shift a list that shows the newest first."""
        found, cursor, begun = 0, None, workflow.now()
        for pages in range(MOST_PAGES):
            page = await on_stripe_queue(
                contracts.CATCH_UP_PAGE,
                CatchUpPageInput(part, begun, cursor, pages),
                result_type=CatchUpPageResult,
                retry_policy=A_FEW_TIMES,
                priority=BEHIND_THE_LIVING,
                summary=f"List events: {part}",
            )
            found, cursor = found + page.found, page.cursor
            if page.gap or cursor is None:
                return found, page.gap
        return found, False

    async def _stripe_endpoint(self) -> None:
        await on_stripe_queue(
            contracts.CHECK_ENDPOINT,
            result_type=str,
            retry_policy=A_FEW_TIMES,
            priority=BEHIND_THE_LIVING,
            summary="Check the webhook endpoint",
        )

    async def _delete_old(self) -> None:
        await self._ours(contracts.DO_CHORES, int, "Delete expired data")

    async def _ours(self, activity: str, result_type: type, summary: str) -> None:
        await on_main_queue(
            activity, result_type=result_type, retry_policy=A_FEW_TIMES, summary=summary
        )
