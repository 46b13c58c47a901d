"""How many calls of Stripe's generated SDK examples the sandbox answers as Stripe would.

python -m bench.sdk_examples http://127.0.0.1:12111
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
TABLE = Path(__file__).with_name("sdk_examples.txt")
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Example:
    """One call: what stands in braces is the id of an object to be made first."""

    method: str
    path: str
    form: tuple[tuple[str, str], ...]


def examples() -> Iterator[Example]:
    """All calls of the table."""
    head, form = "", list[tuple[str, str]]()
    for line in [*TABLE.read_text().splitlines(), "END END"]:
        if line.startswith("    "):
            name, _, value = line.strip().partition("=")
            form.append((name, value))
        elif not line.startswith("#"):
            if head:
                method, path = head.split()
                yield Example(method, path, tuple(form))
            head, form = line, []


@dataclass
class Made:
    """What was made for one example: each name once, with what it depends on."""

    client: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)
    recipes: "dict[str, Recipe] | None" = None

    def post(self, path: str, **form: object) -> Json:
        answer = self.client.post(f"/v1/{path}", data=_encoded(form))
        assert answer.status_code == 200, f"{path}: {answer.text}"
        found: Json = answer.json()
        return found

    def get(self, path: str) -> Json:
        found: Json = self.client.get(f"/v1/{path}").json()
        return found

    def id(self, name: str) -> str:
        """The id that a name stands for."""
        if name not in self.ids:
            self.ids[name] = (self.recipes or RECIPES)[name](self)
        return self.ids[name]

    def fill(self, text: str) -> str:
        """A text with ids in place of names."""
        return _NAME.sub(lambda match: self.id(match[1]), text)


def _encoded(form: dict[str, object]) -> dict[str, str]:
    """Parameters as a form; `a__b=1` is `a[b]=1`."""
    made = {}
    for name, value in form.items():
        first, *rest = name.split("__")
        key = first + "".join(f"[{part}]" for part in rest)
        made[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return made


Recipe = Callable[[Made], str]


def recipe(path: str, **form: str | int | bool) -> Recipe:
    """Made by one call, whose values may name other objects."""

    def make(made: Made) -> str:
        filled = {
            name: made.fill(value) if isinstance(value, str) else value
            for name, value in form.items()
        }
        return str(made.post(made.fill(path), **filled)["id"])

    return make


def after(name: str, step: str, **form: str | int | bool) -> Recipe:
    """Another object, after one more call."""

    def make(made: Made) -> str:
        made_id = (made.recipes or RECIPES)[name](made)
        recipe(f"{step.format(made_id)}", **form)(made)
        return made_id

    return make


def _line(made: Made) -> str:
    return str(made.get(f"invoices/{made.id('open_invoice')}")["lines"]["data"][0]["id"])


def _open_invoice(made: Made) -> str:
    bill = made.post("invoices", customer=made.id("customer"))["id"]
    made.post(
        "invoiceitems", customer=made.id("customer"), invoice=bill, amount=1100, currency="usd"
    )
    return str(made.post(f"invoices/{bill}/finalize")["id"])


def _charge(made: Made) -> str:
    return str(made.get(f"payment_intents/{made.id('paid_intent')}")["latest_charge"])


def _dispute(made: Made) -> str:
    made.post("charges", amount=900, currency="usd", source="tok_createDispute")
    return str(made.get("disputes?limit=1")["data"][0]["id"])


def _latest(path: str) -> Recipe:
    """The newest of a list, after a charge."""

    def make(made: Made) -> str:
        made.id("charge")
        return str(made.get(f"{path}?limit=1")["data"][0]["id"])

    return make


def _mandate(made: Made) -> str:
    intent = made.post(
        "payment_intents",
        amount=900,
        currency="eur",
        allowed_payment_method_types__0="sepa_debit",
        payment_method_data__type="sepa_debit",
        payment_method_data__sepa_debit__iban="AT321904300235473204",
        mandate_data__customer_acceptance__type="offline",
        confirm=True,
    )
    charge = made.get(f"charges/{intent['latest_charge']}")
    return str(charge["payment_method_details"]["sepa_debit"]["mandate"])


_HELD: dict[str, str | int | bool] = {
    "amount": 1099,
    "currency": "usd",
    "capture_method": "manual",
    "payment_method": "pm_card_visa",
    "confirm": True,
}
_MONTHLY: dict[str, str | int | bool] = {
    "currency": "usd",
    "unit_amount": 900,
    "recurring__interval": "month",
    "product": "{product}",
}
RECIPES: dict[str, Recipe] = {
    "bank_account": recipe("customers/{customer}/sources", source="{bank_token}"),
    "bank_token": recipe(
        "tokens", bank_account__country="US", bank_account__account_number="000123456789"
    ),
    "card": recipe("customers/{customer}/sources", source="{token}"),
    "charge": _charge,
    "clock": recipe("test_helpers/test_clocks", frozen_time=1675000000),
    "configuration": recipe("payment_method_configurations", name="Shop"),
    "coupon": recipe("coupons", percent_off=20),
    "credit": recipe("customers/{customer}/balance_transactions", amount=-100, currency="usd"),
    "credit_note": recipe("credit_notes", invoice="{open_invoice}", amount=100),
    "customer": recipe("customers", email="sdk@example.com", source="tok_visa"),
    "customer_tax_id": recipe("customers/{customer}/tax_ids", type="eu_vat", value="DE123456789"),
    "discounted_subscription": recipe(
        "subscriptions",
        customer="{customer}",
        items__0__price="{price}",
        discounts__0__coupon="{forever}",
    ),
    "dispute": _dispute,
    "endpoint": recipe(
        "webhook_endpoints", url="https://example.com/in", enabled_events__0="charge.failed"
    ),
    "event": _latest("events"),
    "forever": recipe("coupons", percent_off=20, duration="forever"),
    "growing_intent": recipe(
        "payment_intents",
        **_HELD,
        payment_method_options__card__request_incremental_authorization="if_available",
    ),
    "held_charge": recipe("charges", amount=900, currency="usd", source="tok_visa", capture=False),
    "held_intent": recipe("payment_intents", **_HELD),
    "intent": recipe("payment_intents", amount=900, currency="usd"),
    "invoice": recipe("invoices", customer="{customer}"),
    "invoiceitem": recipe("invoiceitems", customer="{customer}", amount=900, currency="usd"),
    "item": lambda made: str(
        made.get(f"subscriptions/{made.id('subscription')}")["items"]["data"][0]["id"]
    ),
    "line": _line,
    "link": recipe("payment_links", line_items__0__price="{price}", line_items__0__quantity=1),
    "mandate": _mandate,
    "method": recipe("payment_methods", type="card", card__token="tok_visa"),
    "once_price": recipe("prices", currency="usd", unit_amount=900, product="{product}"),
    "open_invoice": _open_invoice,
    "open_quote": after("quote", "quotes/{}/finalize"),
    "other_price": recipe("prices", **_MONTHLY),
    "paid_intent": recipe("payment_intents", **{**_HELD, "capture_method": "automatic"}),
    "payout": lambda made: _payout(made),
    "plan": recipe("plans", amount=900, currency="usd", interval="month", product="{product}"),
    "portal": recipe("billing_portal/configurations", features__invoice_history__enabled=True),
    "price": recipe("prices", **_MONTHLY),
    "product": recipe("products", name="Book"),
    "promotion_code": recipe(
        "promotion_codes", promotion__type="coupon", promotion__coupon="{coupon}"
    ),
    "quote": recipe("quotes", customer="{customer}", line_items__0__price="{price}"),
    "refund": recipe("refunds", charge="{charge}"),
    "saved_method": after("method", "payment_methods/{}/attach", customer="{customer}"),
    "schedule": recipe("subscription_schedules", from_subscription="{subscription}"),
    "session": recipe(
        "checkout/sessions",
        mode="subscription",
        success_url="https://example.com/thanks",
        line_items__0__price="{price}",
        line_items__0__quantity=1,
    ),
    "setup_intent": recipe("setup_intents", usage="off_session"),
    "shipping_rate": recipe(
        "shipping_rates",
        display_name="Post",
        fixed_amount__amount=400,
        fixed_amount__currency="usd",
    ),
    "source": recipe("sources", type="card", token="tok_visa"),
    "subscription": recipe("subscriptions", customer="{customer}", items__0__price="{price}"),
    "tax_code": lambda made: str(made.get("tax_codes")["data"][0]["id"]),
    "tax_id": recipe("tax_ids", type="eu_vat", value="DE123456789"),
    "tax_rate": recipe("tax_rates", display_name="VAT", percentage=19, inclusive=False),
    "token": recipe(
        "tokens", card__number="4242424242424242", card__exp_month=5, card__exp_year=2033
    ),
    "transaction": _latest("balance_transactions"),
    "waiting_intent": lambda made: _waiting(made),
}


def _payout(made: Made) -> str:
    made.post("charges", amount=2000, currency="usd", source="tok_bypassPending")
    return str(made.post("payouts", amount=1000, currency="usd")["id"])


def _waiting(made: Made) -> str:
    """A payment that waits for a bank transfer, with cash that isn't applied by itself."""
    customer = made.id("customer")
    made.post(f"customers/{customer}/cash_balance", settings__reconciliation_mode="manual")
    made.post(f"test_helpers/customers/{customer}/fund_cash_balance", amount=900, currency="eur")
    made_id = made.post(
        "payment_intents",
        amount=900,
        currency="eur",
        customer=customer,
        allowed_payment_method_types__0="customer_balance",
        payment_method_data__type="customer_balance",
        confirm=True,
    )["id"]
    return str(made_id)


def answered(client: httpx.Client, example: Example) -> tuple[str, str]:
    """What an example comes to (`200`, Stripe's own `400` or `404`, `unsupported`, `unknown`,
    `fault`), and the message of an error."""
    made = Made(client)
    path = made.fill(example.path)
    form = {name: made.fill(value) for name, value in example.form}
    if example.method == "GET":
        answer = client.get(path, params=form)
    else:
        answer = client.request(example.method, path, data=form)
    if answer.status_code == 200:
        return "200", ""
    error = answer.json().get("error", {}) if "json" in answer.headers["content-type"] else {}
    message = str(error.get("message", answer.text))
    if error.get("code") == "sandbox_unsupported":
        return "unsupported", message
    if "Unrecognized request URL" in message:
        return "unknown", message
    return (str(answer.status_code) if answer.status_code in (400, 402, 404) else "fault"), message


def count(url: str, *, key: str = "sk_test_examples") -> tuple[Counter[str], list[str]]:
    """How many examples come to what, at the sandbox behind an address, and one line for each that
    isn't answered with 200."""
    counts: Counter[str] = Counter()
    notes = []
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        for example in examples():
            outcome, message = answered(client, example)
            counts[outcome] += 1
            if outcome != "200":
                notes.append(f"{outcome} {example.method} {example.path}: {message}")
    return counts, notes


if __name__ == "__main__":
    counted, told = count(sys.argv[1])
    print("\n".join([*told, ", ".join(f"{k}: {n}" for k, n in counted.most_common())]))
