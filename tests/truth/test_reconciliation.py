"""Drift: differences are found, classified and repaired with a line; correct data is left alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from activities import fetch
from latchkey import dispatch, references
from latchkey.dispatch import TemporalUnavailableError
from latchkey.rules.reading import Subscription, UnreadableError
from latchkey.rules.routing import Target
from latchkey.stripe_api import StripeApi
from latchkey.vault import Vault
from tests.harness import SECRETS, Json, Latchkey, until
from tests.truth.test_loud import metric

pytestmark = pytest.mark.anyio


async def compared(site: Latchkey, *, dry_run: bool = True, **given: Any) -> Json:
    """A finished comparison with its first differences."""
    made = await site.call("POST", "/reconciliations", 202, json={"dry_run": dry_run, **given})
    return await done(site, made["id"])


async def done(site: Latchkey, reconciliation: str) -> Json:
    async def ended() -> Json | None:
        found = await site.call("GET", f"/reconciliations/{reconciliation}")
        assert found["state"] != "failed", found["error"]
        return found if found["state"] == "done" else None

    found: Json = await until(ended, "the comparison is done")
    return found


async def deaf(site: Latchkey) -> None:
    """Stop delivering webhooks and looking for missed events."""
    await site.stripe.control("faults", drop=1)
    await site.pause_catch_up()


async def populated(site: Latchkey) -> tuple[str, str, dict[str, Json]]:
    """A linked product with subscribers and one-off buyers, all settled."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    once = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    sessions = {
        name: await site.stripe.buy(f"{name}@drift.example", price)
        for name in ("stays", "leaves", "ends", "moves")
    }
    sessions["once"] = await site.stripe.buy("once@drift.example", once, mode="payment")
    for name in sessions:
        await site.has(product, f"{name}@drift.example")
    await site.quiet()
    return product, price, sessions


def shown(report: Json) -> set[tuple[str, str, str]]:
    return {(d["kind"], d["class"], d["email"]) for d in report["differences"]}


async def test_nothing_differs_if_nothing_was_missed(site: Latchkey) -> None:
    product, _, _ = await populated(site)
    before = await site.lines()
    found = await compared(site)
    assert found["differences"] == []
    assert (found["progress"]["subscriptions"], found["progress"]["orders"]) == (4, 1)
    repaired = await compared(site, dry_run=False, product=product)
    assert repaired["differences"] == []
    assert await site.lines() == before


async def test_a_dry_run_only_reports_and_a_repair_fixes(site: Latchkey) -> None:
    product, price, sessions = await populated(site)
    other = await site.stripe.price(await site.stripe.product("Another"))
    await deaf(site)
    await site.stripe.delete(f"subscriptions/{sessions['leaves']['subscription']}")
    ends = await site.stripe.post(
        f"subscriptions/{sessions['ends']['subscription']}", cancel_at_period_end=True
    )
    item = (await site.stripe.get(f"subscriptions/{sessions['moves']['subscription']}"))["items"][
        "data"
    ][0]["id"]
    moved = f"subscriptions/{sessions['moves']['subscription']}"
    await site.stripe.post(moved, items=[{"id": item, "price": other}])
    charge = (await site.stripe.get(f"payment_intents/{sessions['once']['payment_intent']}"))[
        "latest_charge"
    ]
    await site.stripe.post("refunds", charge=charge)
    await site.stripe.buy("joins@drift.example", price)
    users = await site.pool.fetchval("select count(*) from users")
    before = await site.lines()

    found = await compared(site)
    wanted = {
        ("access_left", "safe", "leaves@drift.example"),
        ("until_differs", "safe", "ends@drift.example"),
        ("access_left", "safe", "moves@drift.example"),
        ("access_left", "safe", "once@drift.example"),
        ("access_missing", "safe", "joins@drift.example"),
    }
    assert shown(found) == wanted
    assert found["counts"]["safe"] == 5
    assert await site.lines() == before
    assert await site.pool.fetchval("select count(*) from users") == users
    assert (await site.access(product, "leaves@drift.example"))["access"] is True
    noticed = datetime.now(UTC)

    await site.call("POST", f"/reconciliations/{found['id']}/repair", 202, json={})
    repaired = await done(site, found["id"])
    assert {d["state"] for d in repaired["differences"]} == {"repaired"}
    for name in ("leaves", "moves", "once"):
        await site.has(product, f"{name}@drift.example", access=False)
    await site.has(product, "joins@drift.example")
    until_ = (await site.access(product, "ends@drift.example"))["until"]
    assert until_ is not None
    lines = await site.lines(cause="reconciliation")
    assert sorted(line["type"] for line in lines if line["type"] != "access_granted") == [
        "access_ended", "access_ended", "access_ended", *["repaired"] * 5, "user_created",
    ]  # fmt: skip
    ends_of = [line for line in lines if line["type"] == "access_ended"]
    [end] = [line for line in ends_of if line["email"] == "leaves@drift.example"]
    was_due, was_done = (datetime.fromisoformat(end[name]) for name in ("due_at", "at"))
    assert was_due < noticed < was_done, "the door was open until the repair"
    [span] = (await site.call("GET", f"/users/{end['user']}/access"))["data"]
    assert (span["until"], span["due_at"]) == (end["at"], end["due_at"])
    assert (await compared(site))["differences"] == []

    async def knows() -> bool:
        return await rearmed(site, ends["id"])

    await until(knows, "the run knows the new end")


async def test_a_repairing_run_needs_no_second_read(site: Latchkey) -> None:
    product, price, sessions = await populated(site)
    await deaf(site)
    await site.stripe.delete(f"subscriptions/{sessions['leaves']['subscription']}")
    await site.stripe.subscribe("api@drift.example", price)
    found = await compared(site, dry_run=False)
    assert found["counts"] == {"safe": 0, "person": 0, "foreign": 0, "repaired": 2, "failed": 0}
    assert (await site.access(product, "leaves@drift.example"))["access"] is False
    assert (await site.access(product, "api@drift.example"))["access"] is True
    again = await compared(site, dry_run=False)
    assert again["differences"] == []


async def test_an_unreadable_object_is_not_repaired(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, _, sessions = await populated(site)
    await deaf(site)
    unreadable, other = (sessions[name]["subscription"] for name in ("leaves", "ends"))
    for subscription in (unreadable, other):
        await site.stripe.delete(f"subscriptions/{subscription}")
    found = await compared(site)
    reads_it = fetch.subscription

    async def read(api: StripeApi, source: Json) -> Subscription:
        if source["id"] == unreadable:
            raise UnreadableError(f"subscription {unreadable}: no customer")
        return await reads_it(api, source)

    monkeypatch.setattr(fetch, "subscription", read)
    await site.call("POST", f"/reconciliations/{found['id']}/repair", 202, json={})
    repaired = await done(site, found["id"])
    assert {d["source_id"]: (d["state"], d["error"]) for d in repaired["differences"]} == {
        unreadable: (
            "failed",
            f"Stripe's answer can't be read: subscription {unreadable}: no customer",
        ),
        other: ("repaired", None),
    }
    assert repaired["progress"]["repaired"] == 1
    assert repaired["progress"]["subscriptions"] == found["progress"]["subscriptions"] > 0
    assert [line["source_id"] for line in await site.lines(type="repaired")] == [other]
    assert (await site.access(product, "leaves@drift.example"))["access"] is True


async def test_runs_are_notified_of_a_repair_that_temporal_first_refused(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, price, sessions = await populated(site)
    once = await site.pool.fetchval(
        "select price_id from order_lines where order_id = $1", sessions["once"]["id"]
    )
    await deaf(site)
    joined = await site.stripe.subscribe("joins@drift.example", price)
    bought = await site.stripe.buy("buys@drift.example", once, mode="payment")
    ends = await site.stripe.post(
        f"subscriptions/{sessions['ends']['subscription']}", cancel_at_period_end=True
    )
    tells, refused = dispatch.nudge, set()

    async def away(client: Client, target: Target, event_ids: list[str]) -> None:
        if target not in refused:
            refused.add(target)
            raise TemporalUnavailableError("Temporal is away")
        await tells(client, target, event_ids)

    monkeypatch.setattr(dispatch, "nudge", away)
    repaired = await compared(site, dry_run=False)
    assert repaired["counts"]["repaired"] == 3

    async def heard() -> bool:
        runs = {run.id async for run in site.temporal.list_workflows()}
        mine = {f"subscription/{joined['id']}", f"purchase/{bought['id']}"}
        return mine <= runs and await rearmed(site, ends["id"])

    await until(heard, "the missed have their runs, and the run knows the new end")


async def rearmed(site: Latchkey, subscription: str) -> bool:
    """Whether the subscription's run sleeps until a distant day."""
    run = site.temporal.get_workflow_handle(f"subscription/{subscription}")
    timers = [
        event.timer_started_event_attributes
        for event in (await run.fetch_history()).events
        if event.HasField("timer_started_event_attributes")
    ]
    return any(timer.start_to_fire_timeout.seconds > 86400 for timer in timers)


async def test_a_repair_finds_the_buyer_by_the_signed_reference(site: Latchkey) -> None:
    product, price, _ = await populated(site)
    other = await site.product("Other")
    given = {"email": "member@drift.example"}
    grant = await site.call("POST", f"/products/{other}/grants", 201, json=given)
    await deaf(site)
    reference = references.sign(grant["user_id"], product, vault=Vault(SECRETS))
    session = await site.stripe.checkout(price, client_reference_id=reference)
    await site.stripe.pay(session, "another.address@drift.example")
    await compared(site, dry_run=False)
    assert (await site.access(product, "member@drift.example"))["access"] is True
    assert (await site.access(product, "another.address@drift.example"))["access"] is False


async def test_differences_that_need_a_decision_are_not_repaired_automatically(
    site: Latchkey,
) -> None:
    """Access ended by an admin isn't a difference: it is on hold until an admin lifts it."""
    product, _, sessions = await populated(site)
    await deaf(site)
    grants = (await site.call("GET", f"/products/{product}/grants"))["data"]
    by_hand = next(g["id"] for g in grants if g["email"] == "stays@drift.example")
    await site.call("DELETE", f"/grants/{by_hand}")
    gone = sessions["leaves"]["subscription"]
    site.stripe.box.shop.world.forget("subscription", gone)
    await site.pool.execute(
        "update grants set account_id = 'acct_other' where source_id = $1",
        sessions["moves"]["subscription"],
    )
    found = await compared(site, dry_run=False)
    assert shown(found) == {
        ("gone_from_stripe", "person", "leaves@drift.example"),
        ("other_account", "foreign", "moves@drift.example"),
    }
    assert all(d["reason"] for d in found["differences"])
    await site.call(
        "POST",
        f"/reconciliations/{found['id']}/repair",
        202,
        json={"differences": [d["id"] for d in found["differences"]]},
    )
    repaired = await done(site, found["id"])
    states = {d["kind"]: d["state"] for d in repaired["differences"]}
    assert states == {"gone_from_stripe": "open", "other_account": "open"}
    assert (await site.access(product, "stays@drift.example"))["access"] is False
    await site.call("POST", f"/grants/{by_hand}/lift")
    await site.has(product, "stays@drift.example")


async def test_the_alarm_counts_open_differences_without_foreign_ones(
    site: Latchkey,
) -> None:
    _, _, sessions = await populated(site)
    await deaf(site)
    await site.pool.execute(
        "update grants set account_id = 'acct_other' where source_id = $1",
        sessions["moves"]["subscription"],
    )
    await site.stripe.delete(f"subscriptions/{sessions['leaves']['subscription']}")
    assert (await compared(site))["counts"]["foreign"] == 1
    assert await metric(site, "latchkey_drift_differences") == 1
    assert (await compared(site, product=await site.product()))["differences"] == []
    assert await metric(site, "latchkey_drift_differences") == 1


async def test_broken_invariants_are_found_and_repaired(site: Latchkey) -> None:
    product, _, sessions = await populated(site)
    missing, late, ended = (sessions[name]["subscription"] for name in ("stays", "leaves", "ends"))
    run = site.temporal.get_workflow_handle(f"subscription/{missing}")
    await run.terminate()
    await site.pool.execute(
        "update subscriptions set lifecycle_at = now() - interval '1 day' where id = $1", missing
    )
    await site.pool.execute(
        """
        update subscriptions set wake_at = now() - interval '1 hour', wake = 'trial ends'
         where id = $1
        """,
        late,
    )
    await site.pool.execute(
        "update grants set until = now() - interval '1 hour' where source_id = $1", ended
    )
    await site.pool.execute("delete from grants where source_id = $1", sessions["once"]["id"])
    await site.pool.execute(
        "delete from grants where source_id = $1", sessions["moves"]["subscription"]
    )

    given = {"email": "given@drift.example"}
    await site.call("POST", f"/products/{product}/grants", 201, json=given)
    await site.pool.execute(
        "update grants set until = now() - interval '1 hour' where source = 'manual'"
    )

    async def listed(status: str) -> bool:
        query = f"WorkflowId = 'subscription/{missing}' and ExecutionStatus = '{status}'"
        return bool((await site.temporal.count_workflows(query)).count)

    await until(lambda: listed("Terminated"), "the terminated run is listed as such")
    found = await compared(site)
    kinds = {d["source_id"]: d["kind"] for d in found["differences"]}
    assert kinds == {
        missing: "workflow_missing",
        late: "timer_missing",
        ended: "until_differs",
        "": "access_after_end",
        sessions["once"]["id"]: "access_missing",
        sessions["moves"]["subscription"]: "access_missing",
    }
    await compared(site, dry_run=False)

    async def mended() -> bool:
        return await listed("Running") and bool(
            await site.pool.fetchval(
                "select wake_at > now() from subscriptions where id = $1", late
            )
        )

    await until(mended, "the missing run is there and the late one looked again")
    assert (await compared(site))["differences"] == []


async def test_fifty_pages_take_one_call_each_and_leave_no_records(
    site: Latchkey,
) -> None:
    made = await site.stripe.control("bulk", count=420, one_off=20)
    product = await site.product()
    await site.link(product, made["product"], mail="suppress")
    await site.stripe.client.delete("/_sandbox/requests")
    found = await compared(site, product=product)
    assert found["differences"] == []
    log = (await site.stripe.client.get("/_sandbox/requests")).json()["data"]
    paths = [entry["path"] for entry in log]
    assert paths.count("/v1/subscriptions") == 5
    assert paths.count("/v1/checkout/sessions") == 1
    assert paths.count("/v1/invoices") == 5
    assert len([path for path in paths if path != "/v1/events"]) == 12, "and the prices"
    assert found["progress"]["pages"] == 11
    assert found["progress"]["reads"] == 0
    assert await site.pool.fetchval("select count(*) from reconciliation_seen") == 0


async def test_the_schedules_exist_and_stay_paused(site: Latchkey) -> None:
    handle = site.temporal.get_schedule_handle("reconciliation")
    described = await handle.describe()
    assert described.schedule.spec.intervals[0].every == timedelta(days=1)
    await handle.pause(note="maintenance")
    await site.stop_worker()
    await site.start_worker()

    async def kept() -> bool:
        state = (await handle.describe()).schedule.state
        return state.paused and state.note == "maintenance"

    await until(kept, "the schedule is still paused")
    await handle.unpause()
    await handle.trigger()

    async def scheduled() -> bool:
        data = (await site.call("GET", "/reconciliations"))["data"]
        return bool(data and data[0]["cause"] == "schedule" and data[0]["state"] == "done")

    await until(scheduled, "the schedule's own comparison is done")


async def test_who_had_left_before_the_link_is_counted_and_nothing_else(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    made = await shared.stripe.subscribe(
        "left@past.example", await shared.stripe.price(stripe_product)
    )
    await shared.stripe.past()
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    product = await shared.product()
    await shared.link(product, stripe_product)
    spans = "select trial, until - since as lasted from past_spans where subscription_id = $1"
    assert await shared.pool.fetch(spans, made["id"]) == []
    for _ in range(2):
        found = await compared(shared, product=product)
        assert made["id"] not in {difference["source_id"] for difference in found["differences"]}
        [span] = await shared.pool.fetch(spans, made["id"])
    assert not span["trial"]
    assert span["lasted"] > timedelta()
    assert {line["type"] for line in await shared.lines(product=product)} == {"link_created"}
    users = "select count(*) from users where email = 'left@past.example'"
    assert await shared.pool.fetchval(users) == 0
