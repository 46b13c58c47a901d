"""Default values of objects, where a blank of the right shape isn't enough.

The values are as recorded from real accounts in test mode; keys unknown to a schema are left out.
"""

from typing import Any

Json = dict[str, Any]

_ADDRESS = {key: None for key in ("city", "country", "line1", "line2", "postal_code", "state")}
NO_TAX = {
    "automatic_tax": "unrecognized_location",
    "ip_address": None,
    "location": None,
    "provider": "stripe",
}
CARD_OPTIONS = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}
_PORTAL = {
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
DEFAULTS: dict[str, Json] = {
    "billing_portal.configuration": {"features": _PORTAL},
    "customer": {
        "address": None,
        "currency": None,
        "customer_account": None,
        "delinquent": False,
        "discount": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": None,
    },
    "charge": {
        "billing_details": {"address": _ADDRESS},
        "destination": None,
        "dispute": None,
        "fraud_details": {},
        "order": None,
        "radar_options": {},
    },
    "checkout.session": {
        "adaptive_pricing": {"enabled": False},
        "collected_information": {
            "business_name": None,
            "individual_name": None,
            "shipping_details": None,
        },
        "phone_number_collection": {"enabled": False},
    },
    "invoice": {
        "account_country": "US",
        "account_name": "Sandbox",
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    },
    "invoiceitem": {"discountable": True, "discounts": [], "tax_rates": []},
    "line_item": {
        "discountable": True,
        "discounts": [],
        "discount_amounts": [],
        "pretax_credit_amounts": [],
        "taxes": [],
    },
    "payment_intent": {
        "amount_details": {"tip": {}},
        "managed_payments": {"enabled": False},
        "transfer_data": None,
        "payment_method_options": {"card": CARD_OPTIONS},
    },
    "credit_note": {"customer_balance_transaction": None, "voided_at": None},
    "payment_method": {"allow_redisplay": "unspecified", "metadata": {}},
    "setup_intent": {
        "flow_directions": None,
        "payment_method_options": {
            "card": {key: CARD_OPTIONS[key] for key in CARD_OPTIONS if key != "installments"}
        },
    },
    "subscription": {
        "default_tax_rates": [],
        "invoice_settings": {"issuer": {"type": "self"}},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
    },
    "subscription_item": {"tax_rates": []},
}


def over(blank: Json, chosen: Json, known: Json) -> None:
    """Set the chosen values on a blank and its parts; `known` are the schema's properties."""
    for key, value in chosen.items():
        if key not in known:
            continue
        if isinstance(value, dict) and isinstance(blank.get(key), dict):
            blank[key] |= value
        else:
            blank[key] = value
