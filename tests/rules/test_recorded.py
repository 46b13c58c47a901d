"""Our reading of real Stripe answers, if the recorded dialogues are available."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from latchkey.rules import reading
from latchkey.rules.access import judge_order, judge_subscription
from latchkey.rules.policy import DEFAULT_POLICY
from tests.sandbox.recorded.accounts import objects

Json = dict[str, Any]
NOW = datetime.now(UTC)
BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("LATCHKEY_REFERENCE_DATA", BESIDE))
present = pytest.mark.skipif(
    not (FOLDER / "stripe-recorded.jsonl").exists(),
    reason="the recorded dialogues are not part of the project: set LATCHKEY_REFERENCE_DATA",
)


def recorded(kind: str) -> list[Json]:
    found = []
    for line in (FOLDER / "stripe-recorded.jsonl").read_text().splitlines():
        answer = json.loads(line)
        found += [one for one in objects(answer) if one["object"] == kind and "created" in one]
    samples = json.loads((FOLDER / "stripe-fixtures3.json").read_text())
    found += [one for one in objects(samples) if one["object"] == kind and "created" in one]
    return found


SUBSCRIPTION_LIVES = {
    "test_cancel_now_when_on_trial": ["trial", "canceled"],
    "test_cancel_now_when_scheduled_for_cancellation": ["running", "ends", "canceled"],
    "test_stripe_allows_subscription_quantities": ["running"],
    "test_stripe_can_create_a_subscription": ["running"],
    "test_stripe_can_issue_credit_note_for_a_refund_for_Stripe_tax": ["running", "running"],
    "test_stripe_can_pause_and_resume_a_subscription": ["running", "running, paused", "running"],
    "test_stripe_can_swap_a_subscription": ["running", "running"],
    "test_stripe_card_is_automatically_updated_on_subscribe": ["running"],
    "test_stripe_fails_when_subscribing_with_SCA_card": ["excluded_by_policy"],
    "test_stripe_handles_coupons": ["running"],
    "test_stripe_prices_api": ["running"],
    "test_stripe_resume_on_grace_period": ["running", "ends", "running"],
    "test_stripe_trial_period_options": ["trial"],
}
"""What each answer of a dialogue gives, in its order: why there is access or isn't, "ends" where
it is scheduled to, "paused" where the collection of payments is."""


@present
def test_every_recorded_dialogue_gives_the_access_its_case_is_about() -> None:
    lives: dict[str, list[str]] = {}
    for line in (FOLDER / "stripe-recorded.jsonl").read_text().splitlines():
        answer = json.loads(line)
        if answer["body"].get("object") == "subscription":
            lives.setdefault(answer["case"], []).append(_given_by(answer["body"]))
    assert lives == SUBSCRIPTION_LIVES


def _given_by(source: Json) -> str:
    """The verdict at the time of the recording, by its own timestamps."""
    one = reading.subscription(source)
    as_of = max(t for t in (one.created, one.canceled_at, one.ended_at) if t)
    verdict = judge_subscription(one, DEFAULT_POLICY, past_due_since=None, as_of=as_of)
    gives = ("running", "trial")
    assert verdict.access is (verdict.reason in gives), source["id"]
    if not verdict.access:
        return verdict.reason
    if verdict.until:
        assert verdict.until == one.scheduled_end == one.period_end
        return "ends"
    return f"{verdict.reason}, paused" if one.collection_paused else verdict.reason


@present
def test_every_sample_subscription_gives_what_its_status_says() -> None:
    found = recorded("subscription")
    for source in found:
        one = reading.subscription(source)
        assert one.id == source["id"]
        verdict = judge_subscription(one, DEFAULT_POLICY, past_due_since=NOW, as_of=NOW)
        over = one.scheduled_end is not None and one.scheduled_end <= NOW
        expected = one.status in ("active", "trialing", "past_due") and not over
        assert verdict.access is expected, source["id"]
    assert found, "there is no subscription in the recorded dialogues"


@present
def test_every_recorded_checkout_session_reads() -> None:
    count = 0
    for source in recorded("checkout.session"):
        one = reading.checkout_session(source, lines=[])
        verdict = judge_order(one, DEFAULT_POLICY, as_of=NOW)
        paid = one.payment_status in ("paid", "no_payment_required")
        if one.status != "complete" or not paid:
            assert not verdict.access
        count += 1
    assert count


@present
def test_every_recorded_invoice_and_payment_reads() -> None:
    count = 0
    for source in recorded("invoice"):
        one = reading.invoice(source, lines=source["lines"]["data"])
        assert one.id == source["id"]
        count += 1
    for source in recorded("payment_intent"):
        found = reading.payment(source)
        assert found is not None
        assert found.payment_intent == source["id"]
        count += 1
    assert count


@present
def test_every_recorded_product_price_and_customer_reads() -> None:
    for source in recorded("product"):
        assert reading.stripe_product(source).id == source["id"]
    for source in recorded("price"):
        assert reading.price(source).id == source["id"]
    for source in recorded("customer"):
        found = reading.customer(source)
        assert found is not None
        assert found.id == source["id"]
