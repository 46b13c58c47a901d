"""Runs survive a deploy: begun by an earlier release's code, ended by this one's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import worker
from tests.harness import Latchkey, Postgres, Stripe, run_latchkey, until
from tests.workflows.recording import record
from tests.workflows.release_before.product_link import ProductLink as OldProductLink
from tests.workflows.release_before.subscription import Subscription as OldSubscription

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NEW = list(worker.WORKFLOWS)
OLD: list[type] = [
    {"ProductLink": OldProductLink, "Subscription": OldSubscription}.get(kind.__name__, kind)
    for kind in NEW
]


@pytest.fixture
async def before(
    postgres: Postgres,
    temporal_address: str,
    stripe: Stripe,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Latchkey]:
    """A site whose worker runs the earlier release's workflows until `deploy`."""
    monkeypatch.setattr(worker, "WORKFLOWS", OLD)
    async with run_latchkey(await postgres.create(), temporal_address, stripe) as running:
        yield running


async def deploy(site: Latchkey, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.stop_worker()
    monkeypatch.setattr(worker, "WORKFLOWS", NEW)
    await site.start_worker()


async def ends_in(site: Latchkey, subscription: str, seconds: float) -> None:
    """Cancel for a moment so near that this test can wait for it."""
    at = int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())
    await site.stripe.post(f"subscriptions/{subscription}", cancel_at=at)


async def history(site: Latchkey, workflow_id: str) -> WorkflowHistory:
    return await site.temporal.get_workflow_handle(workflow_id).fetch_history()


def kinds(found: WorkflowHistory) -> list[str]:
    """Names of the Temporal activities in the order they were asked for, patches among them."""
    names = []
    for event in found.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            names.append(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("marker_recorded_event_attributes"):
            names.append("patch")
    return names


async def test_what_the_release_before_began_goes_on(
    before: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = before
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    people = {}
    for name in ("old", "new", "both", "stays", "leaves"):
        session = await site.stripe.buy(f"{name}@deploy.example", price)
        people[name] = str(session["subscription"])
        await site.has(product, f"{name}@deploy.example")
    await site.quiet()
    await site.temporal.get_schedule_handle("catch-up").pause()
    await ends_in(site, people["old"], 8)
    await ends_in(site, people["new"], 45)
    await site.quiet()
    await site.stripe.control("faults", drop=1)

    async def said(name: str) -> Any:
        return [
            line
            for line in await site.lines(type="access_ended", product=product)
            if line["email"] == f"{name}@deploy.example"
        ]

    async def old_said() -> bool:
        return len(await said("old")) == 1

    await until(old_said, "the earlier release announces the end")
    ended_before = await history(site, f"subscription/{people['old']}")
    assert "end_due_access" in kinds(ended_before)
    record(ended_before, "subscription-ended-first-then-looked")

    await deploy(site, monkeypatch)
    await site.stripe.control("faults", drop=0)
    await site.stripe.delete(f"subscriptions/{people['leaves']}")
    await site.has(product, "leaves@deploy.example", access=False)
    await site.quiet()
    await site.stripe.control("faults", drop=1)

    async def new_said() -> bool:
        return len(await said("new")) == 1

    await until(new_said, "this release announces the end", seconds=90)
    found = await history(site, f"subscription/{people['new']}")
    assert "patch" in kinds(found)
    assert "end_due_access" not in kinds(found)
    record(found, "subscription-begun-before-looked-first")
    await site.stripe.control("faults", drop=0)
    late = await site.stripe.buy("late@deploy.example", price)
    await site.has(product, "late@deploy.example")
    assert (await site.access(product, "stays@deploy.example"))["access"] is True
    await site.call("DELETE", f"/products/{product}/link", params={"members": "keep"})

    async def stopped() -> bool:
        run = site.temporal.get_workflow_handle(f"product-link/{product}")
        return bool((await run.describe()).status.name == "COMPLETED")  # type: ignore[union-attr]

    await until(stopped, "the link's run, begun by the earlier release, ends")
    await site.quiet()
    assert late["status"] == "complete"
    replayer = Replayer(workflows=NEW, workflow_runner=worker.workflow_runner())
    async for run in site.temporal.list_workflows():
        handle = site.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        recorded = await handle.fetch_history()
        failed = [
            event
            for event in recorded.events
            if event.HasField("workflow_task_failed_event_attributes")
        ]
        assert failed == [], f"{run.id} met code that doesn't fit its history"
        await replayer.replay_workflow(recorded)
