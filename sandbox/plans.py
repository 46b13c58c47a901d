"""The older rendering of recurring prices."""

from sandbox.world import Json


def plan_of(price: Json) -> Json:
    """The older rendering of a recurring price, which Stripe still shows beside it."""
    recurring = price["recurring"]
    shared = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata")
    return {
        "object": "plan",
        **{name: price[name] for name in shared},
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }
