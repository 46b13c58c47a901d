"""Changes of running subscriptions: prices, quantities, items, cycles, pending updates, ends."""

import time

import pytest

from sandbox.schema import API_VERSION
from tests.harness import Json, Stripe
from tests.sandbox.lives import Life, begin, refused

pytestmark = pytest.mark.anyio
DAY = 86400


def item(found: Json, number: int = 0) -> Json:
    one: Json = found["items"]["data"][number]
    return one


async def switch(life: Life, price: str, **params: object) -> Json:
    entry = {"id": item(await life.now())["id"], "price": price}
    return await life.update(items=[entry], **params)


async def test_another_price_waits_for_the_next_invoice(stripe: Stripe) -> None:
    life = await begin(stripe)
    dear = await stripe.price(await stripe.product("Dear"), 4500)
    await stripe.control("clock/advance", seconds=15 * DAY)
    known = item(await life.now())["id"]
    found = await switch(life, dear)
    assert (item(found)["id"], item(found)["price"]["id"]) == (known, dear)
    waiting = (await stripe.get("invoiceitems", customer=life.customer))["data"]
    assert sorted(row["amount"] < 0 for row in waiting) == [False, True]
    assert all(row["proration"] for row in waiting)
    await life.until("period_end")
    bill = (await life.invoices())[0]
    assert len(bill["lines"]["data"]) == 3
    assert 4500 < bill["total"] < 4500 + 1600
    sent = await stripe.client.get("/_sandbox/events", params={"object": life.id})
    before = [
        event["data"]["previous_attributes"]
        for event in sent.json()["data"]
        if event["type"] == "customer.subscription.updated"
    ]
    assert any(known == row["items"]["data"][0]["id"] for row in before if "items" in row)


async def test_a_change_billed_at_once(stripe: Stripe) -> None:
    life = await begin(stripe)
    entry = {"id": item(await life.now())["id"], "quantity": 3}
    found = await life.update(items=[entry], proration_behavior="always_invoice")
    assert item(found)["quantity"] == 3
    bill = (await life.invoices())[0]
    assert (bill["billing_reason"], bill["status"]) == ("subscription_update", "paid")
    assert 2900 <= bill["total"] <= 3000


async def test_another_interval_starts_a_new_cycle(stripe: Stripe) -> None:
    life = await begin(stripe)
    yearly = await stripe.price(await stripe.product("Year"), 12000, every="year")
    found = await switch(life, yearly)
    assert item(found)["current_period_end"] > time.time() + 360 * DAY
    bill = (await life.invoices())[0]
    assert (bill["status"], len(bill["lines"]["data"])) == ("paid", 2)


async def test_the_cycle_is_reset_by_an_object(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.control("clock/advance", seconds=10 * DAY)
    answer = await stripe.client.post(
        f"/v1/subscriptions/{life.id}",
        data={"billing_cycle_anchor": "now"},
        headers={"Stripe-Version": API_VERSION},
    )
    assert answer.json()["error"]["param"] == "billing_cycle_anchor"
    found = await life.update(billing_cycle_anchor={"type": "now"})
    assert found["billing_cycle_anchor"] >= time.time() - 5
    assert len(await life.invoices()) == 2


async def test_a_failed_change_changes_nothing(stripe: Stripe) -> None:
    life = await begin(stripe)
    dear = await stripe.price(await stripe.product("Dear"), 4500)
    await life.card("pm_card_chargeCustomerFail")
    before = await life.now()
    error = await refused(
        stripe,
        f"subscriptions/{life.id}",
        items=[{"id": item(before)["id"], "price": dear}],
        proration_behavior="always_invoice",
        payment_behavior="error_if_incomplete",
    )
    assert error["status"] == 402
    assert (await life.now())["items"] == before["items"]
    found = await switch(life, dear, proration_behavior="always_invoice")
    assert (found["status"], item(found)["price"]["id"]) == ("past_due", dear)


async def pend(stripe: Stripe) -> tuple[Life, str, str]:
    life = await begin(stripe)
    dear = await stripe.price(await stripe.product("Dear"), 4500)
    await life.card("pm_card_chargeCustomerFail")
    found = await switch(
        life,
        dear,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
    )
    assert (found["status"], item(found)["price"]["id"]) == ("active", life.price)
    assert found["pending_update"]["subscription_items"][0]["price"]["id"] == dear
    return life, dear, (await life.invoices())[0]["id"]


async def test_a_pending_update_is_applied_by_its_payment(stripe: Stripe) -> None:
    life, dear, bill = await pend(stripe)
    await stripe.post(f"invoices/{bill}/pay", payment_method="pm_card_visa")
    found = await life.now()
    assert (item(found)["price"]["id"], found["pending_update"]) == (dear, None)
    assert "customer.subscription.pending_update_applied" in await life.events()


async def test_a_pending_update_expires(stripe: Stripe) -> None:
    life, _, bill = await pend(stripe)
    await stripe.control("clock/advance", seconds=24 * 3600)
    found = await life.now()
    assert (item(found)["price"]["id"], found["pending_update"]) == (life.price, None)
    assert "customer.subscription.pending_update_expired" in await life.events()
    assert (await stripe.get(f"invoices/{bill}"))["status"] == "void"


async def test_items_come_and_go(stripe: Stripe) -> None:
    life = await begin(stripe)
    more = await stripe.price(await stripe.product("More"), 700)
    added = await stripe.post("subscription_items", subscription=life.id, price=more, quantity=2)
    assert (await stripe.get(f"subscription_items/{added['id']}"))["quantity"] == 2
    changed = await stripe.post(f"subscription_items/{added['id']}", quantity=5)
    assert changed["quantity"] == 5
    gone = await stripe.delete(f"subscription_items/{added['id']}")
    assert gone == {"id": added["id"], "object": "subscription_item", "deleted": True}
    last = item(await life.now())["id"]
    answer = await stripe.client.delete(f"/v1/subscription_items/{last}")
    assert answer.status_code == 400


async def test_more_than_ten_items_are_a_page(stripe: Stripe) -> None:
    prices = [await stripe.price(await stripe.product(f"P{n}"), 100 + n) for n in range(12)]
    life = await begin(stripe)
    found = await life.update(items=[{"price": price} for price in prices])
    assert (len(found["items"]["data"]), found["items"]["has_more"]) == (10, True)
    every = await stripe.get("subscription_items", subscription=life.id, limit=100)
    assert len(every["data"]) == 13
    sent = await stripe.client.get("/_sandbox/events", params={"object": life.id, "limit": 1})
    assert sent.json()["data"][0]["data"]["object"]["items"]["has_more"] is True


async def test_mixed_intervals_renew_at_their_own_intervals(stripe: Stripe) -> None:
    yearly = await stripe.price(await stripe.product("Year"), 12000, every="year")
    life = await begin(stripe)
    found = await life.update(items=[{"price": yearly}], proration_behavior="always_invoice")
    ends = sorted(row["current_period_end"] for row in found["items"]["data"])
    assert ends[1] - ends[0] > 300 * DAY
    await life.until("period_end")
    bill = (await life.invoices())[0]
    assert [line["amount"] for line in bill["lines"]["data"]] == [1500]
    refusing = await begin(stripe, billing_mode={"type": "classic"})
    error = await refused(stripe, f"subscriptions/{refusing.id}", items=[{"price": yearly}])
    assert error["status"] == 400


async def test_billing_in_advance(stripe: Stripe) -> None:
    duration = {"interval": "month", "interval_count": 3}
    life = await begin(
        stripe, billing_schedules=[{"bill_until": {"type": "duration", "duration": duration}}]
    )
    found = await life.now()
    assert item(found)["billed_until"] > item(found)["current_period_end"] + 50 * DAY
    assert (await life.invoices())[0]["total"] == 4500
    await life.until("period_end")
    assert len(await life.invoices()) == 1
    ended = await life.update(cancel_at="max_billed_until")
    assert ended["cancel_at"] == item(ended)["billed_until"]


@pytest.mark.parametrize("name", ["min_period_end", "max_period_end", "max_billed_until"])
async def test_cancel_at_by_name(stripe: Stripe, name: str) -> None:
    yearly = await stripe.price(await stripe.product("Year"), 12000, every="year")
    life = await begin(stripe)
    found = await life.update(items=[{"price": yearly}])
    ends = [row["current_period_end"] for row in found["items"]["data"]]
    found = await life.update(cancel_at=name)
    assert found["cancel_at"] == (min(ends) if name == "min_period_end" else max(ends))
    assert found["cancel_at_period_end"] is False
    undone = await life.update(cancel_at="")
    assert (undone["cancel_at"], undone["canceled_at"]) == (None, None)
    assert undone["cancellation_details"]["reason"] is None


@pytest.mark.parametrize("mode", ["classic", "flexible"])
async def test_cancelling_in_the_portal_and_undoing_it(stripe: Stripe, mode: str) -> None:
    life = await begin(stripe, billing_mode={"type": mode})
    found = await stripe.control(
        f"subscriptions/{life.id}/portal_cancel", feedback="unused", comment="later"
    )
    assert found["cancel_at_period_end"] is (mode == "classic")
    assert found["cancel_at"] == item(found)["current_period_end"]
    assert found["cancellation_details"]["feedback"] == "unused"
    undone = await stripe.control(f"subscriptions/{life.id}/portal_undo")
    assert undone["cancel_at"] is None
    await stripe.control(f"subscriptions/{life.id}/portal_cancel")
    await life.until("cancel_at")
    assert (await life.now())["status"] == "canceled"


async def test_a_cancelled_subscription_accepts_only_notes(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.delete(f"subscriptions/{life.id}")
    ended = await life.update(metadata={"why": "moved"})
    assert ended["metadata"] == {"why": "moved"}
    assert (await refused(stripe, f"subscriptions/{life.id}", description="x"))["status"] == 400
    answer = await stripe.client.delete(f"/v1/subscriptions/{life.id}")
    assert answer.status_code == 404


async def test_what_is_added_to_an_invoice_is_an_item_of_its_own(stripe: Stripe) -> None:
    once = await stripe.price(await stripe.product("Setup"), 500, every=None)
    life = await begin(stripe, add_invoice_items=[{"price": once, "quantity": 2}])
    bill = (await life.invoices())[0]
    line = next(
        row for row in bill["lines"]["data"] if row["parent"]["type"] == "invoice_item_details"
    )
    assert (line["amount"], line["subscription"]) == (1000, life.id)
    item = await stripe.get(
        f"invoiceitems/{line['parent']['invoice_item_details']['invoice_item']}"
    )
    assert (item["amount"], item["quantity"], item["invoice"]) == (1000, 2, bill["id"])
    assert item["parent"]["subscription_details"]["subscription"] == life.id
    pending = await stripe.get("invoiceitems", customer=life.customer, pending=True)
    assert pending["data"] == []
