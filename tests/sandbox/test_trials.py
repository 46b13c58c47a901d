"""Trials: announced, ending with and without a card, moved, ended early."""

import time

import pytest

from tests.harness import Stripe
from tests.sandbox.lives import begin

pytestmark = pytest.mark.anyio
DAY = 86400


@pytest.mark.parametrize(
    ("missing", "status"),
    [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")],
)
async def test_a_trial_ends_without_a_card(stripe: Stripe, missing: str, status: str) -> None:
    life = await begin(
        stripe,
        card=None,
        trial_period_days=10,
        trial_settings={"end_behavior": {"missing_payment_method": missing}},
    )
    found = await life.now()
    assert found["status"] == "trialing"
    assert [bill["total"] for bill in await life.invoices()] == [0]
    await life.until("trial_end")
    await stripe.control("clock/advance", seconds=2 * 3600)
    assert (await life.now())["status"] == status
    if status == "paused":
        why = (await life.now())["status_details"]["paused"]["subscription"]["type"]
        assert why == "trial_end_without_payment_method"


async def test_a_trial_with_a_card_becomes_a_subscription(stripe: Stripe) -> None:
    life = await begin(stripe, trial_period_days=10)
    await stripe.control("clock/advance", seconds=6 * DAY)
    assert "customer.subscription.trial_will_end" not in await life.events()
    await stripe.control("clock/advance", seconds=2 * DAY)
    assert (await life.events()).count("customer.subscription.trial_will_end") == 1
    await life.until("trial_end")
    assert (await life.now())["status"] == "active"
    assert (await life.invoices())[0]["status"] == "draft"
    await stripe.control("clock/advance", seconds=2 * 3600)
    assert (await life.invoices())[0]["amount_paid"] == 1500


async def test_a_trial_can_end_now(stripe: Stripe) -> None:
    life = await begin(stripe, trial_period_days=10)
    found = await life.update(trial_end="now")
    assert found["status"] == "active"
    assert (await life.invoices())[0]["amount_paid"] == 1500


@pytest.mark.parametrize(("missing", "status"), [("cancel", "canceled"), ("pause", "paused")])
async def test_a_trial_ended_now_without_a_card(stripe: Stripe, missing: str, status: str) -> None:
    life = await begin(
        stripe,
        card=None,
        trial_period_days=10,
        trial_settings={"end_behavior": {"missing_payment_method": missing}},
    )
    found = await life.update(trial_end="now")
    assert found["status"] == status
    assert len(await life.invoices()) == 1


async def test_a_trial_can_be_moved_and_repeated(stripe: Stripe) -> None:
    life = await begin(stripe)
    end = int(time.time()) + 5 * DAY
    found = await life.update(trial_end=end)
    assert (found["status"], found["trial_end"]) == ("trialing", end)
    assert found["items"]["data"][0]["current_period_end"] == end
    await stripe.control("clock/advance", seconds=3 * DAY)
    assert (await life.events()).count("customer.subscription.trial_will_end") == 1
    await life.until("trial_end")
    assert (await life.now())["status"] == "active"


async def test_a_short_trial_is_announced_immediately(stripe: Stripe) -> None:
    life = await begin(stripe, trial_period_days=1)
    await stripe.control("clock/advance", seconds=1)
    assert "customer.subscription.trial_will_end" in await life.events()
