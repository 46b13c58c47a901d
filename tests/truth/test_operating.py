"""What operators see: doctor, the worker's metrics, and gaps in Stripe's event list."""

from collections.abc import AsyncIterator

import httpx
import pytest
from rich.console import Console

from latchkey import doctor, keyring
from tests.harness import Latchkey, Postgres, Stripe, free_port, http_client, run_latchkey, until
from tests.truth.conftest import look_now, token
from tests.truth.test_catch_up import look
from tests.truth.test_loud import failed, metric, poisoned

pytestmark = pytest.mark.anyio


async def said(site: Latchkey, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
    """The output of doctor, and whether all is well."""
    monkeypatch.setenv("TEMPORAL_NAMESPACE", site.namespace)
    console = Console(record=True, width=200, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    healthy = await doctor.examine(site.settings, console, offline=False)
    return healthy, console.export_text()


async def test_doctor_reports_problems_and_what_to_do(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def well() -> bool:
        healthy, text = await said(site, monkeypatch)
        right = (
            "last looked for at",
            "sales: everything on sale can be bought",
            "second subscriptions: nobody pays for two of one product",
        )
        return healthy and all(words in text for words in right)

    await until(well, "doctor finds nothing wrong")
    await failed(site, await poisoned(site))
    await site.pause_catch_up("maintenance")
    endpoint = (await site.stripe.get("webhook_endpoints"))["data"][0]["id"]
    await site.stripe.post(f"webhook_endpoints/{endpoint}", enabled_events=["invoice.paid"])
    left = "https://left.example/webhooks/stripe"
    await site.stripe.post("webhook_endpoints", url=left, enabled_events=["*"])
    await site.pool.execute("update catch_up set looked_at = now() - interval '2 days'")
    healthy, text = await said(site, monkeypatch)
    assert not healthy
    for part in (
        "events: 1 failed",
        "open the inbox",
        "schedule catch-up: paused: maintenance",
        "it isn't subscribed to",
        f"sends this account's events to {left}, too",
        "missed events: last looked for at",
        "workers are listening on every task queue",
    ):
        assert part in text, text


async def test_it_is_reported_that_catch_up_never_ran(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a key that can't read events: the age counts from connecting."""
    await look(site)
    await site.pause_catch_up("maintenance")
    await site.quiet()
    await site.pool.execute("delete from catch_up")
    assert await metric(site, "latchkey_catch_up_age_seconds") > 0
    await site.pool.execute("update stripe_connection set connected_at = now() - interval '2 days'")
    form = {"csrf_token": await token(admin, "/admin/health")}
    assert (await admin.post("/admin/health/repair", data=form)).status_code == 303
    assert await metric(site, "latchkey_catch_up_age_seconds") > 86400, "it was only checked again"

    async def shown() -> bool:
        page = (await admin.get("/admin/products")).text
        return "The check for missed events is overdue" in page

    await until(shown, "every admin page says so")
    told = "missed events: never looked for since Stripe was connected"
    assert told in (await said(site, monkeypatch))[1]


@pytest.fixture
async def measured(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, int]]:
    port = free_port()
    options = {"LATCHKEY_WORKER_METRICS_PORT": port}
    async with run_latchkey(
        await postgres.create(), temporal_address, stripe, **options
    ) as running:
        yield running, port


@pytest.mark.slow
async def test_the_workers_metrics_are_temporals_and_ours(
    measured: tuple[Latchkey, int],
) -> None:
    site, port = measured
    await failed(site, await poisoned(site))
    async with http_client() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    for name in (
        "temporal_worker_task_slots_available",
        "temporal_workflow_task_schedule_to_start_latency_bucket",
        "latchkey_events_given_up_total",
        "latchkey_events_missed_total",
        "latchkey_mails_total",
    ):
        assert name in text


async def missed(site: Latchkey) -> str:
    """A product with two people whose webhooks were lost and whose events have expired in Stripe:
    one joined, one left."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    left = await site.stripe.buy("left@gap.example", price)
    await site.has(product, "left@gap.example")
    await site.pause_catch_up()
    await site.quiet()
    await site.stripe.control("faults", drop=1)
    await site.stripe.buy("joined@gap.example", price)
    await site.stripe.delete(f"subscriptions/{left['subscription']}")
    events = site.stripe.box.shop.world.table("event")
    for event in list(events.values()):
        site.stripe.box.shop.world.forget("event", event["id"])
    return product


async def swept(site: Latchkey, product: str) -> None:
    """One repairing comparison gives access to the one who joined and ends that of the one who
    left."""
    await site.has(product, "joined@gap.example")
    await site.has(product, "left@gap.example", access=False)

    async def over() -> bool:
        data = (await site.call("GET", "/reconciliations"))["data"]
        return [(one["cause"], one["state"], one["dry_run"]) for one in data] == [
            ("catch_up", "done", False)
        ]

    await until(over, "one sweep is done")


async def test_a_gap_in_the_list_triggers_a_sweep(site: Latchkey) -> None:
    """After longer than Stripe keeps events, and after the last known event is gone."""
    product = await missed(site)
    await site.pool.execute("update catch_up set looked_at = now() - interval '40 days'")
    await look_now(site)
    await swept(site, product)
    lines = await site.lines(product=product, cause="reconciliation")
    assert {line["type"] for line in lines} >= {"access_granted", "access_ended", "repaired"}


async def test_catch_up_in_another_mode_keeps_the_gap_in_this_one(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same account in the other mode for weeks, and then in this one again."""
    monkeypatch.setattr(keyring, "FRESH_SECONDS", 0)
    product = await missed(site)
    await site.pool.execute("update catch_up set looked_at = now() - interval '2 hours'")
    await site.pool.execute("update stripe_connection set livemode = true")
    switched = await site.pool.fetchval("select now()")
    await look(site)
    await site.pool.execute(
        "update catch_up set looked_at = now() - interval '40 days' where looked_at < $1", switched
    )
    await site.pool.execute("update stripe_connection set livemode = false")
    await look_now(site)
    await swept(site, product)


async def test_a_first_catch_up_before_the_start_of_stripes_list_is_a_gap(site: Latchkey) -> None:
    product = await missed(site)
    await site.pool.execute("update links set created_at = now() - interval '40 days'")
    await site.pool.execute("delete from catch_up")
    await look_now(site)
    await swept(site, product)


async def test_an_expired_anchor_is_not_a_gap(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.quiet()
    await site.pool.execute(
        "update catch_up set anchor_id = 'evt_gone', anchor_at = now() - interval '40 days'"
    )
    await site.stripe.control("faults", drop=1)
    await site.stripe.buy("quiet@gap.example", price)
    await look_now(site)
    await site.has(product, "quiet@gap.example")
    assert (await site.call("GET", "/reconciliations"))["data"] == []
