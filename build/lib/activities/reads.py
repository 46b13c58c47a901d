"""Reads from Stripe that take more than one call: long carts, disputes, invoices."""

from latchkey.rules import reading
from latchkey.rules.reading import Order, Subscription
from latchkey.stripe_api import Json, StripeApi


async def subscription(api: StripeApi, source: Json) -> Subscription:
    """A subscription with all its items; inline lists are cut off after ten."""
    found = reading.subscription(source)
    if found.items_complete:
        return found
    return reading.subscription(source, items=await api.subscription_items(found.id))


async def session(api: StripeApi, source: Json) -> Order:
    """A checkout session with all its lines and the state of a dispute about it."""
    found = reading.checkout_session(source)
    disputed = found.payment is not None and found.payment.disputed
    if found.lines_complete and not disputed:
        return found
    return reading.checkout_session(
        source,
        lines=None if found.lines_complete else await api.session_lines(found.id),
        dispute_status=await _dispute(api, found) if disputed else None,
    )


async def invoice(api: StripeApi, source: Json) -> Order:
    """An invoice with all its lines and the payment intent that paid it."""
    intent_id = _paid_by(source)
    intent = await api.payment_intent(intent_id) if intent_id else None
    found = reading.invoice(source, paid_by=intent)
    disputed = found.payment is not None and found.payment.disputed
    return reading.invoice(
        source,
        paid_by=intent,
        lines=None if found.lines_complete else await api.invoice_lines(found.id),
        dispute_status=await _dispute(api, found) if disputed else None,
    )


def _paid_by(source: Json) -> str | None:
    payments = (source.get("payments") or {}).get("data") or []
    for entry in payments:
        intent = reading.object_id((entry.get("payment") or {}).get("payment_intent"))
        if intent and entry.get("status") == "paid":
            return intent
    return None


async def _dispute(api: StripeApi, order: Order) -> str | None:
    assert order.payment is not None, "only a payment is disputed"
    return await api.dispute_status(order.payment.payment_intent)
