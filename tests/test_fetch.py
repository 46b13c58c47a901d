"""Reads that take more than one call, with an invoice that the sandbox can't produce itself."""

from datetime import UTC, datetime

import pytest

from activities import fetch
from latchkey.rules.access import judge_order, order_state
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.stripe_api import StripeApi
from tests.harness import KEY, Json, Stripe

pytestmark = pytest.mark.anyio


async def test_the_gravest_dispute_of_an_invoice_paid_in_parts_counts(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    payments = []
    for number, outcome in enumerate(("won", "lost")):
        session = await stripe.buy(f"part{number}@reads.example", price, mode="payment")
        payments.append(session["payment_intent"])
        charge = (await stripe.get(f"payment_intents/{payments[-1]}"))["latest_charge"]
        made = await stripe.control(f"charges/{charge}/dispute")
        await stripe.control(f"disputes/{made['id']}/close", outcome=outcome)
    customer = await stripe.customer("parts@reads.example")
    bill = await stripe.post("invoices", customer=customer)

    def paid_by(intents: list[str]) -> list[Json]:
        kind = {"type": "payment_intent"}
        return [{"status": "paid", "payment": {**kind, "payment_intent": one}} for one in intents]

    api = StripeApi(KEY, base=stripe.url)
    try:
        for intents in (payments, payments[::-1]):
            order = await fetch.invoice(api, {**bill, "payments": {"data": paid_by(intents)}})
            assert order.payment is not None
            assert order.payment.payment_intent == intents[0]
            assert order.payment.dispute_status == "lost"
    finally:
        await api.close()


async def test_a_checkout_whose_payment_fails_is_paid_by_its_invoice(stripe: Stripe) -> None:
    stripe.never_settles()
    price = await stripe.price(await stripe.product(), every=None)
    cart = await stripe.checkout(
        price, mode="payment", customer_creation="always", invoice_creation={"enabled": True}
    )
    cart = await stripe.pay(cart, "otherwise@reads.example", card="sepa_debit")
    await stripe.control(f"checkout/{cart['id']}/settle", outcome="failed")
    api = StripeApi(KEY, base=stripe.url)
    try:
        failed = await fetch.session(api, await api.checkout_session(cart["id"]))
        assert order_state(failed) == "failed"
        await stripe.post(f"invoices/{cart['invoice']}/pay", payment_method="pm_card_visa")
        order = await fetch.session(api, await api.checkout_session(cart["id"]))
    finally:
        await api.close()
    assert order_state(order) == "paid"
    assert order.payment is not None
    assert order.payment.state == "succeeded", "whose refund ends what it opened"


async def test_refunding_what_was_paid_by_card_beside_cash_is_a_partial_refund(
    stripe: Stripe,
) -> None:
    """What was paid outside Stripe has no charge that could be refunded."""
    price = await stripe.price(await stripe.product(), 2000, every=None)
    customer = await stripe.customer("cash@reads.example")
    bill = await stripe.post("invoices", customer=customer)
    await stripe.post(
        "invoiceitems", customer=customer, invoice=bill["id"], pricing={"price": price}
    )
    await stripe.post(f"invoices/{bill['id']}/finalize")
    cash = await stripe.post(
        "payment_records/report_payment",
        amount_requested={"value": 800, "currency": "usd"},
        initiated_at=bill["created"],
        payment_method_details={"type": "custom", "custom": {"display_name": "cash"}},
        outcome="guaranteed",
        guaranteed={"guaranteed_at": bill["created"]},
        customer_details={"customer": customer},
    )
    await stripe.post(f"invoices/{bill['id']}/attach_payment", payment_record=cash["id"])
    await stripe.post(f"invoices/{bill['id']}/pay")
    payments = (await stripe.get("invoice_payments", invoice=bill["id"]))["data"]
    (intent,) = [found for row in payments if (found := row["payment"].get("payment_intent"))]
    await stripe.post("refunds", payment_intent=intent)
    api = StripeApi(KEY, base=stripe.url)
    try:
        order = await fetch.invoice(api, await api.invoice(bill["id"]))
    finally:
        await api.close()
    assert order.payment is not None
    paid = order.payment
    assert (paid.amount, paid.amount_refunded, paid.refunded) == (2000, 1200, False)
    assert judge_order(order, DEFAULT_POLICY, as_of=datetime.now(UTC)).access
