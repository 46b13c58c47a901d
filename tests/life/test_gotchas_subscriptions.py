"""What toy integrations get wrong about subscriptions, by the numbers of docs/gotchas.md."""

import time

import pytest

from tests.harness import Json, Latchkey, shortly, until
from tests.life.play import (
    DAY,
    charge_of_invoice,
    granted,
    linked,
    types,
    until_is,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_01_the_matching_items_period_counts(shared: Latchkey) -> None:
    """1: periods live on items; the one that carries the product says when to look again."""
    monthly, _, price = await linked(shared)
    yearly, _, yearly_price = await linked(shared, every="year")
    customer = await shared.stripe.customer("g01@gotcha.example")
    made = await shared.stripe.post(
        "subscriptions", customer=customer, items=[{"price": yearly_price}, {"price": price}]
    )
    await shared.has(monthly, "g01@gotcha.example")
    await shared.has(yearly, "g01@gotcha.example")
    ends = {i["price"]["id"]: i["current_period_end"] for i in made["items"]["data"]}
    assert ends[yearly_price] > ends[price]
    wake = await shared.pool.fetchval("select wake_at from subscriptions where id = $1", made["id"])
    assert int(wake.timestamp()) == ends[price] + 7200, "the month's end, not the year's"


@pytest.mark.parametrize("mode", ["flexible", "classic"])
async def test_02_the_portal_cancels_in_two_ways(shared: Latchkey, mode: str) -> None:
    """2: on flexible billing the portal sets `cancel_at` alone, on classic the flag too."""
    product, _, price = await linked(shared)
    email = f"g02{mode}@gotcha.example"
    made = await shared.stripe.subscribe(email, price, billing_mode={"type": mode})
    await shared.has(product, email)
    end = made["items"]["data"][0]["current_period_end"]
    found = await shared.stripe.control(
        f"subscriptions/{made['id']}/portal_cancel", feedback="too_expensive"
    )
    assert found["cancel_at_period_end"] is (mode == "classic")
    await until_is(shared, product, email, end)
    await shared.stripe.control(f"subscriptions/{made['id']}/portal_undo")
    await until_is(shared, product, email, None)
    assert await types(shared, product) == [
        "access_granted", "cancellation_withdrawn", "product_purchased",
        "subscription_cancelled", "subscription_started",
    ]  # fmt: skip
    cancelled = await shared.lines(product=product, type="subscription_cancelled")
    assert [line["cause"] for line in cancelled] == ["customer"]


async def test_03_canceled_at_is_the_request_not_the_end(shared: Latchkey) -> None:
    """3: a scheduled cancellation has `canceled_at` in the past, and access until its end."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g03@gotcha.example", price)
    found = await shared.stripe.post(f"subscriptions/{made['id']}", cancel_at_period_end=True)
    assert found["canceled_at"] <= time.time()
    await until_is(shared, product, "g03@gotcha.example", found["cancel_at"])


async def test_04_cancelled_now_ends_now_whatever_the_period_says(shared: Latchkey) -> None:
    """4: after an immediate cancellation the period's end stays in the future."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g04@gotcha.example", price)
    await shared.has(product, "g04@gotcha.example")
    found = await shared.stripe.delete(f"subscriptions/{made['id']}")
    assert found["items"]["data"][0]["current_period_end"] > time.time()
    await shared.has(product, "g04@gotcha.example", access=False)


async def test_09_prices_are_replaced_the_product_counts(shared: Latchkey) -> None:
    """9: a new price of the same product, and a change of quantity, leave access alone."""
    product, stripe_product, price = await linked(shared)
    made = await shared.stripe.subscribe("g09@gotcha.example", price)
    await shared.has(product, "g09@gotcha.example")
    item = made["items"]["data"][0]["id"]
    dearer = await shared.stripe.price(stripe_product, 9900)
    await shared.stripe.post(
        f"subscriptions/{made['id']}", items=[{"id": item, "price": dearer, "quantity": 3}]
    )
    await shared.stripe.post(f"prices/{price}", active=False)
    assert await types(shared, product) == [
        "access_granted", "product_purchased", "subscription_started",
    ]  # fmt: skip
    assert (await shared.access(product, "g09@gotcha.example"))["access"] is True


async def test_10_any_of_many_items_may_have_the_product(shared: Latchkey) -> None:
    """10: twelve items, more than Stripe shows inline, and the product is the last."""
    product, _, price = await linked(shared)
    items = [
        {"price": await shared.stripe.price(await shared.stripe.product(f"Extra {n}"))}
        for n in range(11)
    ]
    customer = await shared.stripe.customer("g10@gotcha.example")
    made = await shared.stripe.post(
        "subscriptions", customer=customer, items=[*items, {"price": price}]
    )
    await shared.has(product, "g10@gotcha.example")
    rows = await shared.pool.fetchval(
        "select count(*) from subscription_items where subscription_id = $1", made["id"]
    )
    assert rows == 12


async def test_switching_to_another_product_and_adding_one(shared: Latchkey) -> None:
    """10: removed items lose access, added items are purchases and don't start a subscription."""
    first, _, first_price = await linked(shared)
    second, _, second_price = await linked(shared)
    third, _, third_price = await linked(shared)
    made = await shared.stripe.subscribe("switch@gotcha.example", first_price)
    await shared.has(first, "switch@gotcha.example")
    await shared.stripe.control(f"subscriptions/{made['id']}/portal_switch", price=second_price)
    await shared.has(second, "switch@gotcha.example")
    await shared.has(first, "switch@gotcha.example", access=False)
    await shared.stripe.post(
        "subscription_items", subscription=made["id"], price=third_price, quantity=1
    )
    await shared.has(third, "switch@gotcha.example")
    assert await types(shared, second) == ["access_granted", "product_purchased"]
    assert await types(shared, third) == ["access_granted", "product_purchased"]
    ended = await shared.lines(product=first, type="access_ended")
    assert [line["data"]["reason"] for line in ended] == ["item_removed"]


async def test_15_16_17_late_duplicate_and_old_events_change_nothing(shared: Latchkey) -> None:
    """15, 16, 17: an event is a reason to look; order, age and number don't matter."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g15@gotcha.example", price)
    await shared.has(product, "g15@gotcha.example")
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.has(product, "g15@gotcha.example", access=False)
    before = await types(shared, product)
    events = await shared.pool.fetch("select id from events where target_id = $1", made["id"])
    assert len(events) >= 2
    for event in reversed(events):
        await shared.stripe.control(f"events/{event['id']}/repeat")
        await shared.call("POST", f"/events/{event['id']}/resend", 202)
    assert await types(shared, product) == before
    assert (await shared.access(product, "g15@gotcha.example"))["access"] is False


async def test_24_25_renewals_trials_and_the_first_failed_payment(site: Latchkey) -> None:
    """24, 25: a paid $0 invoice doesn't start anything twice, a renewal doesn't grant again, and
    the first failed payment starts the grace period, once per overdue period."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("g24@gotcha.example", price, trial_period_days=5)
    assert made["status"] == "trialing"
    await site.has(product, "g24@gotcha.example")
    path = made["id"]
    for when in ("trial_end", "period_end"):
        await site.stripe.control("clock/advance", subscription=path, until=when)
        await site.stripe.control("clock/advance", seconds=7200)
    started = ["access_granted", "product_purchased", "subscription_started"]
    assert await types(site, product) == started
    for spell in (1, 2):
        await site.stripe.control(
            f"customers/{made['customer']}/card", card="pm_card_chargeCustomerFail"
        )
        await site.stripe.control("clock/advance", subscription=path, until="period_end")
        # The advance takes the bill back by so much: two spells of one second would be the same.
        await site.stripe.control("clock/advance", seconds=7200 + 60 * spell)

        async def in_grace() -> bool:
            found = await site.access(product, "g24@gotcha.example")
            return bool(found["access"] and found["until"])

        await until(in_grace, f"spell {spell} is in its grace")
        left = await site.pool.fetchval("select until - now() from grants where ended_at is null")
        assert 13 < left.total_seconds() / DAY <= 14, "each spell has the whole grace"
        await site.stripe.control(f"customers/{made['customer']}/card", card="pm_card_visa")
        bill = (await site.stripe.get(f"subscriptions/{path}"))["latest_invoice"]
        await site.stripe.post(f"invoices/{bill}/pay")
        await until_is(site, product, "g24@gotcha.example", None)
        found = await types(site, product)
        assert found.count("payment_failed") == found.count("payment_recovered") == spell
    assert "access_ended" not in await types(site, product)


@pytest.mark.parametrize("ends", ["cancel", "unpaid", "pause", "past_due"])
async def test_dunning_ends_as_the_account_is_configured(site: Latchkey, ends: str) -> None:
    """25, 26: cancelled, unpaid and back, paused, or past due for ever: access follows the status,
    and past due for ever has its grace all the same."""
    product, _, price = await linked(site)
    email = f"{ends}@gotcha.example"
    made = await site.stripe.subscribe(email, price)
    await site.has(product, email)
    await site.stripe.control("settings", dunning_ends=ends)
    await site.stripe.control(
        f"customers/{made['customer']}/card", card="pm_card_chargeCustomerFail"
    )
    await site.stripe.control("clock/advance", subscription=made["id"], until="period_end")
    await site.stripe.control("clock/advance", seconds=7200)
    await site.settled()
    await site.stripe.control(f"subscriptions/{made['id']}/end_dunning")
    if ends == "past_due":
        await site.settled()
        assert (await site.access(product, email))["until"] is not None
        return
    await site.has(product, email, access=False)
    found = await types(site, product)
    assert found.count("subscription_cancelled") == (1 if ends == "cancel" else 0)
    assert found.count("access_ended") == 1
    if ends == "unpaid":
        await site.stripe.control(f"customers/{made['customer']}/card", card="pm_card_visa")
        bill = (await site.stripe.get(f"subscriptions/{made['id']}"))["latest_invoice"]
        await site.stripe.post(f"invoices/{bill}/pay")
        await site.has(product, email)
        assert (await types(site, product)).count("payment_recovered") == 1


@pytest.mark.parametrize(
    "reason",
    ["pause_requested", "first_payment_failure", "final_payment_failure",
     "trial_end_without_payment_method", "system", "moon_phase"],
)  # fmt: skip
async def test_26_paused_for_any_reason_and_resumed(shared: Latchkey, reason: str) -> None:
    """26: `paused` stops the service without `deleted`, and resuming brings it back. An unknown
    reason is a pause like the others (50)."""
    product, _, price = await linked(shared)
    email = f"{reason}@gotcha.example"
    made = await shared.stripe.subscribe(email, price)
    await shared.has(product, email)
    known = reason if reason != "moon_phase" else "system"
    await shared.stripe.control(f"subscriptions/{made['id']}/pause", reason=known)
    if reason == "moon_phase":
        found = await shared.stripe.get(f"subscriptions/{made['id']}")
        details = found["status_details"]
        details["paused"]["subscription"]["type"] = reason
        await shared.stripe.control(
            f"objects/{made['id']}",
            set={"status_details": details},
            event="customer.subscription.updated",
        )
    await shared.has(product, email, access=False)
    await shared.settled()
    row = await shared.pool.fetchrow(
        "select pause_reason, state from subscriptions where id = $1", made["id"]
    )
    assert row is not None
    assert row["pause_reason"] == reason
    assert reason.replace("_", " ") in row["state"]
    await shared.stripe.post(f"subscriptions/{made['id']}/resume")
    await shared.has(product, email)
    found_types = await types(shared, product)
    assert found_types.count("access_ended") == 1
    assert found_types.count("access_granted") == 2
    assert found_types.count("product_purchased") == 1


async def test_27_paused_collection_is_not_paused(site: Latchkey) -> None:
    """27: `pause_collection` leaves the status alone; by default access stays; if the policy ends
    it, it returns by itself after the pause."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("g27@gotcha.example", price)
    await site.has(product, "g27@gotcha.example")
    soon = int(time.time()) + shortly()
    pause = {"behavior": "void", "resumes_at": soon}
    found = await site.stripe.post(f"subscriptions/{made['id']}", pause_collection=pause)
    assert found["status"] == "active"
    await site.settled()
    assert (await site.access(product, "g27@gotcha.example"))["access"] is True
    await site.call("PUT", f"/products/{product}/policy", json={"collection_paused": False})
    await site.has(product, "g27@gotcha.example", access=False)
    await site.has(product, "g27@gotcha.example")
    assert time.time() >= soon, "not before the pause is over"


@pytest.mark.parametrize("missing", ["cancel", "pause", "create_invoice"])
async def test_a_trial_that_ends_without_a_payment_method(site: Latchkey, missing: str) -> None:
    """25, 26: cancelled, paused, or an open invoice with its days of grace."""
    product, _, price = await linked(site)
    customer = await site.stripe.post("customers", email="trial@gotcha.example")
    made = await site.stripe.post(
        "subscriptions",
        customer=customer["id"],
        items=[{"price": price}],
        trial_period_days=3,
        trial_settings={"end_behavior": {"missing_payment_method": missing}},
    )
    await site.has(product, "trial@gotcha.example")
    await site.stripe.control("clock/advance", subscription=made["id"], until="trial_end")
    await site.stripe.control("clock/advance", seconds=7200)
    await site.settled()
    status = (await site.stripe.get(f"subscriptions/{made['id']}"))["status"]
    wanted = {"cancel": "canceled", "pause": "paused", "create_invoice": "past_due"}[missing]
    assert status == wanted
    await site.has(product, "trial@gotcha.example", access=missing == "create_invoice")


async def test_30_refunds_and_subscriptions_are_independent(shared: Latchkey) -> None:
    """30, 31: the refund of a renewal ends nothing, and has its line, as have a dispute and a
    credit; the invoice is found by its payments."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g30@gotcha.example", price)
    await shared.has(product, "g30@gotcha.example")
    charge = await charge_of_invoice(shared, made["latest_invoice"])
    await shared.stripe.post("refunds", charge=charge)

    async def told() -> list[Json]:
        return await shared.lines(product=product, type="refunded")

    lines = await until(told, "the refund is in the feed")
    assert [(line["source_id"], line["data"]["full"]) for line in lines] == [(made["id"], True)]
    await shared.settled()
    assert (await shared.access(product, "g30@gotcha.example"))["access"] is True
    other = await shared.stripe.subscribe("g30d@gotcha.example", price)
    await shared.has(product, "g30d@gotcha.example")
    charge = await charge_of_invoice(shared, other["latest_invoice"])
    dispute = await shared.stripe.control(f"charges/{charge}/dispute")
    await shared.settled()
    await shared.stripe.control(f"disputes/{dispute['id']}/close", outcome="lost")
    await shared.settled()
    disputed = await shared.lines(product=product, type="disputed")
    assert sorted(line["data"]["status"] for line in disputed) == ["lost", "needs_response"]
    assert (await shared.access(product, "g30d@gotcha.example"))["access"] is True
    third = await shared.stripe.subscribe("g30c@gotcha.example", price)
    await shared.has(product, "g30c@gotcha.example")
    await shared.stripe.post(
        "credit_notes", invoice=third["latest_invoice"], amount=900, credit_amount=900
    )
    await shared.settled()
    [line] = await shared.lines(product=product, type="credited")
    assert (line["source_id"], line["data"]["amount"]) == (third["id"], 900)
    assert (await shared.access(product, "g30c@gotcha.example"))["access"] is True


async def test_29_the_refund_of_a_renewal_may_fail(shared: Latchkey) -> None:
    """29: it is recorded, and so is a repeated refund; nothing is recorded twice."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g29@gotcha.example", price)
    await shared.has(product, "g29@gotcha.example")
    charge = await charge_of_invoice(shared, made["latest_invoice"])
    for again in (False, True):
        refund = await shared.stripe.post("refunds", charge=charge, amount=500)
        await shared.settled()
        if not again:
            await shared.stripe.control(f"refunds/{refund['id']}/fail")
            await shared.settled()
    await shared.stripe.post("refunds", charge=charge, amount=300)
    await shared.settled()
    money = [
        (line["type"], line["data"]["amount"])
        for line in await shared.lines(product=product)
        if line["type"].startswith("refund")
    ]
    assert sorted(money) == [("refund_failed", 0), *[("refunded", 500)] * 2, ("refunded", 800)]
    assert (await shared.access(product, "g29@gotcha.example"))["access"] is True


async def test_30_an_invoice_that_also_paid_for_a_one_off_item(shared: Latchkey) -> None:
    """30: its refund is recorded for both; the one-off access ends, the subscription continues."""
    club, _, monthly = await linked(shared)
    book, _, once = await linked(shared, every=None)
    session = await shared.stripe.buy("g30both@gotcha.example", monthly, once)
    for product in (club, book):
        await shared.has(product, "g30both@gotcha.example")
    charge = await charge_of_invoice(shared, session["invoice"])
    await shared.stripe.post("refunds", charge=charge)
    await shared.has(book, "g30both@gotcha.example", access=False)
    await shared.settled()
    for product, source in ((club, session["subscription"]), (book, session["id"])):
        told = await shared.lines(product=product, type="refunded")
        assert [line["source_id"] for line in told] == [source]
    assert (await shared.access(club, "g30both@gotcha.example"))["access"] is True


async def test_schedules_and_pending_updates_count_when_they_take_effect(site: Latchkey) -> None:
    """10: a switch at the period's end, or one that waits for its payment, changes nothing yet."""
    first, _, first_price = await linked(site)
    second, _, second_price = await linked(site, amount=500)
    made = await site.stripe.subscribe("later@gotcha.example", first_price)
    await site.has(first, "later@gotcha.example")
    await site.stripe.control(
        f"subscriptions/{made['id']}/portal_switch", price=second_price, at_period_end=True
    )
    await site.settled()
    assert (await site.access(first, "later@gotcha.example"))["until"] is None
    assert (await site.access(second, "later@gotcha.example"))["access"] is False
    await site.stripe.control("clock/advance", subscription=made["id"], until="period_end")
    await site.has(second, "later@gotcha.example")
    await site.has(first, "later@gotcha.example", access=False)
    third, _, third_price = await linked(site, amount=99000)
    await site.stripe.control(
        f"customers/{made['customer']}/card", card="pm_card_chargeCustomerFail"
    )
    found = await site.stripe.get(f"subscriptions/{made['id']}")
    item = found["items"]["data"][0]["id"]
    if found["schedule"]:
        await site.stripe.post(f"subscription_schedules/{found['schedule']}/release")
    found = await site.stripe.post(
        f"subscriptions/{made['id']}",
        items=[{"id": item, "price": third_price}],
        payment_behavior="pending_if_incomplete",
        proration_behavior="always_invoice",
    )
    assert found["pending_update"] is not None
    await site.settled()
    assert (await site.access(third, "later@gotcha.example"))["access"] is False
    await site.stripe.control(f"customers/{made['customer']}/card", card="pm_card_visa")
    await site.stripe.post(f"invoices/{found['latest_invoice']}/pay")
    await site.has(third, "later@gotcha.example")
    await site.has(second, "later@gotcha.example", access=False)


async def test_50_an_unknown_status_gives_no_access_and_is_reported(shared: Latchkey) -> None:
    """50: an unknown status gives no access and is shown in the feed and in the run."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("g50@gotcha.example", price)
    await shared.has(product, "g50@gotcha.example")
    event = "customer.subscription.updated"
    path = f"objects/{made['id']}"
    await shared.stripe.control(path, set={"status": "hibernating"}, event=event)
    await shared.has(product, "g50@gotcha.example", access=False)
    await shared.settled()
    loud = await shared.lines(product=product, type="unknown_status")
    assert [line["data"]["status"] for line in loud] == ["hibernating"]
    await shared.stripe.control(path, set={"status": "active"}, event=event)
    await shared.has(product, "g50@gotcha.example")


async def test_46_archived_and_deleted_products_and_prices_end_no_access(
    shared: Latchkey,
) -> None:
    """46: archiving stops new sales; paying members keep access."""
    product, stripe_product, price = await linked(shared)
    made = await shared.stripe.subscribe("g46@gotcha.example", price)
    await shared.has(product, "g46@gotcha.example")
    await shared.stripe.post(f"prices/{price}", active=False)
    await shared.stripe.post(f"products/{stripe_product}", active=False)
    await shared.stripe.post(f"subscriptions/{made['id']}", metadata={"touched": "yes"})
    await shared.settled()
    assert (await shared.access(product, "g46@gotcha.example"))["access"] is True
    shown = await shared.call("GET", "/stripe/products", params={"search": stripe_product})
    assert [row["active"] for row in shown["data"]] == [False]


async def test_41_a_deleted_customer(shared: Latchkey) -> None:
    """41: deleted customers answer 200 with `deleted`; their subscriptions end, what they bought
    once stays theirs."""
    product, _, price = await linked(shared)
    book, _, once = await linked(shared, every=None)
    customer = await shared.stripe.customer("g41@gotcha.example")
    await shared.stripe.post("subscriptions", customer=customer, items=[{"price": price}])
    session = await shared.stripe.checkout(once, mode="payment", customer=customer)
    await shared.stripe.pay(session, "g41@gotcha.example")
    await shared.has(product, "g41@gotcha.example")
    await shared.has(book, "g41@gotcha.example")
    await shared.stripe.delete(f"customers/{customer}")
    await shared.has(product, "g41@gotcha.example", access=False)
    await shared.settled()
    assert (await shared.access(book, "g41@gotcha.example"))["access"] is True
    assert await shared.pool.fetchval("select deleted from customers where id = $1", customer)
    states = await shared.pool.fetch("select state from events where object_id = $1", customer)
    assert {row["state"] for row in states} == {"handled"}


async def test_ended_by_hand_stays_ended_until_lifted(shared: Latchkey) -> None:
    """17: the next event doesn't give back what an admin took; lifting the hold does, at once."""
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("held@gotcha.example", price)
    grant = (await granted(shared, product, "held@gotcha.example", 1))[0]
    ended = await shared.call("DELETE", f"/grants/{grant['id']}")
    assert ended["held"] is True
    await shared.stripe.post(f"subscriptions/{made['id']}", metadata={"n": "1"})
    await shared.settled()
    assert (await shared.access(product, "held@gotcha.example"))["access"] is False
    state = await shared.pool.fetchval("select state from subscriptions where id = $1", made["id"])
    assert "ended by hand" in state
    await shared.call("POST", f"/grants/{grant['id']}/lift")
    assert (await shared.access(product, "held@gotcha.example"))["access"] is True
    found = await types(shared, product)
    assert found.count("access_granted") == 2
    assert found.count("access_ended") == found.count("hold_lifted") == 1
    await shared.call("POST", "/grants/999999999/lift", 404)


async def test_a_removed_item_with_quantity_zero_buys_nothing(shared: Latchkey) -> None:
    """10: an item whose quantity became 0 still exists but gives nothing."""
    product, _, price = await linked(shared)
    other, _, other_price = await linked(shared)
    customer = await shared.stripe.customer("zero@gotcha.example")
    made = await shared.stripe.post(
        "subscriptions", customer=customer, items=[{"price": price}, {"price": other_price}]
    )
    await shared.has(product, "zero@gotcha.example")
    item = made["items"]["data"][0]["id"]
    await shared.stripe.post(f"subscriptions/{made['id']}", items=[{"id": item, "quantity": 0}])
    await shared.has(product, "zero@gotcha.example", access=False)
    assert (await shared.access(other, "zero@gotcha.example"))["access"] is True
    second = made["items"]["data"][1]["id"]
    await shared.stripe.post(f"subscriptions/{made['id']}", items=[{"id": second, "quantity": 0}])
    await shared.has(other, "zero@gotcha.example", access=False)
    state = await shared.pool.fetchval("select state from subscriptions where id = $1", made["id"])
    assert state == "It no longer includes a linked product"
    await shared.stripe.post(f"subscriptions/{made['id']}", items=[{"id": item, "quantity": 1}])
    await shared.has(product, "zero@gotcha.example")


async def test_37_cancelled_subscriptions_are_checked_too(site: Latchkey) -> None:
    """37: subscriptions that ended unnoticed are read by id, whatever lists leave out."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("g37@gotcha.example", price)
    await site.has(product, "g37@gotcha.example")
    await site.settled()
    await site.stripe.control("faults", drop=1)
    await site.stripe.delete(f"subscriptions/{made['id']}")
    await site.pool.execute("insert into wakeups (kind, ref) values ('look_again', $1)", made["id"])
    await site.has(product, "g37@gotcha.example", access=False)
    assert (await types(site, product)).count("subscription_cancelled") == 1
