"""Runs that Temporal has lost, say because it was restored or emptied: found at every start of a
worker, and started again from the database."""

import asyncio

import structlog
from prometheus_client import Counter
from temporalio.client import Client

from latchkey import dispatch
from latchkey.contracts import (
    product_link_workflow_id,
    purchase_workflow_id,
    subscription_workflow_id,
)
from latchkey.store.checks import expected_runs
from latchkey.store.pool import Pool
from latchkey.store.products import links
from latchkey.store.purchases import subscription_mirror
from latchkey.store.stripe import wakeups

RUNNING = (
    "ExecutionStatus = 'Running' and WorkflowType in ('Subscription', 'Purchase', 'ProductLink')"
)
AT_ONCE, PER_SECOND = 50, 100
LOST = Counter("latchkey_runs_lost_total", "Runs that Temporal had lost.")

log = structlog.get_logger("worker")


async def mend(pool: Pool, client: Client) -> int:
    """Start the runs that should be running and aren't; returns how many. Costs one count at
    Temporal and one in the database where none is missing. A run that began a moment ago may not be
    counted yet: starting it again does nothing."""
    async with pool.acquire() as connection:
        wanted = await expected_runs.count(connection)
    if (await client.count_workflows(RUNNING)).count >= wanted:
        return 0
    running = {run.id async for run in client.list_workflows(RUNNING, page_size=1000)}
    async with pool.acquire() as connection:
        expected = await expected_runs.read(connection)
    subscriptions = [
        key for key in expected.subscriptions if subscription_workflow_id(key) not in running
    ]
    purchases = [key for key in expected.purchases if purchase_workflow_id(key) not in running]
    lost_links = [
        link_id
        for link_id, product in expected.links.items()
        if product_link_workflow_id(product) not in running
    ]
    lost = len(subscriptions) + len(purchases) + len(lost_links)
    if lost:
        LOST.inc(lost)
        log.error(
            "Temporal has lost runs, starting them again",
            subscriptions=len(subscriptions),
            purchases=len(purchases),
            links=len(lost_links),
            running=len(running),
        )
        async with pool.acquire() as connection, connection.transaction():
            for link_id in lost_links:
                await links.dispatch_again(connection, link_id)
            await wakeups.add(connection, wakeups.PURCHASE, purchases)
            await wakeups.add(connection, wakeups.ENDINGS, [""])
        await _start(pool, client, subscriptions)
    return lost


async def _start(pool: Pool, client: Client, subscription_ids: list[str]) -> None:
    for start in range(0, len(subscription_ids), AT_ONCE):
        async with pool.acquire() as connection:
            batch = await subscription_mirror.lifecycles(
                connection, subscription_ids[start : start + AT_ONCE]
            )
        await asyncio.gather(
            asyncio.sleep(len(batch) / PER_SECOND),
            *(dispatch.start_lifecycle(client, lifecycle) for lifecycle in batch),
        )
