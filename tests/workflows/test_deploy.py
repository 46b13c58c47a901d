"""Runs survive a deploy: an earlier release's code starts them, this one's finishes them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import worker
from activities import comparison_source
from latchkey.store.stripe import catch_up
from tests.harness import PATIENCE, Latchkey, Postgres, Stripe, run_latchkey, until
from tests.life.test_gotchas_purchases import invoiced
from tests.truth.conftest import look_now
from tests.truth.test_reconciled_invoices import link_without_past
from tests.truth.test_reconciliation import deaf, done, shown
from tests.workflows.recording import record
from tests.workflows.release_before.catch_up import CatchUp as OldCatchUp
from tests.workflows.release_before.product_link import ProductLink as OldProductLink
from tests.workflows.release_before.reconciliation import Reconciliation as OldReconciliation
from tests.workflows.release_before.stripe_call import StripeCall as OldStripeCall
from tests.workflows.release_before.subscription import Subscription as OldSubscription

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NEW = list(worker.WORKFLOWS)
BEFORE: dict[str, type] = {
    "CatchUp": OldCatchUp,
    "ProductLink": OldProductLink,
    "Reconciliation": OldReconciliation,
    "StripeCall": OldStripeCall,
    "Subscription": OldSubscription,
}
OLD: list[type] = [BEFORE.get(kind.__name__, kind) for kind in NEW]


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
    """Cancel for a time near enough for this test to wait for."""
    at = int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())
    await site.stripe.post(f"subscriptions/{subscription}", cancel_at=at)


async def history(site: Latchkey, workflow_id: str) -> WorkflowHistory:
    return await site.temporal.get_workflow_handle(workflow_id).fetch_history()


def kinds(found: WorkflowHistory) -> list[str]:
    """Names of the scheduled Temporal activities in order, including patches."""
    names = []
    for event in found.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            names.append(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("marker_recorded_event_attributes"):
            names.append("patch")
    return names


async def test_runs_of_the_previous_release_continue(
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
    await site.pause_catch_up()
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

    await until(new_said, "this release announces the end")
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
    await every_history_fits(site)


BY_TIMING = (
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
)
DEADLOCK = "TMPRL1101"
"""Tasks also fail because a nudge comes while a run ends, or because a busy machine computes for
more than two seconds; they are repeated."""


async def every_history_fits(site: Latchkey) -> None:
    """No run has met, or would now meet, code that doesn't fit its history."""
    replayer = Replayer(workflows=NEW, workflow_runner=worker.workflow_runner())
    async for run in site.temporal.list_workflows():
        handle = site.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        recorded = await handle.fetch_history()
        failures = [
            event.workflow_task_failed_event_attributes
            for event in recorded.events
            if event.HasField("workflow_task_failed_event_attributes")
        ]
        failed = [
            failure
            for failure in failures
            if failure.cause not in BY_TIMING and DEADLOCK not in failure.failure.message
        ]
        assert failed == [], f"{run.id} met code that doesn't fit its history"
        await replayer.replay_workflow(recorded)


async def test_catch_up_continues_across_a_deploy(
    before: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier release does the chores after the lists, and so does a run that it began."""
    site = before
    await site.quiet()
    await site.pause_catch_up()
    await site.pool.execute("update catch_up set looked_at = now() - interval '2 hours'")
    reached, place = asyncio.Event(), catch_up.place

    async def held(*_: object, **__: object) -> None:
        reached.set()
        await activity.wait_for_worker_shutdown()
        raise ConnectionError("the worker stops")

    monkeypatch.setattr(catch_up, "place", held)
    await look_now(site)
    await asyncio.wait_for(reached.wait(), PATIENCE)

    async def under_way() -> list[str]:
        query = "WorkflowType = 'CatchUp' and ExecutionStatus = 'Running'"
        return [run.id async for run in site.temporal.list_workflows(query)]

    [looking] = await until(under_way, "the look is listed")
    monkeypatch.setattr(catch_up, "place", place)
    await deploy(site, monkeypatch)
    await site.temporal.get_workflow_handle(looking).result()
    run = await history(site, looking)
    assert kinds(run) == [
        "plan_catch_up",
        "catch_up_page",
        "catch_up_page",
        "check_endpoint",
        "do_chores",
    ]
    record(run, "catch-up-deployed-in")
    await every_history_fits(site)


@pytest.mark.parametrize(
    ("caught_in", "walks_invoices"), [("subscriptions", True), ("by_id", False)]
)
async def test_a_comparison_continues_across_a_deploy(
    before: Latchkey, monkeypatch: pytest.MonkeyPatch, caught_in: str, walks_invoices: bool
) -> None:
    """The earlier release walks no invoices: this one does from where it takes over, unless the
    run is past the place."""
    site = before
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    once = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await link_without_past(site, product, stripe_product)
    known = await invoiced(site, "known@deploy.example", once)
    await site.stripe.post(f"invoices/{known['id']}/pay")
    await site.has(product, "known@deploy.example")
    await site.quiet()
    await deaf(site)
    missed = await invoiced(site, "missed@deploy.example", once)
    await site.stripe.post(f"invoices/{missed['id']}/pay")
    await site.stripe.buy("member@deploy.example", price)

    reached, reads = asyncio.Event(), getattr(comparison_source, caught_in)

    async def held(*_: object) -> None:
        reached.set()
        await activity.wait_for_worker_shutdown()
        raise ConnectionError("the worker stops")

    monkeypatch.setattr(comparison_source, caught_in, held)
    asked = await site.call("POST", "/reconciliations", 202, json={"dry_run": False})
    await asyncio.wait_for(reached.wait(), PATIENCE)
    monkeypatch.setattr(comparison_source, caught_in, reads)
    await deploy(site, monkeypatch)
    report = await done(site, asked["id"])

    found = {("access_missing", "safe", "member@deploy.example")}
    if walks_invoices:
        found.add(("access_missing", "safe", "missed@deploy.example"))
    assert shown(report) == found
    assert {difference["state"] for difference in report["differences"]} == {"repaired"}
    run = await history(site, f"reconciliation/{asked['id']}")
    assert ("patch" in kinds(run)) is walks_invoices
    record(run, f"reconciliation-deployed-in-{caught_in.replace('_', '-')}")
    await every_history_fits(site)
