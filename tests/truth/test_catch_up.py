"""Missed events are found in Stripe's list within the configured time and go through the inbox."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleOverlapPolicy,
)

from latchkey import contracts, schedules
from latchkey.contracts import CatchUpPageInput
from latchkey.rules.routing import HANDLED_EVENTS, MOST_LISTED_TYPES, listed_parts
from tests.harness import Latchkey, Postgres, Stripe, run_latchkey, until
from tests.truth.conftest import look_now

pytestmark = pytest.mark.anyio


def test_every_handled_type_is_listed_and_access_needs_one_call() -> None:
    parts = listed_parts()
    assert sorted(name for types in parts.values() for name in types) == sorted(HANDLED_EVENTS)
    assert all(len(types) <= MOST_LISTED_TYPES for types in parts.values())
    assert [name for name in parts if not name.startswith("hourly")] == ["often-1"]


@pytest.fixture
async def quick(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[Latchkey]:
    """A site that looks for missed events every ten seconds."""
    options = {"LATCHKEY_CATCHUP_SECONDS": 10}
    async with run_latchkey(
        await postgres.create(), temporal_address, stripe, **options
    ) as running:
        yield running


async def reads(site: Latchkey, path: str = "/v1/events") -> int:
    log = (await site.stripe.client.get("/_sandbox/requests")).json()["data"]
    return sum(1 for entry in log if entry["method"] == "GET" and entry["path"] == path)


async def linked(site: Latchkey) -> tuple[str, str]:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.settled()
    return product, price


@pytest.mark.slow
async def test_dropped_webhooks_are_repaired_by_themselves(quick: Latchkey) -> None:
    product, price = await linked(quick)
    await quick.stripe.control("faults", drop=1)
    session = await quick.stripe.buy("dropped@missed.example", price)
    await quick.has(product, "dropped@missed.example")
    rows = await quick.pool.fetch(
        "select source, body from events where object_id in ($1, $2)",
        session["subscription"],
        session["id"],
    )
    assert {(row["source"], row["body"]) for row in rows} == {("catch_up", None)}
    await quick.stripe.delete(f"subscriptions/{session['subscription']}")
    await quick.has(product, "dropped@missed.example", access=False)
    types = [line["type"] for line in await quick.lines(product=product)]
    assert sorted(types) == sorted(
        [
            "link_created",
            "product_purchased",
            "subscription_started",
            "access_granted",
            "subscription_cancelled",
            "access_ended",
        ]
    )
    await quick.settled()


async def look(site: Latchkey) -> None:
    """Start catch-up now, and wait until this run and all earlier ones have ended."""
    schedule = site.temporal.get_schedule_handle("catch-up")
    known = {action.started_at for action in (await schedule.describe()).info.recent_actions}
    await look_now(site)

    async def begun() -> list[ScheduleActionResult]:
        found = list((await schedule.describe()).info.recent_actions)
        return found if any(action.started_at not in known for action in found) else []

    for action in await until(begun, "a look has begun"):
        run = action.action
        assert isinstance(run, ScheduleActionExecutionStartWorkflow)
        await site.temporal.get_workflow_handle(
            run.workflow_id, first_execution_run_id=run.first_execution_run_id
        ).result()


async def test_a_quiet_site_costs_one_read_each_time(site: Latchkey) -> None:
    await linked(site)
    await look(site)
    before = await reads(site)
    await look(site)
    assert await reads(site) - before == 1
    anchors = await site.pool.fetch("select part, anchor_id from catch_up order by part")
    assert [row["part"] for row in anchors] == ["hourly-1", "often-1"]


async def test_purchases_while_the_web_process_was_down_are_found(site: Latchkey) -> None:
    product, price = await linked(site)
    await site.stripe.control("faults", drop=0.5)
    await site.stop_web()
    for number in range(6):
        await site.stripe.buy(f"away{number}@missed.example", price)
    await site.stripe.control("faults", drop=1)
    await site.start_web()
    await look(site)
    for number in range(6):
        await site.has(product, f"away{number}@missed.example")
    purchases = [line["email"] for line in await site.lines(type="product_purchased")]
    assert sorted(purchases) == [f"away{number}@missed.example" for number in range(6)]


async def test_a_failed_sweep_is_requested_again(site: Latchkey) -> None:
    """Where it was an hour ago or longer: the list shows the gap only once."""
    await site.pool.execute("update stripe_connection set connected_at = now() - interval '1 day'")
    for key, hours in (("rec_long_ago", 2), ("rec_lately", 0)):
        await site.pool.execute(
            """
            insert into reconciliations (id, repair, cause, state, created_at, dispatched_at,
                                         finished_at)
            values ($1, true, 'catch_up', 'failed', now() - $2 * interval '1 hour',
                    now() - $2 * interval '1 hour', now() - $2 * interval '1 hour')
            """,
            key,
            hours,
        )
        await look(site)
        count = await site.pool.fetchval(
            "select count(*) from reconciliations where cause = 'catch_up'"
        )
        assert count == (2 if key == "rec_long_ago" else 3), "only the first is asked for again"


async def test_late_events_are_found_and_none_is_stored_twice(site: Latchkey) -> None:
    """The list is read again from ten minutes back, so what appears behind the newest is seen."""
    product, price = await linked(site)
    await look(site)
    await site.stripe.control("faults", drop=1)
    table = site.stripe.box.shop.world.table("event")
    before = {event["id"] for event in table.values()}
    await site.stripe.buy("late@missed.example", price)
    late = [event for event in table.values() if event["id"] not in before]
    for event in late:
        site.stripe.box.shop.world.forget("event", event["id"])
    other = await site.stripe.customer("unrelated@missed.example")
    await site.stripe.post(f"customers/{other}", name="Somebody")
    await look(site)
    await site.settled()
    assert (await site.access(product, "late@missed.example"))["access"] is False
    newer = [event for event in list(table.values()) if event["data"]["object"]["id"] == other]
    for event in newer:
        site.stripe.box.shop.world.forget("event", event["id"])
    for event in [*late, *newer]:
        site.stripe.box.shop.world.store(event)
    await look(site)
    await site.has(product, "late@missed.example")
    count = await site.pool.fetchval("select count(*) from events where source = 'catch_up'")
    await look(site)
    again = await site.pool.fetchval("select count(*) from events where source = 'catch_up'")
    assert again == count


async def pages(site: Latchkey) -> list[list[CatchUpPageInput]]:
    """How many pages each catch-up run requested from the most frequently read list."""
    found = []
    async for run in site.temporal.list_workflows("WorkflowType = 'CatchUp'"):
        history = await site.temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
        jobs = [
            await site.temporal.data_converter.decode(one.input.payloads, [CatchUpPageInput])
            for one in scheduled
            if one.activity_type.name == contracts.CATCH_UP_PAGE
        ]
        found.append([job for [job] in jobs if job.part == "often-1"])
    return found


async def test_all_pages_of_a_listing_share_its_start_time(site: Latchkey) -> None:
    """The list is walked from its newest end: what is made during the walk is on no page of it,
    and is the next look's, however long the worker was away between two pages."""
    await linked(site)
    await look(site)
    await site.stripe.control("faults", drop=1)
    customer = await site.stripe.customer("busy@missed.example")
    for number in range(120):
        await site.stripe.post(f"customers/{customer}", name=f"Somebody {number}")
    await site.pool.execute(
        "update catch_up set anchor_id = null, anchor_at = null, since = now() - interval '1 hour'"
    )
    await look(site)

    async def walked() -> list[list[CatchUpPageInput]]:
        return [jobs for jobs in await pages(site) if len(jobs) > 1]

    [walk] = await until(walked, "the look that walked is listed")
    assert [job.pages for job in walk] == list(range(len(walk)))
    assert {job.as_of for job in walk} == {walk[0].as_of}
    looked = await site.pool.fetchval("select looked_at from catch_up where part = 'often-1'")
    assert looked == walk[0].as_of


class Deaf:
    """A schedule of Temporal's that acts on no trigger before the given one."""

    def __init__(self, hears: int) -> None:
        self.hears, self.triggers = hears, 0

    def get_schedule_handle(self, _: str) -> "Deaf":
        return self

    async def describe(self) -> Any:
        acts = max(0, self.triggers - self.hears + 1)
        info = {"running_actions": [], "num_actions": acts, "num_actions_skipped_overlap": 0}
        state = SimpleNamespace(state=SimpleNamespace(paused=False))
        return SimpleNamespace(schedule=state, info=SimpleNamespace(**info))

    async def trigger(self, *, overlap: ScheduleOverlapPolicy) -> None:
        assert overlap is ScheduleOverlapPolicy.SKIP
        self.triggers += 1


async def test_a_trigger_that_starts_nothing_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "TRIGGER_SECONDS", 0.0)
    deaf = Deaf(hears=3)
    await schedules.catch_up_now(cast(Client, deaf))
    assert deaf.triggers == 3


async def test_triggers_that_all_start_nothing_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedules, "TRIGGER_SECONDS", 0.0)
    deaf = Deaf(hears=100)
    with pytest.raises(schedules.NothingStartedError):
        await schedules.catch_up_now(cast(Client, deaf))
    assert deaf.triggers == schedules.TRIGGERS
