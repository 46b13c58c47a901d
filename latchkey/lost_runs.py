"""Runs that Temporal has lost, say because it was restored or emptied: found at every start of a
worker, and started again from the database."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import Counter
from temporalio.client import Client

from latchkey import dispatch
from latchkey.contracts import (
    member_import_workflow_id,
    policy_change_workflow_id,
    product_link_workflow_id,
    purchase_workflow_id,
    subscription_workflow_id,
)
from latchkey.store.checks import expected_runs
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import links
from latchkey.store.purchases import subscription_mirror
from latchkey.store.stripe import inbox, wakeups
from latchkey.store.webhooks import deliveries

RUNNING = (
    "ExecutionStatus = 'Running' and WorkflowType in"
    " ('Subscription', 'Purchase', 'ProductLink', 'StripeObject', 'PolicyChange',"
    " 'MemberImport')"
)
AT_ONCE, PER_SECOND = 50, 100
LOST = Counter("latchkey_runs_lost_total", "Runs that Temporal had lost.")

log = structlog.get_logger("worker")


async def mend(pool: Pool, client: Client) -> int:
    """Start the runs that should be running and aren't; returns how many.

    Compares run by run, since runs that are no longer wanted may be as many as those that were
    lost. The list is read by the thousand. It may be seconds old, so a run that it lacks counts as
    lost only if Temporal doesn't have it.
    """
    running = {run.id async for run in client.list_workflows(RUNNING, page_size=1000)}
    async with pool.acquire() as connection:
        expected = await expected_runs.read(connection)
    purchases = {purchase_workflow_id(order): order for order in expected.purchases}
    policies = {policy_change_workflow_id(change): str(change) for change in expected.policies}
    imports = {_import_run(ref): ref for ref in expected.imports}
    of_links = {product_link_workflow_id(p): link for link, p in expected.links.items()}
    missing = [key for key in (*of_links, *policies, *imports, *purchases) if key not in running]
    lost = set(await _not_running(client, missing))
    if lost:
        LOST.inc(len(lost))
        async with pool.acquire() as connection, connection.transaction():
            for key in lost & of_links.keys():
                await links.dispatch_again(connection, of_links[key])
            await wakeups.add(connection, wakeups.PURCHASE, _of(purchases, lost))
            await wakeups.add(connection, wakeups.POLICY, _of(policies, lost))
            await wakeups.add(connection, wakeups.MEMBER_IMPORT, _of(imports, lost))
    asleep = [key for key in expected.subscriptions if subscription_workflow_id(key) not in running]
    started = await _start(pool, client, asleep)
    if lost or started:
        log.error(
            "Temporal had lost runs, they are started again",
            subscriptions=started,
            purchases=len(lost & purchases.keys()),
            links=len(lost & of_links.keys()),
            policies=len(lost & policies.keys()),
            imports=len(lost & imports.keys()),
            running=len(running),
        )
        async with pool.acquire() as connection, connection.transaction():
            await _rouse_the_rest(connection, running)
    return len(lost) + started


def _import_run(ref: str) -> str:
    import_id, _, run = ref.partition("/")
    return member_import_workflow_id(import_id, int(run))


def _of(by_run: dict[str, str], lost: set[str]) -> list[str]:
    return [ref for run, ref in by_run.items() if run in lost]


async def _not_running(client: Client, workflow_ids: list[str]) -> list[str]:
    lost = []
    for start in range(0, len(workflow_ids), AT_ONCE):
        batch = workflow_ids[start : start + AT_ONCE]
        found = await asyncio.gather(*(dispatch.is_running(client, each) for each in batch))
        lost += [each for each, runs in zip(batch, found, strict=True) if not runs]
    return lost


async def _start(pool: Pool, client: Client, subscription_ids: list[str]) -> int:
    """Start these runs at a limited rate, and count those that Temporal didn't have."""
    started = 0
    for start in range(0, len(subscription_ids), AT_ONCE):
        async with pool.acquire() as connection:
            batch = await subscription_mirror.lifecycles(
                connection, subscription_ids[start : start + AT_ONCE]
            )
        _, *new = await asyncio.gather(
            asyncio.sleep(len(batch) / PER_SECOND),
            *(dispatch.start_lifecycle(client, lifecycle) for lifecycle in batch),
        )
        LOST.inc(sum(map(bool, new)))
        started += sum(map(bool, new))
    return started


async def _rouse_the_rest(connection: Connection, running: set[str]) -> None:
    """Have everything else started again that an emptied Temporal would lack: the end of
    complimentary access, what bursts left to start, outgoing webhooks, and whatever events were
    being handled."""
    await wakeups.add(connection, wakeups.ENDINGS, [""])
    await wakeups.add(connection, wakeups.LIFECYCLES, [""])
    unsent = await deliveries.forsaken(connection, overdue=timedelta())
    await wakeups.add(connection, wakeups.WEBHOOKS, unsent)
    relayed = await inbox.targets_relayed(connection)
    forsaken = [target for target in relayed if dispatch.run_of(target) not in running]
    await inbox.relay_again(connection, forsaken)
