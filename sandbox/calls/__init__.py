"""What each call of Stripe's API does, by resource; importing this registers them all."""

from sandbox.calls import (
    account,
    captures,
    catalog,
    checkout,
    clocks,
    customers,
    invoices,
    money,
    quotes,
    shipping,
    subscriptions,
    taxes,
)
from sandbox.calls.registry import Call, handler, unpublished

__all__ = [
    "Call",
    "account",
    "captures",
    "catalog",
    "checkout",
    "clocks",
    "customers",
    "handler",
    "invoices",
    "money",
    "quotes",
    "shipping",
    "subscriptions",
    "taxes",
    "unpublished",
]
