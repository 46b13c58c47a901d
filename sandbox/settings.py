"""Account settings that Stripe's API has no call for: the owner sets them in the Dashboard."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

DunningEnd = Literal["cancel", "unpaid", "past_due", "pause", "pause_at_first"]
BillingMode = Literal["flexible", "classic"]
CustomerAccounts = Literal["none", "beside", "alone"]


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
        made.retry_days = tuple(float(days) for days in made.retry_days)
        made.delayed_seconds = float(made.delayed_seconds)
        made.upcoming_days = float(made.upcoming_days)
        made.expiring_days = float(made.expiring_days)
        for key in known:
            setattr(self, key, getattr(made, key))

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "retry_days": list(self.retry_days)}
