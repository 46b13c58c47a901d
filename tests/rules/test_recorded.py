"""Our reading of what real Stripe answered, where the recorded dialogues are at hand."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from latchkey.rules import reading
from latchkey.rules.access import judge_order, judge_subscription
from latchkey.rules.policy import DEFAULT_POLICY

Json = dict[str, Any]
NOW = datetime.now(UTC)
BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("LATCHKEY_REFERENCE_DATA", BESIDE))
present = pytest.mark.skipif(
    not (FOLDER / "stripe-recorded.jsonl").exists(),
    reason="the recorded dialogues are not part of the project: set LATCHKEY_REFERENCE_DATA",
)


def objects(node: Any) -> Iterator[Json]:
    """Every Stripe object in an answer, the expanded ones too."""
    if isinstance(node, dict):
        if isinstance(node.get("object"), str) and "id" in node:
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for entry in node:
            yield from objects(entry)


def recorded(kind: str) -> list[Json]:
    found = []
    for line in (FOLDER / "stripe-recorded.jsonl").read_text().splitlines():
        answer = json.loads(line)
        found += [one for one in objects(answer) if one["object"] == kind and "created" in one]
    samples = json.loads((FOLDER / "stripe-fixtures3.json").read_text())
    found += [one for one in objects(samples) if one["object"] == kind and "created" in one]
    return found


@present
def test_every_recorded_subscription_reads_and_gives_what_its_status_says() -> None:
    seen: Counter[tuple[str, bool]] = Counter()
    for source in recorded("subscription"):
        one = reading.subscription(source)
        assert one.id == source["id"]
        verdict = judge_subscription(one, DEFAULT_POLICY, past_due_since=NOW, as_of=NOW)
        over = one.scheduled_end is not None and one.scheduled_end <= NOW
        expected = one.status in ("active", "trialing", "past_due") and not over
        assert verdict.access is expected, source["id"]
        seen[one.status, verdict.access] += 1
    assert seen, "there is no subscription in the recorded dialogues"


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
