"""What Stripe is asked for when a checkout session is made. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from latchkey.stripe_ids import owner

MOST_TAG = 500
"""Stripe's longest value of metadata."""


@dataclass(frozen=True)
class Wish:
    """What a buyer chose, and where they go afterwards.

    `reference` is the signed reference of a member; `email` is the address that the checkout is
    for, if it is known. `tags` say where the visitor came from. `success_url` holds Stripe's
    placeholder for the session's id. `currency` is one of the price's own that the buyer asked for.
    `recoverable` sessions can be opened again after they expired, and `consent` has the buyer asked
    for emails about them. `locale` is the language of Stripe's page; the five before it are the
    offer's.
    """

    product_id: str
    price_id: str
    recurring: bool
    promotion_codes: bool
    success_url: str
    cancel_url: str
    reference: str | None = None
    email: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    recoverable: bool = False
    consent: bool = False
    currency: str | None = None
    trial_days: int | None = None
    most: int | None = None
    billing_address: bool = False
    tax_ids: bool = False
    automatic_tax: bool = False
    locale: str | None = None


def session_params(wish: Wish) -> dict[str, Any]:
    """The parameters of a checkout session for a buyer whom Stripe doesn't know yet. `for_customer`
    changes them for one it knows."""
    marks = {"latchkey_product": wish.product_id}
    line: dict[str, Any] = {"price": wish.price_id, "quantity": 1}
    if wish.most:
        line["adjustable_quantity"] = {"enabled": True, "minimum": 1, "maximum": wish.most}
    params: dict[str, Any] = {
        "mode": "subscription" if wish.recurring else "payment",
        "line_items": [line],
        "success_url": wish.success_url,
        "cancel_url": wish.cancel_url,
        "metadata": marks | {name: value[:MOST_TAG] for name, value in wish.tags.items()},
    }
    if wish.promotion_codes:
        params["allow_promotion_codes"] = True
    if wish.reference:
        params["client_reference_id"] = wish.reference
    if wish.email:
        params["customer_email"] = wish.email
    if not wish.recurring:
        params["customer_creation"] = "always"
    elif wish.trial_days:
        params["subscription_data"] = {"trial_period_days": wish.trial_days}
    if wish.currency:
        params["currency"] = wish.currency
    if wish.locale:
        params["locale"] = wish.locale
    return params | _billing(wish) | _recovery(wish)


def _billing(wish: Wish) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if wish.automatic_tax:
        asked["automatic_tax"] = {"enabled": True}
    if wish.billing_address:
        asked["billing_address_collection"] = "required"
    if wish.tax_ids:
        asked["tax_id_collection"] = {"enabled": True}
    return asked


def _recovery(wish: Wish) -> dict[str, Any]:
    if not wish.recoverable:
        return {}
    recovery = {"enabled": True, "allow_promotion_codes": wish.promotion_codes}
    asked = {"consent_collection": {"promotions": "auto"}} if wish.consent else {}
    return {"after_expiration": {"recovery": recovery}, **asked}


def for_customer(params: Mapping[str, Any], customer: str) -> dict[str, Any]:
    """The same session for an existing customer, whose email address Stripe knows. What the
    checkout asks for is kept with the customer, without which Stripe takes no tax id."""
    kept = {
        name: value
        for name, value in params.items()
        if name not in ("customer_email", "customer_creation")
    }
    asked = {
        "automatic_tax": "address",
        "billing_address_collection": "address",
        "tax_id_collection": "name",
    }
    updated = {part: "auto" for name, part in asked.items() if name in params}
    return kept | owner(customer) | ({"customer_update": updated} if updated else {})


def fingerprint(params: Mapping[str, Any]) -> str:
    """Differs where parameters differ. Stripe refuses others under the same idempotency key."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]


def with_discount(params: Mapping[str, Any], promotion_code: str) -> dict[str, Any]:
    """The same session with a promotion code entered; Stripe takes that instead of a field for
    codes."""
    kept = {name: value for name, value in params.items() if name != "allow_promotion_codes"}
    if "after_expiration" in kept:
        kept["after_expiration"] = {"recovery": {"enabled": True}}
    return kept | {"discounts": [{"promotion_code": promotion_code}]}


def without_refused(params: Mapping[str, Any], refused: str | None) -> dict[str, Any] | None:
    """What to ask for instead, if Stripe refuses a parameter that the purchase can do without: one
    that spares the buyer some typing, or is for afterwards; None for any other. `refused` names the
    parameter, if Stripe did."""
    if "currency" in params and (refused or "currency").startswith(("currency", "line_items")):
        return {name: value for name, value in params.items() if name != "currency"}
    for extra in ("consent_collection", "after_expiration", "locale"):
        if extra in params and (refused or "").startswith(extra):
            return {name: value for name, value in params.items() if name != extra}
    if "discounts" in params and (refused or "discounts").startswith("discounts"):
        kept = {name: value for name, value in params.items() if name != "discounts"}
        kept = _with_codes_when_recovered(kept)
        return kept | {"allow_promotion_codes": True}
    if "customer_email" in params and refused == "customer_email":
        return {name: value for name, value in params.items() if name != "customer_email"}
    return None


def _with_codes_when_recovered(params: dict[str, Any]) -> dict[str, Any]:
    if "after_expiration" not in params:
        return params
    recovery = {"enabled": True, "allow_promotion_codes": True}
    return params | {"after_expiration": {"recovery": recovery}}


@dataclass(frozen=True)
class CheckoutOrder:
    """A session to make: its parameters, and the attempt to buy that it belongs to.

    `customers` are the buyer's at Stripe; the first that still exists is used. `promotion_code` is
    what the buyer's link named. `session` is what an earlier click of the same attempt opened.
    `key` names the attempt, so that Stripe makes one session of several clicks.
    """

    params: dict[str, Any]
    customers: list[str]
    promotion_code: str | None
    attempt: int
    key: str
    session: str | None
    product: str
    price: str
    stripe_product: str

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "CheckoutOrder":
        return cls(**json.loads(text))
