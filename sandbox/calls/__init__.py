"""What each call of Stripe's API does, by resource; importing this registers them all."""

from sandbox.calls import account, billing, catalog, checkout, clocks, customers, money
from sandbox.calls.registry import Call, handler, unpublished

__all__ = [
    "Call",
    "account",
    "billing",
    "catalog",
    "checkout",
    "clocks",
    "customers",
    "handler",
    "money",
    "unpublished",
]
