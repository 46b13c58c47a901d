"""The scenes in which parameters are sent: `scenes.txt`, call by call."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.sdk_examples import RECIPES as EXAMPLES
from bench.sdk_examples import Made, Recipe, recipe
from bench.sdk_examples import after as _after
from sandbox.accounting import arrive
from sandbox.buying import Buyer, pay
from sandbox.shop import Shop

TABLE = Path(__file__).with_name("scenes.txt")
_DAY = 86400
_NOW = 1_800_014_400
_DESCRIBED = (
    "acss_debit", "au_becs_debit", "bacs_debit", "boleto", "eps", "fpx", "ideal", "klarna",
    "naver_pay", "nz_bank_account", "p24", "payto", "sepa_debit", "sofort", "upi",
    "us_bank_account",
)  # fmt: skip
"""Kinds of payment methods that have details of their own."""


def _with_card(card: str) -> Recipe:
    """A customer who pays with a test card."""
    return recipe("customers", payment_method=card, invoice_settings__default_payment_method=card)


def _subscribed(customer: str = "customer", **form: str | int | bool) -> Recipe:
    return recipe(
        "subscriptions", **{"customer": f"{{{customer}}}", "items__0__price": "{price}", **form}
    )


def _item_of(name: str, place: int = 0) -> Recipe:
    """An item of a subscription."""

    def find(made: Made) -> str:
        rows = made.get(f"subscriptions/{made.id(name)}")["items"]["data"]
        return str(rows[place]["id"])

    return find


def _line_of(kind: str, name: str, inner: str) -> Recipe:
    def find(made: Made) -> str:
        return str(made.get(f"{kind}/{made.id(name)}{inner}")["data"][0]["id"])

    return find


def _authenticating(made: Made) -> str:
    """A subscription whose next payments ask for 3-D Secure."""
    made_id = _subscribed("second_customer")(made)
    card = "pm_card_threeDSecure2Required"
    customer = made.id("second_customer")
    made.post(f"customers/{customer}", source="tok_threeDSecure2Required")
    method = made.post(f"payment_methods/{card}/attach", customer=customer)["id"]
    made.post(f"customers/{customer}", invoice_settings__default_payment_method=method)
    return made_id


def _paid_invoice(made: Made) -> str:
    bill = made.id("paying_invoice")
    return str(made.post(f"invoices/{bill}/pay")["id"])


def _filled(name: str, **form: str | int | bool) -> Recipe:
    """A draft with a line."""

    def make(made: Made) -> str:
        bill = recipe("invoices", customer="{customer}", **form)(made)
        recipe("invoiceitems", customer="{customer}", invoice=bill, amount=1100, currency="usd")(
            made
        )
        return bill

    return make


def _open(name: str) -> Recipe:
    def make(made: Made) -> str:
        return str(made.post(f"invoices/{made.id(name)}/finalize")["id"])

    return make


def _paused_unpaid(made: Made) -> str:
    """A paused subscription whose customer's card fails."""
    customer = recipe("customers", source="tok_visa")(made)
    made_id = str(
        made.post(
            "subscriptions",
            customer=customer,
            items__0__price=made.id("price"),
            billing_mode__type="flexible",
        )["id"]
    )
    made.post(f"subscriptions/{made_id}/pause", type="subscription")
    made.post(f"customers/{customer}", source="tok_chargeCustomerFail", balance=5000)
    return made_id


def _shop(made: Made) -> Shop:
    shop: Shop = made.client.account.shop  # type: ignore[attr-defined]
    return shop


def _paid_payout(made: Made) -> str:
    found = _shop(made).find("payout", made.id("payout"))
    arrive(_shop(made), found)
    return str(found["id"])


def _paid_session(made: Made) -> str:
    session = recipe(
        "checkout/sessions",
        mode="payment",
        success_url="https://example.com/ok",
        line_items__0__price="{once_price}",
        line_items__0__quantity=1,
    )(made)
    buyer = Buyer(email="buyer@example.com", name="Buyer")
    pay(_shop(made), _shop(made).find("checkout.session", session), buyer)
    return session


def _authenticating_invoice(made: Made) -> str:
    customer = made.id("authenticating_customer")
    bill = str(made.post("invoices", customer=customer)["id"])
    made.post("invoiceitems", customer=customer, invoice=bill, amount=1100, currency="usd")
    return str(made.post(f"invoices/{bill}/finalize")["id"])


def _invoice_refund(made: Made) -> str:
    """A refund of an invoice's payment."""
    found = made.get(f"invoice_payments?invoice={made.id('paid_invoice')}")["data"][0]
    intent = found["payment"]["payment_intent"]
    return str(made.post("refunds", payment_intent=intent, amount=400)["id"])


_MANY: dict[str, str | int | bool] = {
    "currency": "usd",
    "unit_amount": 900,
    "product": "{product}",
    "currency_options__eur__unit_amount": 800,
}
RECIPES: dict[str, Recipe] = EXAMPLES | {
    "whole_portal": recipe(
        "billing_portal/configurations",
        features__customer_update__enabled=True,
        features__customer_update__allowed_updates__0="email",
        features__payment_method_update__enabled=True,
        features__subscription_cancel__enabled=True,
        features__subscription_pause__enabled=True,
        features__subscription_update__enabled=True,
        features__subscription_update__default_allowed_updates__0="price",
        features__subscription_update__default_allowed_updates__1="quantity",
        features__subscription_update__products__0__product="{product}",
        features__subscription_update__products__0__prices__0="{other_price}",
    ),
    "second_customer": recipe("customers", email="second@example.com", source="tok_visa"),
    "other_customer": recipe("customers", email="other@example.com", source="tok_mastercard"),
    "bare_customer": recipe("customers", email="bare@example.com"),
    "authenticating_customer": _with_card("pm_card_threeDSecure2Required"),
    "other_product": recipe("products", name="Other book"),
    "many_price": recipe("prices", **_MANY),
    "many_price_monthly": recipe("prices", **_MANY, recurring__interval="month"),
    "feature": recipe("entitlements/features", name="Forum", lookup_key="forum"),
    "any_setup": recipe(
        "setup_intents",
        **{f"allowed_payment_method_types__{place}": kind for place, kind in enumerate(_DESCRIBED)},
    ),
    "done_setup": recipe("setup_intents", payment_method="pm_card_visa", confirm=True),
    "link_line": _line_of("payment_links", "link", "/line_items"),
    "draft_to_open": _filled("draft"),
    "draft_to_pay": _filled("draft"),
    "other_open_invoice": _open("draft_to_open"),
    "paying_invoice": _open("draft_to_pay"),
    "paid_invoice": _paid_invoice,
    "ready_invoice": _filled("ready"),
    "sent_invoice": _filled("sent", collection_method="send_invoice", days_until_due=20),
    "other_line": _line_of("invoices", "other_open_invoice", "/lines"),
    "paused": _after("flexible", "subscriptions/{}/pause", type="subscription"),
    "flexible": _subscribed(billing_mode__type="flexible"),
    "two_items": _subscribed(items__1__price="{other_price}"),
    "second_item": _item_of("two_items", 1),
    "authenticating": _authenticating,
    "authenticating_item": _item_of("authenticating"),
    "trialing": _subscribed(trial_period_days=5),
    "bare_trialing": _subscribed("bare_customer", trial_period_days=5),
    "paused_collection": _after("trialless", "subscriptions/{}", pause_collection__behavior="void"),
    "trialless": _subscribed(),
    "cancelling": _after("trialless", "subscriptions/{}", cancel_at_period_end=True),
    "with_items": _after(
        "trialless", "subscriptions/{}", items__0__price="{other_price}", items__0__quantity=3
    ),
    "once_link": recipe(
        "payment_links", line_items__0__price="{once_price}", line_items__0__quantity=1
    ),
    "waiting_source": recipe(
        "sources",
        type="klarna",
        amount=900,
        currency="eur",
        redirect__return_url="https://example.com/",
    ),
    "authenticating_invoice": _authenticating_invoice,
    "funds": recipe("charges", amount=90000, currency="usd", source="tok_bypassPending"),
    "paid_payout": _paid_payout,
    "paid_session": _paid_session,
    "offered": recipe("products/{product}/features", entitlement_feature="{feature}"),
    "entitled": _subscribed("second_customer"),
    "pending_item": recipe("invoiceitems", customer="{bare_customer}", amount=900, currency="usd"),
    "named_price": recipe("prices", **_MANY, lookup_key="abc"),
    "paused_unpaid": _paused_unpaid,
    "other_refund": lambda made: str(
        made.post(
            "refunds",
            charge=made.post("charges", amount=900, currency="usd", source="tok_visa")["id"],
        )["id"]
    ),
    "invoice_refund": _invoice_refund,
    "matching_intent": recipe(
        "payment_intents", amount=1100, currency="usd", customer="{customer}"
    ),
    "later_schedule": recipe(
        "subscription_schedules",
        customer="{customer}",
        start_date=_NOW + 86000,
        phases__0__items__0__price="{price}",
        phases__0__duration__interval="month",
    ),
    "ending_schedule": recipe(
        "subscription_schedules",
        customer="{customer}",
        start_date="now",
        end_behavior="cancel",
        phases__0__items__0__price="{price}",
        phases__0__duration__interval="month",
    ),
    "record": recipe(
        "payment_records/report_payment",
        amount_requested__value=900,
        amount_requested__currency="usd",
        initiated_at=1_800_000_000,
        payment_method_details__type="custom",
        payment_method_details__custom__display_name="Cash",
        outcome="guaranteed",
        guaranteed__guaranteed_at=1_800_000_000,
    ),
}


@dataclass(frozen=True)
class Scene:
    """One call in one situation: its form, what is there before it, and what happens after it."""

    method: str
    path: str
    form: tuple[tuple[str, str], ...] = ()
    before: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def scenes(text: str) -> Iterator[Scene]:
    """Read scenes: a call on a line of its own, below it `name=value`,
    `< name` for an object that is there before, and `> step` for what happens next."""
    head = ""
    form: list[tuple[str, str]] = []
    before: list[str] = []
    steps: list[str] = []
    for line in [*text.splitlines(), "END END"]:
        if line.startswith("    "):
            word = line.strip()
            if word.startswith("> "):
                steps.append(word[2:])
            elif word.startswith("< "):
                before += word[2:].split()
            else:
                for pair in word.split(" & "):
                    name, _, value = pair.partition("=")
                    form.append((name, value))
        elif line and not line.startswith("#"):
            if head:
                method, path = head.split()
                yield Scene(method, path, tuple(form), tuple(before), tuple(steps))
            head, form, before, steps = line, [], [], []


SCENES = tuple(scenes(TABLE.read_text()))
