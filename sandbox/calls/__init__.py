"""What each call of Stripe's API does, by resource; importing this registers them all."""

from sandbox.calls import (
    account,
    balances,
    captures,
    catalog,
    checkout,
    clocks,
    credit_notes,
    customers,
    invoices,
    money,
    plans,
    quotes,
    shipping,
    sources,
    subscriptions,
    taxes,
)
from sandbox.calls.registry import Call, handler, played, unpublished

__all__ = [
    "Call",
    "account",
    "balances",
    "captures",
    "catalog",
    "checkout",
    "clocks",
    "credit_notes",
    "customers",
    "handler",
    "invoices",
    "money",
    "plans",
    "played",
    "quotes",
    "shipping",
    "sources",
    "subscriptions",
    "taxes",
    "unpublished",
]
