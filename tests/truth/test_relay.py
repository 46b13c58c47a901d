"""The relay between the inbox and Temporal: nothing stops it, and everything is delivered."""

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
import temporalio.api.operatorservice.v1 as operator
from temporalio.client import Client

from latchkey import dispatch, temporal
from latchkey.contracts import Wake, burst_workflow_id
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Pool
from latchkey.store.purchases.subscription_mirror import Lifecycle
from latchkey.store.stripe import inbox, wakeups
from tests.harness import PATIENCE, Json, Latchkey, free_port, new_namespace, until
from tests.life.play import linked
from web import outages
from web.audit import AuditCounts
from web.refusals import Refusals
from web.relay import BATCH, CONCURRENCY, WAKEUPS, Relay

pytestmark = pytest.mark.anyio

KINDS = {"su": "subscription", "cs": "purchase", "in": "purchase", "cu": "object"}
"""By how the ids of their objects begin."""


async def replace_temporal(site: Latchkey) -> None:
    """Remove our search attributes, which leaves the namespace like a new one."""
    await site.quiet()
    await site.temporal.operator_service.remove_search_attributes(
        operator.RemoveSearchAttributesRequest(
            namespace=site.namespace,
            search_attributes=[key.name for key in temporal.SEARCH_ATTRIBUTES],
        )
    )


async def test_a_namespace_without_our_search_attributes_gets_them(site: Latchkey) -> None:
    product, _, price = await linked(site)
    await replace_temporal(site)
    made = await site.stripe.subscribe("first@relay.example", price)
    await site.has(product, "first@relay.example")
    await site.settled()
    failed = await site.call("GET", "/events", params={"state": "failed"})
    assert failed["data"] == []
    await site.temporal.get_workflow_handle(f"subscription/{made['id']}").describe()


async def test_a_link_created_without_search_attributes_is_dispatched(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    product = await site.product()
    await site.know(stripe_product)
    await replace_temporal(site)
    await site.link(product, stripe_product)


async def test_undeliverable_wakeups_block_nothing(site: Latchkey) -> None:
    """Such as those that the web process of a newer release wrote."""
    async with site.pool.acquire() as connection:
        kinds = [str(number) for number in range(WAKEUPS + 1)]
        await wakeups.add(connection, "of_another_release", kinds)
        await wakeups.add(connection, wakeups.ENDINGS, [""])

    async def told() -> bool:
        left = "select count(*) from wakeups where kind = $1"
        return bool(await site.pool.fetchval(left, wakeups.ENDINGS) == 0)

    await until(told, "the known wakeup is told")
    left = await site.pool.fetchval("select count(*) from wakeups")
    assert left == WAKEUPS + 1, "what can't be told is kept"
    product, _, _ = await linked(site)
    found: Json = await site.call("GET", f"/products/{product}/link")
    assert found["state"] == "listening"


async def test_an_event_whose_run_was_lost_is_relayed_again(site: Latchkey) -> None:
    """The run is lost with Temporal's data, or terminated, before the event is handled."""
    product, _, price = await linked(site)
    await site.quiet()
    await site.stop_worker()
    made = await site.stripe.subscribe("lost@relay.example", price)
    await site.stripe.delivered()

    async def relayed() -> bool:
        states = await site.pool.fetch(
            "select distinct state from events where state in ('waiting', 'relayed')"
        )
        return [row["state"] for row in states] == ["relayed"]

    await until(relayed, "all events are relayed")
    await site.terminate("ExecutionStatus = 'Running'")
    await site.start_worker()
    await site.pool.execute("update events set not_before = now() where state = 'relayed'")
    await site.has(product, "lost@relay.example")
    await site.settled()
    await site.temporal.get_workflow_handle(f"subscription/{made['id']}").describe()


async def arrived(pool: Pool, event_id: str) -> None:
    await pool.execute(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id)
        values ($1, false, 'customer.updated', 'cus_1', false, now(), 'object', 'customer/cus_1')
        """,
        event_id,
    )


async def test_unhandled_events_are_relayed_with_growing_pauses(pool: Pool) -> None:
    await arrived(pool, "evt_1")
    for on_its_way, pause in [(0, 0.25), (0.25, 0.25), (0.5, 0.5), (6, 6), (90, 24)]:
        await pool.execute(
            """
            update events set not_before = now(), relayed_at = now() - $1::interval
             where state = 'relayed'
            """,
            timedelta(hours=on_its_way),
        )
        assert [event.id for event in await inbox.claim(pool, limit=200)] == ["evt_1"]
        await inbox.mark_relayed(pool, ["evt_1"])
        waits = await pool.fetchval("select not_before - now() from events")
        assert waits == pytest.approx(timedelta(hours=pause), abs=timedelta(seconds=10))
        assert await inbox.claim(pool, limit=200) == []
    async with pool.acquire() as connection:
        await inbox.mark_handled(connection, ["evt_1"])
    await pool.execute("update events set not_before = now()")
    assert await inbox.claim(pool, limit=200) == []


async def test_unhandled_events_do_not_delay_new_ones(pool: Pool) -> None:
    old = [f"evt_old{number}" for number in range(3 * inbox.FEW)]
    for event_id in old:
        await arrived(pool, event_id)
    await inbox.mark_relayed(pool, old)
    await pool.execute("update events set not_before = now() - interval '1 hour'")
    await arrived(pool, "evt_new")
    claimed = [event.id for event in await inbox.claim(pool, limit=1)]
    assert "evt_new" in claimed
    assert len(claimed) == 1 + inbox.FEW


async def test_events_are_claimed_in_the_order_in_which_they_came(pool: Pool) -> None:
    """So that objects that stand together at Stripe are handed over together."""
    for number in range(5):
        await arrived(pool, f"evt_{number}")
    await pool.execute(
        "update events set received_at = now() - right(id, 1)::integer * interval '1 second'"
    )
    claimed = [event.id for event in await inbox.claim(pool, limit=5)]
    assert claimed == [f"evt_{number}" for number in reversed(range(5))]


def relay_to(client: Client, pool: Pool, *, burst_from: int | Literal["off"]) -> Relay:
    return Relay(
        pool,
        client,
        arrived=asyncio.Event(),
        wake=asyncio.Event(),
        refusals=Refusals(),
        audit=AuditCounts(),
        burst_from=burst_from,
    )


async def started(temporal_address: str) -> Client:
    """A new namespace in which runs can be started. No worker takes them."""
    client = await new_namespace(temporal_address)
    await temporal.register_search_attributes(client)

    async def starts() -> bool:
        try:
            await dispatch.nudge(client, Target(TargetKind.SUBSCRIPTION, "sub_none"), [])
        except dispatch.TemporalUnavailableError:
            return False
        return True

    await until(starts, "Temporal starts runs")
    return client


async def tried(pool: Pool) -> int:
    """How many events it was tried to deliver."""
    found: int = await pool.fetchval("select count(*) from events where error like 'Temporal did%'")
    return found


async def test_few_events_are_tried_while_temporal_is_away(
    pool: Pool, temporal_address: str
) -> None:
    await pool.execute(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id)
        select 'evt_' || n, false, 'customer.updated', 'cus_' || n, false, now(), 'object',
               'customer/cus_' || n
          from generate_series(1, $1) n
        """,
        BATCH + 100,
    )
    away = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    relay = relay_to(away, pool, burst_from="off")

    async def played() -> bool:
        more = await relay._relay_events()
        await asyncio.gather(*relay._sending)
        return more

    await played()
    begun = await tried(pool)
    assert outages.AFTER <= begun <= outages.AFTER + CONCURRENCY
    others = "select count(*) from events where error is distinct from $1 and not_before <= now()"
    error = await pool.fetchval("select error from events where error like 'Temporal did%' limit 1")
    assert await pool.fetchval(others, error) == BATCH + 100 - begun, "the others aren't held up"
    relay._outage.tried_at = time.monotonic() + PATIENCE
    assert not await played()
    assert await tried(pool) == begun
    relay._outage.tried_at = -math.inf
    await played()
    assert await tried(pool) == begun + 1

    relay._client = await new_namespace(temporal_address)
    await temporal.register_search_attributes(relay._client)

    async def all_relayed() -> bool:
        relay._outage.tried_at = -math.inf
        await pool.execute("update events set not_before = now() where state = 'waiting'")
        await played()
        return not await pool.fetchval("select count(*) from events where state = 'waiting'")

    await until(all_relayed, "everything is relayed once Temporal is back")
    assert not relay._outage.lasts


async def test_objects_gather_while_handovers_last(
    pool: Pool, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker takes the first handover, so it lasts until it is ended here."""
    monkeypatch.setattr("web.relay.BURST_SECONDS", PATIENCE)
    monkeypatch.setattr("web.relay.LAUNCH_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr("web.rush.AHEAD", math.inf)
    client = await started(temporal_address)
    relay = relay_to(client, pool, burst_from=2)

    async def relayed(*events: str) -> set[str]:
        """What has been relayed once these events have come."""
        for event in events:
            kind = KINDS[event[:2]]
            await pool.execute(
                """
                insert into events (id, livemode, type, object_id, thin, created_at, target_kind,
                                    target_id)
                values ($1, false, 'customer.updated', $1, false, now(), $2, $1)
                """,
                event,
                kind,
            )
        await relay._relay_events()
        await asyncio.gather(*relay._sending)
        rows = await pool.fetch("select id from events where state = 'relayed'")
        return {row["id"] for row in rows}

    async def recorded(event: str) -> None:
        async def found() -> bool:
            state = await pool.fetchval("select state from events where id = $1", event)
            return bool(state == "relayed")

        await until(found, f"{event} is relayed")

    await relayed("sub_1", "sub_2")
    await recorded("sub_2")
    first = client.get_workflow_handle(burst_workflow_id(["sub_1", "sub_2"]))
    others = {"customer/cus_1", "in_1"}
    assert await relayed("sub_3", "cs_1", *others) == {"sub_1", "sub_2", *others}
    await first.terminate()
    await asyncio.gather(*relay._bursts)
    await relayed("sub_4")
    await recorded("sub_4")
    await client.get_workflow_handle(burst_workflow_id(["sub_3", "cs_1", "sub_4"])).terminate()
    await asyncio.gather(*relay._bursts)
    await pool.execute("update events set state = 'handled'")
    await relayed("sub_5")
    await recorded("sub_5")
    await client.get_workflow_handle(burst_workflow_id(["sub_5"])).terminate()
    await asyncio.gather(*relay._bursts)
    await pool.execute("update events set state = 'handled'")
    monkeypatch.setattr("web.relay.LAUNCH_SECONDS", 0)
    await relayed("sub_6")
    run = client.get_workflow_handle("subscription/sub_6")
    assert (await run.describe()).id == "subscription/sub_6", "calm again: by itself"


@pytest.mark.parametrize("count", [10, 11])
async def test_a_rush_is_handed_over_before_the_threshold_waits(
    pool: Pool, temporal_address: str, count: int
) -> None:
    client = await started(temporal_address)
    relay = relay_to(client, pool, burst_from=20)
    await pool.execute(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id)
        select 'sub_' || n, false, 'customer.subscription.updated', 'sub_' || n, false, now(),
               'subscription', 'sub_' || n
          from generate_series(1, $1) n
        """,
        count,
    )
    await relay._relay_events()
    assert bool(relay._bursts) is (count > 10)
    for burst in relay._bursts:
        burst.cancel()
    await asyncio.gather(*relay._sending, *relay._bursts, return_exceptions=True)


async def test_an_object_that_cannot_be_handed_over_fails_alone(
    pool: Pool, temporal_address: str
) -> None:
    """It has more events than Temporal takes in one call."""
    relay = relay_to(await started(temporal_address), pool, burst_from=2)
    await pool.execute(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id)
        select 'evt_' || least(n, 3) || '_' || repeat('x', 2000) || n, false,
               'customer.subscription.updated', 'sub_1', false, now(), 'subscription',
               'sub_' || least(n, 3)
          from generate_series(1, 1500) n
        """
    )
    await relay._relay_events()
    await asyncio.gather(*relay._bursts)
    rows = await pool.fetch("select distinct target_id, state from events where state <> 'waiting'")
    assert {tuple(row) for row in rows} == {
        ("sub_1", "relayed"),
        ("sub_2", "relayed"),
        ("sub_3", "failed"),
    }


async def test_a_run_that_sleeps_is_given_to_no_worker_until_it_is_nudged_or_due(
    temporal_address: str,
) -> None:
    client = await started(temporal_address)

    async def handed_out(name: str) -> bool:
        """Whether the run has a workflow task to be done."""
        history = await client.get_workflow_handle(f"subscription/{name}").fetch_history()
        return any(
            event.HasField("workflow_task_scheduled_event_attributes") for event in history.events
        )

    now = datetime.now(UTC)
    for name, pause in {
        "sub_later": timedelta(days=30),
        "sub_due": timedelta(),
        "sub_soon": dispatch.EARLIER,
        "sub_open": None,
    }.items():
        wake_at = None if pause is None else now + pause
        due = None if pause is None else time.monotonic() + pause.total_seconds()
        lifecycle = Lifecycle(name, "cus_1", wake_at, Wake.RENEWAL_DUE, due)
        assert await dispatch.start_lifecycle(client, lifecycle)
    assert [await handed_out(name) for name in ("sub_due", "sub_soon", "sub_open")] == [True] * 3
    assert not await handed_out("sub_later")
    await dispatch.nudge(client, Target(TargetKind.SUBSCRIPTION, "sub_later"), ["evt_1"])
    assert await handed_out("sub_later")
