"""Applies a changed access policy to pages of purchases, and ends complimentary access."""

from datetime import timedelta

from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts
from latchkey.contracts import (
    DueGrantsInput,
    DueGrantsResult,
    PolicyPageInput,
    PolicyPageResult,
    PolicyStep,
)
from latchkey.rules.vocabulary import Cause
from latchkey.store.access import complimentary, policy
from latchkey.store.pool import Connection
from latchkey.store.purchases import rejudging
from latchkey.store.purchases.rejudging import Rejudged
from latchkey.store.stripe.context import ApplyContext

PAGE = 200
AT_ONCE = 500
AHEAD = timedelta(milliseconds=1)
"""Temporal's clock has milliseconds, Postgres' has microseconds: what is due within the same
millisecond is due."""


class PolicyActivities:
    """Changes of access that don't come from Stripe."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name=contracts.APPLY_POLICY_PAGE)
    async def apply_page(self, job: PolicyPageInput) -> PolicyPageResult:
        """Judge one page again, in one transaction with the progress."""
        async with retried():
            account = await self._deps.account()
            context = ApplyContext(account, 0, job.as_of, Cause.POLICY)
            async with self._deps.pool.acquire() as connection, connection.transaction():
                result = await _apply(connection, job, context)
                await policy.record_progress(
                    connection,
                    job.change_id,
                    checked=result.checked,
                    granted=result.granted,
                    ended=result.ended,
                    done=result.step is PolicyStep.DONE,
                )
        return result

    @activity.defn(name=contracts.END_DUE_GRANTS)
    async def end_due_grants(self, job: DueGrantsInput) -> DueGrantsResult:
        """End what is due, and return when the next end is."""
        ended = 0
        while True:
            async with self._deps.pool.acquire() as connection, connection.transaction():
                now = await complimentary.end_due(connection, job.as_of + AHEAD, limit=AT_ONCE)
                next_at = await complimentary.next_end(connection)
            ended += now
            if now < AT_ONCE:
                return DueGrantsResult(ended, next_at)


async def _apply(
    connection: Connection, job: PolicyPageInput, context: ApplyContext
) -> PolicyPageResult:
    change = await policy.change(connection, job.change_id)
    if change is None:
        return PolicyPageResult(PolicyStep.DONE, None, job.checked, job.granted, job.ended)
    subscriptions = job.step is PolicyStep.SUBSCRIPTIONS
    touched = policy.subscriptions_touched if subscriptions else policy.orders_touched
    ids = await touched(
        connection,
        change.touched,
        account=context.account,
        product_id=change.product_id,
        after=job.cursor,
        limit=PAGE,
    )
    done = Rejudged(0, 0, 0)
    if ids:
        done = await rejudging.of_sources(
            connection,
            subscriptions=ids if subscriptions else (),
            orders=() if subscriptions else ids,
            context=context,
        )
    more = len(ids) == PAGE
    after_this = PolicyStep.ORDERS if subscriptions else PolicyStep.DONE
    return PolicyPageResult(
        step=job.step if more else after_this,
        cursor=ids[-1] if more else None,
        checked=job.checked + done.checked,
        granted=job.granted + done.granted,
        ended=job.ended + done.ended,
    )
