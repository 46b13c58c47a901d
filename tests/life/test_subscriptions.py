"""The lives of subscriptions, through sandbox, web, worker and database."""

import time

import pytest
from prometheus_client import REGISTRY

from latchkey import dispatch
from latchkey.contracts import subscription_workflow_id
from latchkey.rules.routing import Target, TargetKind
from tests.harness import Json, Latchkey, shortly, until
from tests.truth.test_reconciliation import deaf

pytestmark = pytest.mark.anyio


async def linked(site: Latchkey) -> tuple[str, str, str]:
    """A product, its Stripe product and a monthly price, linked."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    return product, stripe_product, price


def types(lines: list[Json]) -> list[str]:
    return sorted(line["type"] for line in lines)


async def test_a_purchase_gives_access_and_is_recorded_once(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("buyer@life.example", price)
    granted = await shared.has(product, "buyer@life.example")
    assert granted["until"] is None
    assert [g["source_id"] for g in granted["grants"]] == [session["subscription"]]
    await shared.settled()
    lines = await shared.lines(product=product)
    assert types(lines) == [
        "access_granted",
        "link_created",
        "product_purchased",
        "subscription_started",
    ]
    mails = await shared.pool.fetch("select kind from mails where product_id = $1", product)
    assert [mail["kind"] for mail in mails] == ["product_access"]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["flag", "cancel_at"])
async def test_cancelled_at_period_end_undone_moved_and_ended(shared: Latchkey, style: str) -> None:
    product, _, price = await linked(shared)
    email = f"{style}@life.example"
    made = await shared.stripe.subscribe(email, price)
    await shared.has(product, email)
    end = made["items"]["data"][0]["current_period_end"]

    async def until_is(moment: int | None) -> None:
        async def holds() -> bool:
            found = await shared.access(product, email)
            stamp = found["until"] and int(_seconds(found["until"]))
            return bool(found["access"] and stamp == moment)

        await until(holds, f"until is {moment}")

    measured = REGISTRY.get_sample_value("latchkey_end_delay_seconds_count") or 0
    cancel: Json = {"cancel_at_period_end": True} if style == "flag" else {"cancel_at": end}
    undo: Json = {"cancel_at_period_end": False} if style == "flag" else {"cancel_at": ""}
    await shared.stripe.post(f"subscriptions/{made['id']}", **cancel)
    await until_is(end)
    await shared.stripe.post(f"subscriptions/{made['id']}", **undo)
    await until_is(None)
    await shared.stripe.post(f"subscriptions/{made['id']}", cancel_at=end - 3600)
    await until_is(end - 3600)
    soon = int(time.time()) + shortly()
    await shared.stripe.post(f"subscriptions/{made['id']}", cancel_at=soon)
    await until_is(soon)
    await shared.has(product, email, access=False)
    assert time.time() >= soon, "access ended before its time"
    await shared.settled()

    async def told() -> list[Json]:
        return await shared.lines(product=product, type="access_ended")

    await until(told, "the end is in the feed")
    lines = await shared.lines(product=product)
    cancelled = [line for line in lines if line["type"] == "subscription_cancelled"]
    withdrawn = [line for line in lines if line["type"] == "cancellation_withdrawn"]
    ended = [line for line in lines if line["type"] == "access_ended"]
    assert len(withdrawn) == 1
    assert len(cancelled) == 2, "once per request; moving the date isn't a new request"
    assert len(ended) == 1
    assert (REGISTRY.get_sample_value("latchkey_end_delay_seconds_count") or 0) > measured


async def test_the_timer_ends_access_at_the_second_without_any_event(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("silent@life.example", price)
    await site.has(product, "silent@life.example")
    soon = int(time.time()) + shortly()
    await site.stripe.post(f"subscriptions/{made['id']}", cancel_at=soon)

    async def armed() -> bool:
        return (await site.access(product, "silent@life.example"))["until"] is not None

    await until(armed, "the end is known")
    await site.settled()
    await deaf(site)

    async def line() -> list[Json]:
        return await site.lines(type="access_ended", product=product)

    ended = await until(line, "the end is in the feed")
    assert len(ended) == 1
    assert int(_seconds(ended[0]["at"])) == soon
    assert ended[0]["cause"] == "timer"
    assert (await site.access(product, "silent@life.example"))["access"] is False


async def test_access_ends_while_the_worker_is_down(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("down@life.example", price)
    await site.has(product, "down@life.example")
    soon = int(time.time()) + shortly()
    await site.stripe.post(f"subscriptions/{made['id']}", cancel_at=soon)

    async def armed() -> bool:
        return (await site.access(product, "down@life.example"))["until"] is not None

    await until(armed, "the end is known")
    await site.stop_worker()
    await site.has(product, "down@life.example", access=False)
    assert time.time() >= soon
    assert await site.lines(type="access_ended", product=product) == []
    await site.start_worker()

    async def line() -> list[Json]:
        return await site.lines(type="access_ended", product=product)

    ended = await until(line, "the worker catches up")
    assert int(_seconds(ended[0]["at"])) == soon


async def test_cancelled_now_ends_now(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("now@life.example", price)
    await shared.has(product, "now@life.example")
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.has(product, "now@life.example", access=False)
    await shared.settled()
    lines = types(await shared.lines(product=product))
    assert lines.count("subscription_cancelled") == 1
    assert lines.count("access_ended") == 1


async def test_trial_gives_access(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("trial@life.example", price, trial_period_days=7)
    assert (await shared.has(product, "trial@life.example"))["until"] is None


async def test_incomplete_gives_no_access_until_paid(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe(
        "incomplete@life.example", price, payment_behavior="default_incomplete"
    )
    await shared.settled()
    assert (await shared.access(product, "incomplete@life.example"))["access"] is False
    await shared.stripe.post(f"invoices/{made['latest_invoice']}/pay")
    await shared.has(product, "incomplete@life.example")


async def test_past_due_has_a_grace_period_and_recovers(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("grace@life.example", price)
    await site.has(product, "grace@life.example")
    broken = "pm_card_chargeCustomerFail"
    await site.stripe.post(
        f"customers/{made['customer']}",
        payment_method=broken,
        invoice_settings={"default_payment_method": broken},
    )
    await site.stripe.control("clock/advance", subscription=made["id"], until="period_end")
    await site.stripe.control("clock/advance", seconds=7200)

    async def in_grace() -> Json | None:
        found = await site.access(product, "grace@life.example")
        return found if found["access"] and found["until"] else None

    found = await until(in_grace, "in grace")
    failed = (await site.stripe.get("invoices", subscription=made["id"], status="open"))["data"]
    began = failed[0]["status_transitions"]["finalized_at"]
    assert _seconds(found["until"]) == began + 14 * 86400
    await site.stripe.post(
        f"customers/{made['customer']}",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    bill = (await site.stripe.get(f"subscriptions/{made['id']}"))["latest_invoice"]
    await site.stripe.post(f"invoices/{bill}/pay")

    async def recovered() -> bool:
        found = await site.access(product, "grace@life.example")
        return found["access"] and found["until"] is None

    await until(recovered, "recovered")
    await site.settled()
    found_types = types(await site.lines(product=product))
    assert found_types.count("payment_failed") == 1
    assert found_types.count("payment_recovered") == 1
    assert found_types.count("access_ended") == 0


async def test_several_items_open_several_products_and_items_can_go(shared: Latchkey) -> None:
    first, _, price_a = await linked(shared)
    second, _, price_b = await linked(shared)
    customer = await shared.stripe.customer("items@life.example")
    made = await shared.stripe.post(
        "subscriptions", customer=customer, items=[{"price": price_a}, {"price": price_b}]
    )
    await shared.has(first, "items@life.example")
    await shared.has(second, "items@life.example")
    gone = made["items"]["data"][1]["id"]
    await shared.stripe.post(f"subscriptions/{made['id']}", items=[{"id": gone, "deleted": True}])
    await shared.has(second, "items@life.example", access=False)
    assert (await shared.access(first, "items@life.example"))["access"] is True


async def test_two_subscriptions_are_two_grants(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    one = await shared.stripe.subscribe("two@life.example", price)
    await shared.stripe.subscribe("two@life.example", price)

    async def both() -> bool:
        return len((await shared.access(product, "two@life.example"))["grants"]) == 2

    await until(both, "two grants")
    await shared.stripe.delete(f"subscriptions/{one['id']}")

    async def single() -> bool:
        return len((await shared.access(product, "two@life.example"))["grants"]) == 1

    await until(single, "one grant is left")
    assert (await shared.access(product, "two@life.example"))["access"] is True
    mails = await shared.pool.fetch("select kind from mails where product_id = $1", product)
    kinds = sorted(row["kind"] for row in mails)
    assert kinds == ["cancellation", "product_access", "second_subscription"], (
        "the second reason sends no second email about access"
    )


async def test_a_bundle_opens_every_product_linked_to_it(shared: Latchkey) -> None:
    product, stripe_product, price = await linked(shared)
    other = await shared.product("Bonus")
    await shared.link(other, stripe_product)
    await shared.stripe.buy("bundle@life.example", price)
    await shared.has(product, "bundle@life.example")
    await shared.has(other, "bundle@life.example")


async def test_an_archived_price_still_grants(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("archived@life.example", price)
    await shared.stripe.post(f"prices/{price}", active=False)
    await shared.has(product, "archived@life.example")


async def test_one_fetch_per_burst(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("burst@life.example", price)
    await site.has(product, "burst@life.example")
    await site.settled()
    await site.stop_worker()
    for number in range(10):
        await site.stripe.post(f"subscriptions/{made['id']}", metadata={"n": str(number)})
    await site.stripe.delivered()

    async def relayed() -> bool:
        waiting = await site.pool.fetchval("select count(*) from events where state = 'waiting'")
        return bool(waiting == 0)

    await until(relayed, "the burst is relayed")
    site.stripe.box.api.log.clear()
    await site.start_worker()
    await site.settled()
    assert _reads(site, made["id"]) == 1


async def test_served_events_cause_no_second_read(site: Latchkey) -> None:
    """A nudge may arrive after the reading that served its event; an explicit request is always
    served."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("crossing@life.example", price)
    await site.has(product, "crossing@life.example")
    await site.settled()
    target = Target(TargetKind.SUBSCRIPTION, made["id"])
    event = await site.pool.fetchval(
        "select id from events where target_id = $1 and state = 'handled' limit 1", made["id"]
    )
    syncs = await _syncs(site, made["id"])
    site.stripe.box.api.log.clear()
    await dispatch.nudge(site.temporal, target, [event])

    async def asked() -> bool:
        return await _syncs(site, made["id"]) == syncs + 1

    await until(asked, "the nudge is taken")
    assert _reads(site, made["id"]) == 0
    await dispatch.nudge(site.temporal, target, [])

    async def read() -> bool:
        return _reads(site, made["id"]) == 1

    await until(read, "the subscription is read")


def _reads(site: Latchkey, subscription: str) -> int:
    log = site.stripe.box.api.log
    return len([entry for entry in log if entry["path"] == f"/v1/subscriptions/{subscription}"])


async def _syncs(site: Latchkey, subscription: str) -> int:
    """How many syncs the subscription's run has finished."""
    handle = site.temporal.get_workflow_handle(subscription_workflow_id(subscription))
    history = await handle.fetch_history()
    at_once = [event.marker_recorded_event_attributes.marker_name for event in history.events]
    queued = [e for e in history.events if e.HasField("activity_task_completed_event_attributes")]
    return at_once.count("core_local_activity") + len(queued)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
