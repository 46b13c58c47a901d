"""What the account's owner chooses in the dashboard, where Stripe's API has no call for it."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

DunningEnd = Literal["cancel", "unpaid", "past_due", "pause", "pause_at_first"]
BillingMode = Literal["flexible", "classic"]


@dataclass
class Settings:
    """`dunning_ends` is what a subscription comes to when its payments fail for good
    (`pause_at_first`: already when the first one does), `retry_days` the days between the tries,
    `delayed_seconds` how long a bank debit takes (real time), `upcoming_days` when
    `invoice.upcoming` comes before a renewal, `billing_mode` that of subscriptions from checkout,
    `dispute_cancels` whether a dispute ends the subscription it is about, `events_version` the API
    version in which listed events are rendered, `portal_saved` whether the portal's default
    configuration was ever saved."""

    dunning_ends: DunningEnd = "cancel"
    retry_days: tuple[float, ...] = (3, 5, 7)
    delayed_seconds: float = 20.0
    upcoming_days: float = 7
    billing_mode: BillingMode = "flexible"
    dispute_cancels: bool = False
    events_version: str | None = None
    portal_saved: bool = True

    def update(self, given: dict[str, Any]) -> None:
        """Change what is named. Raises ValueError for a name or a value that there isn't."""
        known = {field.name for field in fields(self)}
        for key in given:
            if key not in known:
                raise ValueError(
                    f"there is no setting {key!r}; there are {', '.join(sorted(known))}"
                )
        made = Settings(**{**asdict(self), **given})
        for name, kind in (("dunning_ends", DunningEnd), ("billing_mode", BillingMode)):
            if getattr(made, name) not in get_args(kind):
                raise ValueError(f"{name} is one of {', '.join(get_args(kind))}")
        made.retry_days = tuple(float(days) for days in made.retry_days)
        made.delayed_seconds = float(made.delayed_seconds)
        made.upcoming_days = float(made.upcoming_days)
        for key in known:
            setattr(self, key, getattr(made, key))

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "retry_days": list(self.retry_days)}
