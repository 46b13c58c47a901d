"""Reads that take more than one call, with an invoice that the sandbox can't produce itself."""

import pytest

from activities import fetch
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
