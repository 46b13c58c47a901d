"""Reads from Stripe that take more than one call: long carts, disputes, invoices."""

from dataclasses import replace

from latchkey.rules import access, discounts, reading
from latchkey.rules.discounts import Coupon
from latchkey.rules.reading import Order, Payment, Subscription
from latchkey.stripe_api import Json, StripeApi, StripeError
from latchkey.stripe_ids import owner


async def subscription(api: StripeApi, source: Json) -> Subscription:
    """A subscription with all its items, since inline lists are cut off after ten, and what
    coupons take off them."""
    found = reading.subscription(source)
    items = source["items"]["data"] if found.items else []
    if not found.items_complete:
        items = await api.subscription_items(found.id)
        found = reading.subscription(source, items=items)
    given = discounts.given(source, items)
    if given == {}:
        return found
    return discounts.discounted(found, items, given, await _coupons(api, source, items, given))


async def _coupons(
    api: StripeApi, source: Json, items: list[Json], given: discounts.CouponsGiven | None
) -> dict[str, Coupon]:
    """The given coupons. One that was deleted, or may not be read by itself, counts as the
    subscription shows it."""
    found = discounts.shown(source, items)
    for name in {name for ids in (given or {}).values() for name in ids}:
        whole = await api.coupon(name) if found.get(name) != Coupon() else None
        if whole is not None:
            found[name] = discounts.coupon(whole)
    return found


async def session(api: StripeApi, source: Json) -> Order:
    """A checkout session with all its lines and its payment.

    A subscription's checkout has no payment of its own: its one-off lines were paid by the
    subscription's first invoice. That of a one-off purchase may have an invoice, which can be paid
    in another way if the payment at the checkout fails.
    """
    found = reading.checkout_session(source)
    if not found.lines_complete:
        found = reading.checkout_session(source, lines=await api.session_lines(found.id))
    of_first_bill = found.subscription and found.one_off_lines and found.payment is None
    if found.invoice and (of_first_bill or _paid_otherwise(source)):
        return await _by_bill(api, found, await api.invoice(found.invoice))
    found = replace(found, payment=await _with_dispute(api, found.payment))
    return await _without_refunds(api, found)


def _paid_otherwise(session: Json) -> bool:
    bill = session.get("invoice")
    return (
        session.get("payment_status") == "unpaid"
        and isinstance(bill, dict)
        and bill.get("status") == "paid"
    )


async def _by_bill(api: StripeApi, cart: Order, bill: Json) -> Order:
    """Take the payment from the invoice. A session stays `unpaid` if a delayed payment fails and
    the invoice is then paid in another way."""
    cart = reading.of_bill(cart, bill)
    if bill.get("status") == "paid":
        status = "paid" if cart.payment_status == "unpaid" else cart.payment_status
        cart = replace(cart, payment_status=status, payment=await _payment(api, bill))
        return await _without_refunds(api, cart)
    begun = _intents(bill, paid=False)
    if not begun:
        return cart
    return replace(cart, payment=reading.payment(await api.payment_intent(begun[0])))


async def invoice(api: StripeApi, source: Json) -> Order:
    """An invoice with all its lines and the payment that paid it."""
    found = reading.invoice(source)
    if not found.lines_complete:
        found = reading.invoice(source, lines=await api.invoice_lines(found.id))
    return await _without_refunds(api, replace(found, payment=await _payment(api, source)))


async def _without_refunds(api: StripeApi, found: Order) -> Order:
    """Leave out of `credited_after` what credit notes refunded, which the charge shows. A key that
    may not read credit notes tells only the sums apart."""
    if not found.credited_after or found.invoice is None:
        return found
    refunded = found.payment.amount_refunded if found.payment else 0
    try:
        notes = await api.credit_notes(found.invoice)
    except StripeError as error:
        if not error.refused:
            raise
    else:
        refunded = sum(reading.refunded_by(note) for note in notes)
    return replace(found, credited_after=max(0, found.credited_after - refunded))


async def session_of_invoice(api: StripeApi, bill: Order) -> str | None:
    """The checkout session that created an invoice, None if it has another origin.

    Stripe can't filter sessions by invoice, so this searches by subscription, payment or customer.
    """
    if bill.subscription:
        sessions = await api.sessions_of(subscription=bill.subscription)
    elif bill.payment:
        sessions = await api.sessions_of(payment_intent=bill.payment.payment_intent)
        return str(sessions[0]["id"]) if sessions else None
    elif bill.customer:
        sessions = await api.sessions_of(**owner(bill.customer.id))
    else:
        return None
    made = [entry for entry in sessions if reading.object_id(entry.get("invoice")) == bill.id]
    return str(made[0]["id"]) if made else None


async def _payment(api: StripeApi, bill: Json) -> Payment | None:
    """What paid an invoice: usually one payment, none if paid outside Stripe, several if paid in
    parts. What was paid outside beside them counts as paid: refunding the rest isn't refunding
    all."""
    found = [
        await _with_dispute(api, reading.payment(await api.payment_intent(intent)))
        for intent in _intents(bill, paid=True)
    ]
    parts = [part for part in found if part is not None]
    whole = reading.together(parts)
    if whole is None:
        return None
    disputes = [part.dispute for part in parts if part.dispute]
    whole = replace(whole, dispute=access.gravest_dispute(disputes))
    return reading.with_paid_outside(whole, bill)


def _intents(source: Json, *, paid: bool) -> list[str]:
    payments = (source.get("payments") or {}).get("data") or []
    intents = [
        reading.object_id((entry.get("payment") or {}).get("payment_intent"))
        for entry in payments
        if (entry.get("status") == "paid") == paid
    ]
    return [intent for intent in intents if intent]


async def _with_dispute(api: StripeApi, payment: Payment | None) -> Payment | None:
    if payment is None or not payment.disputed:
        return payment
    found = [reading.dispute(entry) for entry in await api.disputes(payment.payment_intent)]
    return replace(payment, dispute=access.gravest_dispute(found))
