"""Which entry of Stripe's changelog explains what a recorded answer lacks.

The sandbox leaves these fields out of answers of an older version, so they aren't differences; this
table says why it does. An entry without a page in the changelog has the SDK's release.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.schema import Published
from sandbox.versions import added, version_of
from sandbox.versions.families import OLDEST

Json = dict[str, Any]
_PAGES, _SDK = (
    "https://docs.stripe.com/changelog",
    "https://github.com/stripe/stripe-python/releases",
)


@dataclass(frozen=True)
class Entry:
    """One entry: the version that it is about, its title and its address."""

    version: str
    title: str
    address: str


def _page(version: str, page: str, title: str) -> Entry:
    day, _, name = version.partition(".")
    return Entry(version, title, f"{_PAGES}/{name}/{day}/{page}")


_ACCOUNTS = _page(
    "2025-12-15.clover",
    "accounts-v2-v1-api-support",
    "Adds the customer account property to v1 APIs for Accounts v2 interoperability",
)
_DECIMALS = _page(
    "2026-03-25.dahlia",
    "invoice-items-decimal-quantity",
    "Adds decimal quantity support for Invoice Items and Invoice Line Items",
)
_MANAGED = _page(
    "2026-04-22.dahlia",
    "managed-payments",
    "Adds support for Managed Payments, Stripe's merchant of record solution",
)
_PREBILLING = _page(
    "2026-05-27.dahlia",
    "subscriptions-billing-schedules",
    "Adds billing schedules to enable prebilling on subscriptions",
)
_WORDS = _page(
    "2026-06-24.dahlia",
    "invoice-description-footer-and-custom-fields",
    "Adds invoice description, footer, and custom fields to the Subscriptions API",
)
_ALLOWED = Entry(
    "2026-06-24.dahlia",
    "Adds the allowed payment method types parameter to Payment Intents and Setup Intents",
    f"{_PAGES}/dahlia/2026-07-29/allowed-payment-method-types-parameter",
)
"""Recorded answers of the version before have the field too."""
_REFUNDS = _page(
    "2026-07-29.dahlia",
    "adds-customer-and-payment-method-details-to-the-refunds-api",
    "Adds customer and payment method details to the Refunds API",
)
_ENDIVE = Entry("2026-09-30.endive", "Release of SDK 16.0.0", f"{_SDK}/tag/v16.0.0")
_CHECKOUT = _page(
    "2026-09-30.endive",
    "remove-payment-method-types-checkout-sessions",
    "Removes the payment method types parameter from Checkout Sessions",
)
_CARDS = _page(
    "2026-10-28.endive",
    "card-on-file-usage-indicators-support",
    "Adds support for specifying card-on-file usage when saving or charging cards",
)
_OWNED = (
    *("customer", "discount", "invoice", "invoiceitem", "payment_intent", "payment_method"),
    *("setup_intent", "subscription", "checkout.session"),
)
ENTRIES: dict[str, Entry] = {
    **{f"{kind}.customer_account": _ACCOUNTS for kind in _OWNED},
    "line_item.subtotal": _page(
        "2025-12-15.clover",
        "invoice-line-item-subtotal",
        "Adds subtotal property to Invoice Line Items",
    ),
    "invoiceitem.quantity_decimal": _DECIMALS,
    "line_item.quantity_decimal": _DECIMALS,
    "credit_note_line_item.metadata": _page(
        "2026-03-25.dahlia",
        "adds-metadata-field-to-credit-note-line-items",
        "Adds metadata property to credit note line items",
    ),
    "checkout.session.managed_payments": _MANAGED,
    "payment_intent.managed_payments": _MANAGED,
    "setup_intent.managed_payments": _MANAGED,
    "subscription.managed_payments": _MANAGED,
    "subscription.billing_schedules": _PREBILLING,
    "subscription_item.billed_until": _PREBILLING,
    **{
        f"subscription.invoice_settings.{name}": _WORDS
        for name in ("custom_fields", "description", "footer")
    },
    "payment_intent.allowed_payment_method_types": _ALLOWED,
    "setup_intent.allowed_payment_method_types": _ALLOWED,
    "checkout.session.allowed_payment_method_types": _CHECKOUT,
    "charge.payment_method_details.card.transaction_link_id": Entry(
        "2026-06-24.dahlia", "Release of SDK 15.3.0", f"{_SDK}/tag/v15.3.0"
    ),
    **{f"refund.{name}": _REFUNDS for name in ("customer", "customer_account", "payment_method")},
    "subscription.cancellation_details.feedback_option": Entry(
        "2026-08-26.dahlia", "Release of SDK 15.6.0", f"{_SDK}/tag/v15.6.0"
    ),
    "payment_intent.payment_record": _page(
        "2026-09-30.endive",
        "payment-records-on-payment-intents",
        "Adds the Payment Record property to the Payment Intent object",
    ),
    "subscription_item.current_trial": _ENDIVE,
    "subscription.trial_settings.end_behavior.billing_cycle_anchor": _ENDIVE,
    "charge.payment_method_details.card.electronic_commerce_indicator": _ENDIVE,
    "charge.payment_method_details.card.stored_credential_usage": _CARDS,
}
"""By the field that a version lacks, which our answers always have."""


def hidden(published: Published, entries: list[Json]) -> tuple[Counter[str], set[str]]:
    """How often each field is left out of the answers to these recorded requests because of their
    version, and which of those our answers always have but this table doesn't explain."""
    counts: Counter[str] = Counter()
    always: set[str] = set()
    for entry in entries:
        if entry["version"] >= OLDEST:
            paths = added.lacking(version_of(published, entry["version"]))
            _count(published, entry["body"], paths, counts, always)
    return counts, always - set(ENTRIES)


def _count(
    published: Published, node: Any, paths: added.Paths, counts: Counter[str], always: set[str]
) -> None:
    if isinstance(node, list):
        for entry in node:
            _count(published, entry, paths, counts, always)
    elif isinstance(node, dict):
        kind = node.get("object")
        for path in paths.get(kind, ()) if isinstance(kind, str) else ():
            name = ".".join([str(kind), *path])
            if _reaches(node, path) and name in ENTRIES:
                counts[name] += 1
            elif len(path) == 1 and path[0] in _required(published, str(kind)):
                always.add(name)
        for value in node.values():
            _count(published, value, paths, counts, always)


def _reaches(node: Any, path: list[str]) -> bool:
    for step in path[:-1]:
        node = node.get(step) if isinstance(node, dict) else None
    return isinstance(node, dict)


def _required(published: Published, kind: str) -> list[str]:
    schema = published.resolve(published.object_schema(kind))
    found: list[str] = schema.get("else", schema)["required"]
    return found
