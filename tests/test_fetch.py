"""Reads that take more than one call, with an invoice that the sandbox can't produce itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from activities import fetch
from latchkey.rules.access import judge_order, order_state
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.stripe_api import StripeApi, StripeError
from sandbox import discounts
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


async def discounted(stripe: Stripe, email: str, *coupons: str) -> str:
    """A subscription of $15.00 with these coupons."""
    price = await stripe.price(await stripe.product())
    given = [{"coupon": coupon} for coupon in coupons]
    made: Json = await stripe.subscribe(email, price, discounts=given)
    return str(made["id"])


async def test_what_forever_coupons_take_off_is_read_with_the_subscription(stripe: Stripe) -> None:
    """Alone and in a list, also a coupon that was deleted since; each coupon is read once."""
    lasting, off, once = [
        (await stripe.post("coupons", **given))["id"]
        for given in (
            {"duration": "forever", "percent_off": 20},
            {"duration": "forever", "amount_off": 300, "currency": "usd"},
            {"duration": "repeating", "duration_in_months": 2, "percent_off": 50},
        )
    ]
    expected = {
        await discounted(stripe, "plain@off.example"): 0,
        await discounted(stripe, "share@off.example", lasting): 300,
        await discounted(stripe, "both@off.example", once, lasting, off): 600,
        (of_customer := await discounted(stripe, "owner@off.example")): 300,
    }
    owner = (await stripe.get(f"subscriptions/{of_customer}"))["customer"]
    shop = stripe.box.shop
    discounts.give(shop, shop.find("customer", owner), lasting)
    await stripe.delete(f"coupons/{off}")
    stripe.box.api.log.clear()
    api = StripeApi(KEY, base=stripe.url)
    try:
        for name, amount in expected.items():
            found = await fetch.subscription(api, await api.subscription(name))
            assert [item.discount for item in found.items] == [amount]
        page = await api.subscriptions(price=None, after=None)
        listed = [await fetch.subscription(api, source) for source in page.data]
    finally:
        await api.close()
    assert {one.id: one.items[0].discount for one in listed if one.id in expected} == expected
    read = [entry["path"] for entry in stripe.box.api.log if "coupons" in entry["path"]]
    assert sorted(read) == sorted(f"/v1/coupons/{name}" for name in (lasting, off))


class WithoutCoupons(StripeApi):
    """A key that may not read coupons, not even as part of a subscription."""

    async def call(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, **more: Any
    ) -> Json:
        asked = [path, *(params or {}).get("expand", [])]
        if any("coupon" in one or "discounts" in one for one in asked):
            raise StripeError(status=403, code=None, message="rak_coupon_read")
        return await super().call(method, path, params, **more)


async def test_a_key_that_may_not_read_coupons_reads_subscriptions_all_the_same(
    stripe: Stripe,
) -> None:
    lasting = await stripe.post("coupons", duration="forever", percent_off=20)
    names = [await discounted(stripe, "narrow@off.example", lasting["id"])]
    names.append(await discounted(stripe, "plain@off.example"))
    stripe.box.api.log.clear()
    api = WithoutCoupons(KEY, base=stripe.url)
    try:
        found = [await fetch.subscription(api, await api.subscription(name)) for name in names]
        assert [one.items[0].discount for one in found] == [None, 0]
        assert len((await api.subscriptions(price=None, after=None)).data) >= 2
        with pytest.raises(StripeError):
            await api.subscription("sub_gone")
    finally:
        await api.close()
    assert not [entry for entry in stripe.box.api.log if "coupons" in entry["path"]]
