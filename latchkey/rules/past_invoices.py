"""Which past one-off invoices count as purchases: each link sets how far it looks back."""

from datetime import datetime, timedelta

from latchkey.rules.reading import Order

YEAR = timedelta(days=366)
"""How far back a link looks by default."""


def counts(order: Order, *, looks_back: str, linked_at: datetime) -> bool:
    """Whether an order is a purchase by a link made at `linked_at` (UTC) that `looks_back` by
    "none", a "year" or "all"; `PAID_WITHOUT_ACCESS` in `store/checks/invariants.py` says the same.

    An invoice doesn't count if it was created before the period the link looks back on and paid
    before the link was made. Stripe's times are whole seconds, so the link's own second counts as
    after. Checkout sessions always count.
    """
    if not order.is_invoice or looks_back == "all":
        return True
    linked = linked_at.replace(microsecond=0)
    since = linked - YEAR if looks_back == "year" else linked
    return order.created >= since or (order.paid is not None and order.paid >= linked)
