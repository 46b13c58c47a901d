"""Why some of the sandbox's responses differ from recorded ones.

The recordings are of older API versions (2025-10-29.clover, 2026-03-25.dahlia, 2026-06-24.dahlia)
and of accounts with their own settings. The sandbox answers in each version's shape.
"""

from fnmatch import fnmatchcase

from tests.sandbox.recorded.replay import Difference

REASONS = {
    "account": "a setting, a number or a payment method of the recorded account",
    "setup": "the recording assumes the object exists; the replay creates its own",
    "card": "another test card, or its network's details of a payment",
    "method": "details of local payment methods, which the sandbox only plays as delayed payments",
    "unplayed": "the sandbox plays it less fully than Stripe",
    "redacted": "a value that was redacted in the recording",
    "older": "a request of an API version before 2024-06-20, which the sandbox doesn't speak",
    "words": "the day in the description of a proration",
}
_OFFERED = (
    *("acss_debit", "afterpay_clearpay", "alipay", "cashapp", "klarna", "link"),
    *("us_bank_account", "wechat_pay"),
)
"""Payment methods that the recorded accounts offer."""
_BROWSER = (
    *("directory_server_encryption", "directory_server_name", "merchant", "one_click_authn"),
    *("server_transaction_id", "three_d_secure_2_source", "three_ds_frontend_optimizations"),
    *("three_ds_method_url", "three_ds_optimizations", "type"),
)
"""What a browser needs for 3-D Secure."""
_EXPLAINED = {
    "account": (
        *(
            f"value {kind}.payment_method_types[[]]"
            for kind in ("checkout.session", "payment_intent", "setup_intent")
        ),
        *(
            f"type {kind}.payment_method_configuration_details"
            for kind in ("checkout.session", "payment_intent", "setup_intent")
        ),
        *(f"missing payment_intent.payment_method_options.{kind}" for kind in _OFFERED),
        "missing setup_intent.payment_method_options.us_bank_account",
        "type checkout.session.payment_method_options",
        "value customer.invoice_prefix",
        "value credit_note.number",
        "value invoice.account_name",
        "value invoice.number",
        "type invoice.rendering",
        "value charge.calculated_statement_descriptor",
        "value checkout.session.adaptive_pricing.enabled",
        "missing checkout.session.branding_settings",
        "type checkout.session.saved_payment_method_options",
        "value price.tax_behavior",
    ),
    "setup": (
        "value plan.product",
        "value price.product",
        *(
            f"value {kind}.pricing.price_details.{name}"
            for kind in ("invoiceitem", "line_item")
            for name in ("price", "product")
        ),
        "value coupon.times_redeemed",
    ),
    "card": (
        *(
            f"value charge.payment_method_details.card.{name}"
            for name in (
                *("authorization_code", "exp_month", "exp_year", "fingerprint"),
                "network_transaction_id",
            )
        ),
        "value card.fingerprint",
        *(
            f"value payment_method.card.{name}"
            for name in ("checks.cvc_check", "country", "exp_month", "exp_year", "fingerprint")
        ),
        "value charge.outcome.risk_score",
        *(f"missing payment_intent.next_action.use_stripe_sdk.{name}" for name in _BROWSER),
    ),
    "method": (
        "type payment_method.acss_debit.bank_name",
        "type payment_method.acss_debit.fingerprint",
        "type payment_method.fpx.account_holder_type",
        "type payment_method.ideal.bic",
        *(
            f"type payment_method.sepa_debit.{name}"
            for name in ("bank_code", "branch_code", "country", "fingerprint", "generated_from")
        ),
    ),
    "unplayed": (
        "type payment_intent.automatic_payment_methods",
        "type setup_intent.automatic_payment_methods",
        "type checkout.session.customer_details.tax_exempt",
        "type checkout.session.setup_intent",
        "type discount.invoice_item",
        "type line_item.parent.subscription_item_details.proration_details.credited_items",
    ),
    "words": ("value line_item.description",),
    "redacted": (
        "type payment_intent.application",
        "type token.client_ip",
        "value customer.email",
    ),
    "older": ("version 2020-08-27",),
}


def reason(difference: Difference) -> str | None:
    """The reason that explains a difference, None if there isn't one."""
    given = f"{difference.what} {difference.where}"
    for name, patterns in _EXPLAINED.items():
        if any(fnmatchcase(given, pattern) for pattern in patterns):
            return name
    return None


def patterns() -> list[str]:
    """All explained patterns, to find those no longer needed."""
    return [pattern for found in _EXPLAINED.values() for pattern in found]
