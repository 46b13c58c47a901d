"""The types of Stripe's Node SDK compile the sandbox's responses and events."""

import json
import re
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
import pytest
import stripe

from sandbox import unpublished
from tests.harness import PATIENCE
from tests.npm.install import FOLDER, MODULES
from tests.npm.test_node_sdk import told_by_python
from tests.sandbox.alone import run_alone

pytestmark = pytest.mark.slow

TYPES = {
    "account": "Account",
    "billing_portal.configuration": "BillingPortal.Configuration",
    "billing_portal.session": "BillingPortal.Session",
    "charge": "Charge",
    "checkout.session": "Checkout.Session",
    "coupon": "Coupon",
    "customer": "Customer",
    "dispute": "Dispute",
    "invoice": "Invoice",
    "invoice_payment": "InvoicePayment",
    "invoiceitem": "InvoiceItem",
    "payment_intent": "PaymentIntent",
    "payment_link": "PaymentLink",
    "payment_method": "PaymentMethod",
    "price": "Price",
    "product": "Product",
    "promotion_code": "PromotionCode",
    "refund": "Refund",
    "setup_intent": "SetupIntent",
    "subscription": "Subscription",
    "subscription_item": "SubscriptionItem",
    "test_helpers.test_clock": "TestHelpers.TestClock",
    "webhook_endpoint": "WebhookEndpoint",
}
LISTS = (
    "products",
    "prices",
    "customers",
    "payment_methods",
    "setup_intents",
    "subscriptions?status=all",
    "coupons",
    "promotion_codes",
    "invoices",
    "invoice_payments",
    "invoiceitems",
    "payment_intents",
    "charges",
    "refunds",
    "disputes",
    "checkout/sessions",
    "payment_links",
    "billing_portal/configurations",
    "webhook_endpoints",
    "test_helpers/test_clocks",
    "events",
)
EACH = 12
"""Objects of one kind, taken for being different in status."""


def test_answers_and_events_compile() -> None:
    with run_alone("--seed", "shop", "--chance", "7") as sandbox:
        told_by_python(sandbox.url)
        _more(sandbox.url)
        dump = _dump(sandbox.url)
        assert sandbox.problems() == []
    kinds = {source["object"] for source in dump}
    assert set(TYPES) - kinds <= {"subscription_item"}
    assert errors(dump) == []


def test_a_wrong_answer_does_not_compile() -> None:
    """Unknown enum values do: Stripe's enums are open, in its types too."""
    with run_alone("--seed", "shop") as sandbox:
        listed = httpx.get(f"{sandbox.url}/v1/subscriptions", headers=_KEY, timeout=PATIENCE)
        rows = listed.json()["data"]
    good = rows[0]
    wrong = [
        {**good, "status": 7},
        {**good, "nonsense": 1},
        {key: value for key, value in good.items() if key != "items"},
        {**good, "cancel_at": "tomorrow"},
    ]
    found = " ".join(errors([good, *wrong]))
    assert set(re.findall(r"\((\d+),\d+\): error", found)) == {"3", "4", "5", "6"}


_KEY = {"Authorization": "Bearer sk_test_types"}


def _more(url: str) -> None:
    """Objects the seeded shop doesn't have."""
    client = stripe.StripeClient("sk_test_types", base_addresses={"api": url}).v1
    clock = client.test_helpers.test_clocks.create({"frozen_time": 1_790_000_000})
    client.customers.create({"name": "Timed", "test_clock": clock.id})
    customer = client.customers.create({"name": "Portal"})
    client.billing_portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    client.setup_intents.create({"customer": customer.id})
    client.invoice_items.create({"customer": customer.id, "amount": 500, "currency": "usd"})
    client.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["invoice.paid"]}
    )
    coupon = client.coupons.create({"percent_off": 10, "duration": "once"})
    client.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    price = client.prices.list({"type": "one_time", "active": True, "limit": 1}).data[0]
    client.payment_links.create({"line_items": [{"price": price.id, "quantity": 1}]})
    charge = next(
        row for row in client.charges.list({"limit": 100}).data if row.paid and not row.refunded
    )
    disputed = f"{url}/_sandbox/charges/{charge.id}/dispute"
    httpx.post(disputed, json={}, timeout=PATIENCE).raise_for_status()


def _dump(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with httpx.Client(base_url=f"{url}/v1/", headers=_KEY, timeout=PATIENCE) as client:
        found.append(client.get("account").json())
        customers = client.get("customers").json()["data"]
        for path in LISTS:
            join = "&" if "?" in path else "?"
            rows = client.get(f"{path}{join}limit=100").raise_for_status().json()["data"]
            found += _different(rows)
        session = client.post("billing_portal/sessions", data={"customer": customers[0]["id"]})
        found.append(session.raise_for_status().json())
    return found


def _different(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to `EACH` rows, those first that differ by type or status."""
    by_look: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_look.setdefault(f"{row.get('type')}/{row.get('status')}", row)
    rest = [row for row in rows if row not in by_look.values()]
    return [*by_look.values(), *rest[: max(0, EACH - len(by_look))]]


def type_of(source: dict[str, Any]) -> str:
    """The SDK's name for what an object is; an event has one by its type."""
    if source["object"] == "event":
        words = re.split(r"[._]", source["type"].replace("invoiceitem", "invoice_item"))
        return "".join(word.capitalize() for word in words) + "Event"
    return TYPES[source["object"]]


def _published(node: Any) -> Any:
    """A copy without the keys that Stripe sends but doesn't publish."""
    if isinstance(node, list):
        return [_published(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    hidden = (*unpublished.KEYS.get(str(node.get("object")), ()), "total_count")
    return {key: _published(value) for key, value in node.items() if key not in hidden}


def _literal(source: dict[str, Any]) -> str:
    """The object as TypeScript; the SDK turns decimal texts into a class of its own."""
    source = _published(source)
    return re.sub(r'("\w+_decimal": )("[-0-9.]+")', r"\1(\2 as any)", json.dumps(source))


def errors(dump: list[dict[str, Any]]) -> list[str]:
    """What the compiler says about the objects, each declared with its type."""
    assert MODULES.exists(), "nothing from npm: run `python -m tests.npm.install`"
    lines = ['import type Stripe from "stripe";']
    lines += [
        f"export const o{number}: Stripe.{type_of(source)} = {_literal(source)};"
        for number, source in enumerate(dump)
    ]
    with NamedTemporaryFile("w", suffix=".ts", dir=FOLDER) as dump_file:
        dump_file.write("\n".join(lines))
        dump_file.flush()
        return _compile(Path(dump_file.name).name)


def _compile(name: str) -> list[str]:
    done = subprocess.run(
        [
            "node",
            str(MODULES / "typescript" / "bin" / "tsc"),
            *("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"),
            *("--module", "nodenext", "--moduleResolution", "nodenext", name),
        ],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0 or name in done.stdout, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "error TS" in line]
