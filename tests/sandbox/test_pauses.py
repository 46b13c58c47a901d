"""Pausing the service, and pausing collection."""

import time

import pytest

from tests.harness import Json, Stripe, until
from tests.sandbox.lives import begin, refused

pytestmark = pytest.mark.anyio


def reason(found: Json) -> str:
    return str(found["status_details"]["paused"]["subscription"]["type"])


async def test_pause_and_resume_with_a_new_cycle(stripe: Stripe) -> None:
    life = await begin(stripe)
    paused = await stripe.post(f"subscriptions/{life.id}/pause")
    assert (paused["status"], reason(paused)) == ("paused", "pause_requested")
    assert paused["items"]["data"][0]["current_period_end"] <= time.time()
    await stripe.control("clock/advance", seconds=40 * 86400)
    assert len(await life.invoices()) == 1
    resumed = await stripe.post(
        f"subscriptions/{life.id}/resume", billing_cycle_anchor={"type": "now"}
    )
    assert resumed["status"] == "active"
    assert resumed["items"]["data"][0]["current_period_end"] > time.time() + 27 * 86400
    assert resumed.get("status_details") is None
    bills = await life.invoices()
    assert [bill["status"] for bill in bills] == ["paid", "paid"]
    sent = await life.events()
    assert {"customer.subscription.paused", "customer.subscription.resumed"} <= set(sent)


async def test_cancelling_at_the_end_of_a_period_that_is_over_ends_now(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.post(f"subscriptions/{life.id}/pause")
    await stripe.control("clock/advance", seconds=40 * 86400)
    asked = int(time.time())
    await stripe.post(f"subscriptions/{life.id}", cancel_at_period_end=True)

    async def ended() -> Json | None:
        found = await life.now()
        return found if found["status"] == "canceled" else None

    found = await until(ended, "the subscription has ended")
    assert found["ended_at"] >= asked
    told = (await stripe.get("events", type="customer.subscription.deleted"))["data"]
    assert [event["data"]["object"]["id"] for event in told] == [life.id]
    assert told[0]["created"] >= asked


async def test_resume_in_the_old_cycle_is_immediate(stripe: Stripe) -> None:
    life = await begin(stripe)
    before = (await life.now())["items"]["data"][0]["current_period_end"]
    await stripe.post(
        f"subscriptions/{life.id}/pause", bill_for={"unused_time_from": {"type": "none"}}
    )
    resumed = await stripe.post(
        f"subscriptions/{life.id}/resume",
        billing_cycle_anchor={"type": "unchanged"},
        proration_behavior="none",
    )
    assert resumed["status"] == "active"
    assert resumed["items"]["data"][0]["current_period_end"] == before
    assert len(await life.invoices()) == 1


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("resume_on_payment_attempt", "past_due"), ("resume_on_payment_success", "paused")],
)
async def test_resume_whose_payment_fails(stripe: Stripe, behavior: str, status: str) -> None:
    life = await begin(stripe)
    await stripe.post(
        f"subscriptions/{life.id}/pause", bill_for={"unused_time_from": {"type": "none"}}
    )
    await life.card("pm_card_chargeCustomerFail")
    resumed = await stripe.post(f"subscriptions/{life.id}/resume", payment_behavior=behavior)
    assert resumed["status"] == status
    bill = (await life.invoices())[0]
    await stripe.post(f"invoices/{bill['id']}/pay", payment_method="pm_card_visa")
    assert (await life.now())["status"] == "active"


async def test_marking_the_invoice_uncollectible_resumes_too(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.post(
        f"subscriptions/{life.id}/pause", bill_for={"unused_time_from": {"type": "none"}}
    )
    await life.card("pm_card_chargeCustomerFail")
    await stripe.post(
        f"subscriptions/{life.id}/resume", payment_behavior="resume_on_payment_success"
    )
    bill = (await life.invoices())[0]
    await stripe.post(f"invoices/{bill['id']}/mark_uncollectible")
    assert (await life.now())["status"] == "active"


@pytest.mark.parametrize(
    "params",
    [
        {"billing_mode": {"type": "classic"}},
        {"trial_period_days": 7},
        {"collection_method": "send_invoice", "days_until_due": 3},
    ],
)
async def test_what_cannot_be_paused(stripe: Stripe, params: Json) -> None:
    life = await begin(stripe, **params)
    assert (await refused(stripe, f"subscriptions/{life.id}/pause"))["status"] == 400
    assert (await refused(stripe, f"subscriptions/{life.id}/resume"))["status"] == 400


@pytest.mark.parametrize("why", ["system", "first_payment_failure"])
async def test_every_reason_can_be_played(stripe: Stripe, why: str) -> None:
    life = await begin(stripe)
    await stripe.control(f"subscriptions/{life.id}/pause", reason=why)
    assert reason(await life.now()) == why


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")],
)
async def test_paused_collection_keeps_the_status_and_ends(
    stripe: Stripe, behavior: str, status: str
) -> None:
    life = await begin(stripe)
    resumes = int(time.time()) + 50 * 86400
    found = await life.update(pause_collection={"behavior": behavior, "resumes_at": resumes})
    assert (found["status"], found["pause_collection"]["behavior"]) == ("active", behavior)
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=2 * 3600)
    assert (await life.now())["status"] == "active"
    assert (await life.invoices())[0]["status"] == status
    await life.until("resumes_at")
    assert (await life.now())["pause_collection"] is None
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=2 * 3600)
    assert (await life.invoices())[0]["status"] == "paid"
    assert "customer.subscription.paused" not in await life.events()


async def test_paused_collection_is_resumed_by_hand(stripe: Stripe) -> None:
    life = await begin(stripe)
    await life.update(pause_collection={"behavior": "void"})
    assert (await life.update(pause_collection=""))["pause_collection"] is None
