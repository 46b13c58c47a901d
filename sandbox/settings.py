"""Account settings that Stripe's API has no call for: the owner sets them in the Dashboard."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

DunningEnd = Literal["cancel", "unpaid", "past_due", "pause", "pause_at_first"]
BillingMode = Literal["flexible", "classic"]
CustomerAccounts = Literal["none", "beside", "alone"]
_EURO = "AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK"
CURRENCIES = {
    **{"AE": "aed", "AU": "aud", "BG": "eur", "BR": "brl", "CA": "cad", "CH": "chf", "CZ": "czk"},
    **{"DK": "dkk", "GB": "gbp", "GI": "gbp", "HK": "hkd", "HU": "huf", "IN": "inr", "JP": "jpy"},
    **{"LI": "chf", "MX": "mxn", "MY": "myr", "NO": "nok", "NZ": "nzd", "PL": "pln", "RO": "ron"},
    **{"SE": "sek", "SG": "sgd", "TH": "thb", "US": "usd"},
    **dict.fromkeys(_EURO.split(), "eur"),
}
"""The currency of an account, by its country."""


@dataclass
class Settings:
    """Account settings.

    - `dunning_ends`: what happens to a subscription when every payment attempt has failed
      (`pause_at_first`: when the first one has)
    - `retry_days`: days between attempts
    - `delayed_seconds`: how long a bank debit takes (real time)
    - `upcoming_days`: how many days before a renewal `invoice.upcoming` is sent
    - `expiring_days`: how many days before its end `subscription_schedule.expiring` is sent
    - `billing_mode`: the billing mode of subscriptions created by Checkout
    - `dispute_cancels`: whether a dispute cancels the subscription it is about
    - `events_version`: the API version of events in lists
    - `portal_saved`: whether the portal's default configuration has been saved
    - `country`: where the business is; it decides the account's currency and payment methods
    - `adaptive_pricing`: whether sessions say that buyers may pay in their own currency
    - `invoice_payment_methods`: the payment methods that the invoice template has on
    - `customer_accounts`: whether new customers have an account (Accounts v2), which objects name
      `beside` the customer, or `alone` where they can
    """

    dunning_ends: DunningEnd = "cancel"
    retry_days: tuple[float, ...] = (3, 5, 7)
    delayed_seconds: float = 20.0
    upcoming_days: float = 7
    expiring_days: float = 7
    billing_mode: BillingMode = "flexible"
    dispute_cancels: bool = False
    events_version: str | None = None
    portal_saved: bool = True
    country: str = "US"
    adaptive_pricing: bool = False
    invoice_payment_methods: tuple[str, ...] = ("amazon_pay", "card", "cashapp", "klarna", "link")
    customer_accounts: CustomerAccounts = "none"

    def update(self, given: dict[str, Any]) -> None:
        """Change the named settings. Raises ValueError for an unknown name or value."""
        known = {field.name for field in fields(self)}
        for key in given:
            if key not in known:
                raise ValueError(f"unknown setting {key!r}; use one of {', '.join(sorted(known))}")
        made = Settings(**{**asdict(self), **given})
        for name, kind in (
            ("dunning_ends", DunningEnd),
            ("billing_mode", BillingMode),
            ("customer_accounts", CustomerAccounts),
        ):
            if getattr(made, name) not in get_args(kind):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}")
        if made.country not in CURRENCIES:
            raise ValueError(f"country must be one of {', '.join(sorted(CURRENCIES))}")
        made.invoice_payment_methods = tuple(made.invoice_payment_methods)
        made.retry_days = tuple(float(days) for days in made.retry_days)
        made.delayed_seconds = float(made.delayed_seconds)
        made.upcoming_days = float(made.upcoming_days)
        made.expiring_days = float(made.expiring_days)
        for key in known:
            setattr(self, key, getattr(made, key))

    def shown(self) -> dict[str, Any]:
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
