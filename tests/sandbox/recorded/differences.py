"""Why some of the sandbox's responses differ from recorded ones.

The recordings are of older API versions (2025-10-29.clover, 2026-03-25.dahlia, 2026-06-24.dahlia)
and of accounts with their own settings. The sandbox answers in each version's shape, with the
fields that later versions added.
"""

from fnmatch import fnmatchcase

from tests.sandbox.recorded.replay import Difference

REASONS = {
    "newer": "a later API version than the recording's added the key",
    "unpublished": "Stripe sends it, but its API description doesn't mention it",
    "account": "a setting, a number or a payment method of the recorded account",
    "setup": "the recording assumes the object exists; the replay creates its own",
    "card": "another test card, or its network's details of a payment",
    "method": "details of local payment methods, which the sandbox only plays as delayed payments",
    "unasked": "details of shipping, tax and order references, which the sandbox doesn't play",
    "redacted": "a value that was redacted in the recording",
    "older": "a request of an API version before 2024-06-20, which the sandbox doesn't speak",
    "words": "the description of a line, which uses the account's own unit names",
}
_EXPLAINED = {
    "newer": (
        "added *.customer_account",
        "added *.managed_payments",
        "added *.allowed_payment_method_types",
        "added *.quantity_decimal",
        "added credit_note_line_item.metadata",
        "added line_item.subscription",
        "added line_item.subtotal",
        "added payment_intent.payment_record",
        "added refund.customer",
        "added refund.payment_method",
        "added subscription.billing_schedules",
        "added subscription.cancellation_details.feedback_option",
        "added subscription.invoice_settings.*",
        "added subscription.trial_settings.end_behavior.billing_cycle_anchor",
        "added subscription_item.billed_until",
        "added subscription_item.current_trial",
        "added charge.payment_method_details.card.*",
    ),
    "unpublished": (
        "missing *.total_count",
        "missing subscription.plan",
        "missing subscription.quantity",
        "missing charge.destination",
        "missing charge.dispute",
        "missing charge.order",
        "missing card.email",
        "missing card.phone",
        "missing card.wallet",
        "missing *.shared_payment_granted_token",
    ),
    "account": (
        "* *payment_method_types[[]]",
        "* *.payment_method_configuration_details",
        "* *.payment_method_options*",
        "* *.automatic_payment_methods",
        "value customer.invoice_prefix",
        "value credit_note.number",
        "value invoice.account_name",
        "value invoice.number",
        "value charge.calculated_statement_descriptor",
        "value checkout.session.adaptive_pricing.enabled",
        "missing checkout.session.branding_settings",
        "type checkout.session.saved_payment_method_options",
        "value price.tax_behavior",
    ),
    "setup": (
        "value *.product",
        "value *.pricing.price_details.price",
        "value coupon.times_redeemed",
    ),
    "card": (
        "* charge.payment_method_details.card.*",
        "value card.fingerprint",
        "* payment_method.card.*",
        "missing charge.outcome.risk_score",
        "missing payment_intent.next_action.use_stripe_sdk.*",
    ),
    "method": (
        *(f"* payment_method.{kind}.*" for kind in ("acss_debit", "eps", "fpx", "ideal", "p24")),
        "* payment_method.sepa_debit.*",
    ),
    "unasked": (
        "missing *.shipping.*",
        "missing payment_intent.payment_details",
        "type checkout.session.collected_information",
        "type checkout.session.customer_details.tax_exempt",
        "type checkout.session.setup_intent",
        "type discount.invoice_item",
        "type invoice.rendering",
        "type line_item.parent.subscription_item_details.proration_details.credited_items",
        "value *pretax_credit_amounts[[]]",
    ),
    "words": ("* line_item.description",),
    "redacted": (
        "type payment_intent.application",
        "type token.client_ip",
        "value customer.email",
    ),
    "older": ("version *",),
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
