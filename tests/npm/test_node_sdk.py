"""One scenario, run by Stripe's Node SDK and by its Python SDK, with the same result."""

import json
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import stripe

from tests.npm.install import FOLDER, MODULES
from tests.sandbox.alone import Alone

pytestmark = pytest.mark.slow

STORY = Path(__file__).with_name("story.mjs")


def test_both_sdks_get_the_same_results(alone: Alone) -> None:
    by_node = told_by_node(alone.url)
    alone.reset()
    by_python = told_by_python(alone.url)
    assert by_node == by_python
    assert len(by_node) == 12
    assert alone.problems() == []


def told_by_node(url: str) -> list[Any]:
    assert MODULES.exists(), "nothing from npm: run `python -m tests.npm.install`"
    with NamedTemporaryFile(suffix=".mjs", dir=FOLDER) as script:
        script.write(STORY.read_bytes())
        script.flush()
        done = subprocess.run(
            ["node", script.name, url], capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def told_by_python(url: str) -> list[Any]:
    client = stripe.StripeClient(
        "sk_test_story", base_addresses={"api": url}, max_network_retries=0
    ).v1
    told: list[Any] = []
    product = client.products.create({"name": "Story"})
    price = client.prices.create(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 990,
            "recurring": {"interval": "month"},
        }
    )
    customer = client.customers.create(
        {
            "email": "reader@story.example",
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
            "metadata": {"kind": "story"},
        }
    )
    metadata: Any = customer.metadata
    told.append(["customer", [customer.email, metadata["kind"], customer.livemode]])
    made: Any = client.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price.id}], "expand": ["latest_invoice"]}
    )
    bill = made.latest_invoice
    item = made["items"].data[0]
    told.append(
        ["subscription", [made.status, item.price.unit_amount, bill.status, bill.amount_paid]]
    )
    made = client.subscriptions.update(made.id, {"cancel_at_period_end": True})
    told.append(["ending", made.cancel_at == made["items"].data[0].current_period_end])
    made = client.subscriptions.update(made.id, {"cancel_at_period_end": False})
    told.append(["going on", made.cancel_at])
    for email in ("a@story.example", "b@story.example", "c@story.example"):
        client.customers.create({"email": email, "metadata": {"walked": "yes"}})
    walked = [row.email for row in client.customers.list({"limit": 2}).auto_paging_iter()]
    told.append(["walk", walked])
    session = client.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 1}],
            "success_url": "https://example.com/",
        }
    )
    told.append(["session", [session.status, session.amount_total, session.currency]])
    with pytest.raises(stripe.CardError) as declined:
        client.payment_intents.create(
            {
                "amount": 100,
                "currency": "eur",
                "payment_method": "pm_card_chargeDeclined",
                "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )
    body: Any = declined.value.json_body
    told.append(
        [
            "declined",
            ["StripeCardError", declined.value.code, body["error"]["decline_code"], 402],
        ]
    )
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.customers.retrieve("cus_nobody")
    error = missing.value
    told.append(
        ["missing", ["StripeInvalidRequestError", error.code, error.param, error.http_status]]
    )
    first, again = (
        client.customers.create({"name": "Once"}, {"idempotency_key": "story"}) for _ in range(2)
    )
    told.append(["idempotent", first.id == again.id])
    found = client.customers.search({"query": 'metadata["walked"]:"yes" AND email~"b@story"'})
    told.append(["search", [row.email for row in found.data]])
    made = client.subscriptions.cancel(made.id)
    told.append(["cancelled", [made.status, made.ended_at is not None]])
    events = client.events.list({"type": "customer.subscription.deleted"})
    told.append(["events", [event.data.object["id"] == made.id for event in events.data]])
    return told
