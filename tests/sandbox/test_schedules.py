"""Subscription schedules: phases by date, released, cancelled; the portal's later switch."""

import time

import pytest

from tests.harness import Stripe
from tests.sandbox.lives import begin, events_of, refused

pytestmark = pytest.mark.anyio
DAY = 86400


async def test_a_downgrade_at_the_periods_end(stripe: Stripe) -> None:
    """This works even if the price was archived since: it was agreed while it was active."""
    life = await begin(stripe)
    cheap = await stripe.price(await stripe.product("Cheap"), 500)
    found = await stripe.control(
        f"subscriptions/{life.id}/portal_switch", price=cheap, at_period_end=True
    )
    assert found["items"]["data"][0]["price"]["id"] == life.price
    schedule = await stripe.get(f"subscription_schedules/{found['schedule']}")
    assert (schedule["status"], len(schedule["phases"])) == ("active", 2)
    await stripe.post(f"prices/{cheap}", active=False)
    await life.until("period_end")
    found = await life.now()
    assert found["items"]["data"][0]["price"]["id"] == cheap
    await stripe.control("clock/advance", seconds=2 * 3600)
    assert (await life.invoices())[0]["total"] == 500
    await life.until("period_end")
    assert (await life.now())["schedule"] is None
    schedule = await stripe.get(f"subscription_schedules/{schedule['id']}")
    assert (schedule["status"], schedule["released_subscription"]) == ("released", life.id)


async def test_a_schedule_makes_its_subscription_and_ends_it(stripe: Stripe) -> None:
    first, second = [await stripe.price(await stripe.product(f"P{n}"), 900 + n) for n in (1, 2)]
    customer = await stripe.customer("s@box.example")
    month = {"interval": "month", "interval_count": 1}
    start = int(time.time()) + 3 * DAY
    made = await stripe.post(
        "subscription_schedules",
        customer=customer,
        start_date=start,
        end_behavior="cancel",
        phases=[
            {"items": [{"price": first}], "duration": month},
            {"items": [{"price": second, "quantity": 2}], "duration": month},
        ],
    )
    assert (made["status"], made["subscription"]) == ("not_started", None)
    await stripe.control("clock/advance", seconds=3 * DAY + 1)
    made = await stripe.get(f"subscription_schedules/{made['id']}")
    assert made["status"] == "active"
    path = f"subscriptions/{made['subscription']}"
    found = await stripe.get(path)
    assert (found["status"], found["items"]["data"][0]["price"]["id"]) == ("active", first)
    await stripe.control("clock/advance", seconds=31 * DAY)
    found = await stripe.get(path)
    row = found["items"]["data"][0]
    assert (row["price"]["id"], row["quantity"]) == (second, 2)
    await stripe.control("clock/advance", seconds=32 * DAY)
    assert (await stripe.get(path))["status"] == "canceled"
    made = await stripe.get(f"subscription_schedules/{made['id']}")
    assert made["status"] == "completed"


async def test_around_a_subscription_then_updated_and_released(stripe: Stripe) -> None:
    life = await begin(stripe)
    made = await stripe.post("subscription_schedules", from_subscription=life.id)
    assert (await life.now())["schedule"] == made["id"]
    again = await refused(stripe, "subscription_schedules", from_subscription=life.id)
    assert again["status"] == 400
    other = await stripe.price(await stripe.product("Other"), 800)
    current = made["phases"][0]
    changed = await stripe.post(
        f"subscription_schedules/{made['id']}",
        phases=[
            {
                "items": [{"price": life.price}],
                "start_date": current["start_date"],
                "end_date": current["end_date"],
            },
            {"items": [{"price": other}]},
        ],
    )
    assert [phase["items"][0]["price"] for phase in changed["phases"]] == [life.price, other]
    released = await stripe.post(f"subscription_schedules/{made['id']}/release")
    assert released["status"] == "released"
    assert (await life.now())["schedule"] is None
    assert (await refused(stripe, f"subscription_schedules/{made['id']}/release"))["status"] == 400
    await life.until("period_end")
    assert (await life.now())["items"]["data"][0]["price"]["id"] == life.price


async def test_cancelling_a_schedule_cancels_its_subscription(stripe: Stripe) -> None:
    life = await begin(stripe)
    made = await stripe.post("subscription_schedules", from_subscription=life.id)
    assert (await refused(stripe, f"subscriptions/{life.id}/pause"))["status"] == 400
    ended = await stripe.post(f"subscription_schedules/{made['id']}/cancel")
    assert ended["status"] == "canceled"
    assert (await life.now())["status"] == "canceled"


async def test_the_end_of_a_schedule_is_announced_and_told(stripe: Stripe) -> None:
    """A schedule that lets go of its subscription is complete, too."""
    life = await begin(stripe)
    made = await stripe.post("subscription_schedules", from_subscription=life.id)
    left = made["phases"][0]["end_date"] - made["created"]
    await stripe.control("clock/advance", seconds=left - 7 * 86400 - 60)
    assert "subscription_schedule.expiring" not in await events_of(stripe, made["id"])
    await stripe.control("clock/advance", seconds=120)
    assert "subscription_schedule.expiring" in await events_of(stripe, made["id"])
    await stripe.control("clock/advance", seconds=7 * 86400)
    sent = await events_of(stripe, made["id"])
    assert {"subscription_schedule.released", "subscription_schedule.completed"} <= set(sent)
    assert sent.count("subscription_schedule.expiring") == 1
    assert (await life.now())["status"] == "active"


async def test_a_schedule_is_aborted_where_nobody_pays(stripe: Stripe) -> None:
    await stripe.control("settings", retry_days=[1])
    life = await begin(stripe)
    made = await stripe.post("subscription_schedules", from_subscription=life.id)
    phases = [
        {"items": [{"price": life.price}], "end_date": made["phases"][0]["end_date"]},
        {"items": [{"price": life.price}], "duration": {"interval": "year", "interval_count": 1}},
    ]
    await stripe.post(f"subscription_schedules/{made['id']}", phases=phases)
    await life.card("pm_card_chargeCustomerFail")
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=3 * 86400)
    assert (await life.now())["status"] == "canceled"
    assert "subscription_schedule.aborted" in await events_of(stripe, made["id"])


async def test_the_schedule_of_a_subscription_that_was_never_paid_ends_with_it(
    stripe: Stripe,
) -> None:
    life = await begin(stripe, card=None, payment_behavior="default_incomplete")
    made = await stripe.post("subscription_schedules", from_subscription=life.id)
    later = {"items": [{"price": life.price}], "duration": {"interval": "month"}}
    current = {
        "items": [{"price": life.price}],
        "start_date": made["phases"][0]["start_date"],
        "end_date": made["phases"][0]["end_date"],
    }
    await stripe.post(f"subscription_schedules/{made['id']}", phases=[current, later])
    await stripe.control("clock/advance", seconds=32 * DAY)
    assert (await life.now())["status"] == "incomplete_expired"
    made = await stripe.get(f"subscription_schedules/{made['id']}")
    assert made["status"] == "canceled"
