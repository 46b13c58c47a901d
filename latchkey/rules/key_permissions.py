"""What a restricted Stripe key has to allow, and how to ask Stripe for such a key. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

READ, WRITE = "read", "write"
RESTRICTED = "rk_"
_DASHBOARD = "https://dashboard.stripe.com"
_NAME_LENGTH = 60


@dataclass(frozen=True)
class KeyPermission:
    """One row of Stripe's form. `name` is the area as the Dashboard calls it, `slug` as Stripe's
    errors and the form's address do, without `rak_` and the level.

    An `optional` one is for something that the site can do without.

    A read of `path` tells whether the key may read. Where it has to write, a POST to `written`
    tells that: Stripe looks at permissions before it looks at parameters, and `refused` are
    parameters that it never takes, so nothing is created. Where there is no list to read, `path`
    is that of an object that doesn't `exist`, which is missing to a key that may read.
    """

    name: str
    slug: str
    path: str
    used_for: str
    level: str = READ
    written: str = ""
    refused: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    exists: bool = True

    @property
    def token(self) -> str:
        """The permission as Stripe writes it, such as `rak_product_write`."""
        return f"rak_{self.slug}_{self.level}"


PROMOTION_WRITES = (
    KeyPermission(
        "Coupons",
        "coupon",
        "/v1/coupons",
        "creating a promotion code to invite people back",
        WRITE,
        written="/v1/coupons",
        refused={"duration": "none"},
        optional=True,
    ),
    KeyPermission(
        "Promotion Codes",
        "promotion_code",
        "/v1/promotion_codes",
        "creating a promotion code to invite people back",
        WRITE,
        written="/v1/promotion_codes",
        refused={"promotion": {"type": "none"}},
        optional=True,
    ),
)
"""What a key has to allow so that a promotion code can be created here."""

PERMISSIONS = (
    KeyPermission(
        "Products",
        "product",
        "/v1/products",
        "choosing and creating products to link",
        WRITE,
        written="/v1/products",
    ),
    KeyPermission(
        "Prices",
        "plan",
        "/v1/prices",
        "finding who has paid for a product, and creating its price",
        WRITE,
        written="/v1/prices",
    ),
    KeyPermission(
        "Payment Links",
        "payment_links",
        "/v1/payment_links",
        "selling",
        WRITE,
        written="/v1/payment_links",
    ),
    KeyPermission(
        "Checkout Sessions",
        "checkout_session",
        "/v1/checkout/sessions",
        "selling, purchases and their import",
        WRITE,
        written="/v1/checkout/sessions",
        refused={"mode": "none"},
    ),
    KeyPermission(
        "Promotion Codes",
        "promotion_code",
        "/v1/promotion_codes",
        "the code that a link to a checkout names",
    ),
    KeyPermission(
        "Coupons",
        "coupon",
        "/v1/coupons",
        "taking lasting discounts off recurring revenue",
        optional=True,
    ),
    KeyPermission("Subscriptions", "subscription", "/v1/subscriptions", "access and its end"),
    KeyPermission(
        "Invoices", "invoice", "/v1/invoices", "purchases, one-off invoices and who is past due"
    ),
    KeyPermission(
        "Credit Notes", "credit_note", "/v1/credit_notes", "distinguishing credits from refunds"
    ),
    KeyPermission("Customers", "customer", "/v1/customers", "identifying buyers"),
    KeyPermission(
        "Payment Intents", "payment_intent", "/v1/payment_intents", "refunds and pending payments"
    ),
    KeyPermission("Charges and Refunds", "charge", "/v1/charges", "refunds"),
    KeyPermission("Disputes", "dispute", "/v1/disputes", "disputes"),
    KeyPermission(
        "Customer portal",
        "customer_portal",
        "/v1/billing_portal/configurations",
        "letting members manage billing",
        WRITE,
        written="/v1/billing_portal/sessions",
        refused={"customer": "cus_0"},
    ),
    KeyPermission(
        "Webhook Endpoints",
        "webhook",
        "/v1/webhook_endpoints",
        "receiving changes",
        WRITE,
        written="/v1/webhook_endpoints",
    ),
    KeyPermission("Events", "event", "/v1/events", "finding missed events"),
    KeyPermission(
        "Payment Methods",
        "payment_method",
        "/v1/payment_methods/pm_0",
        "noticing cards that expire before the next bill",
        optional=True,
        exists=False,
    ),
    *PROMOTION_WRITES,
)

_ACCOUNT = ("rak_connected_account_read", "rak_accounts_kyc_basic_read")
"""What reading the account takes. Without it a key is refused, in Stripe's words. Stripe has named
either of them, so both are asked for."""


def creation_address(public_url: str, *, livemode: bool) -> str:
    """Where Stripe's Dashboard creates a restricted key that is named after the site and allows
    what we need. Stripe doesn't document the address: should it stop filling in the form,
    `PERMISSIONS` has to be chosen there by hand."""
    name = f"Latchkey {urlsplit(public_url).hostname}"[:_NAME_LENGTH]
    tokens = [*_ACCOUNT, *(permission.token for permission in PERMISSIONS)]
    query = urlencode([("name", name), *(("permissions[]", token) for token in tokens)])
    return f"{_DASHBOARD}{'' if livemode else '/test'}/apikeys/create?{query}"
