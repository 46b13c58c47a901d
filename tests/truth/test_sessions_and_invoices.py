"""A checkout and the invoice that it created are one purchase, whichever is read when."""

from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities.imports import ImportActivities
from latchkey.contracts import BurstObject, ImportPageInput, ImportPageResult, ImportStep
from latchkey.rules.routing import TargetKind
from tests.harness import Json
from tests.truth.test_bursts import Desk, desk

__all__ = ["desk"]
pytestmark = pytest.mark.anyio


async def imported(desk: Desk, stripe_product: str, step: ImportStep) -> None:
    """Import what one page of the step's list holds."""
    link = await desk.pool.fetchval(
        "update links set state = 'importing' where stripe_product = $1 returning id",
        stripe_product,
    )
    page = ImportActivities(desk.deps, desk.client, public_url="http://127.0.0.1").page
    job = ImportPageInput(link, stripe_product, step, datetime.now(UTC))
    result: ImportPageResult = await ActivityEnvironment().run(page, job)
    assert result.cursor is None


async def sold_with_invoice(
    desk: Desk, email: str, price: str, *, card: str = "pm_card_visa", **params: object
) -> Json:
    cart = await desk.stripe.checkout(
        price,
        mode="payment",
        customer_creation="always",
        invoice_creation={"enabled": True},
        **params,
    )
    return await desk.stripe.pay(cart, email, card=card)


async def orders(desk: Desk) -> dict[str, str]:
    """The state of each purchase, by its id."""
    return {row["id"]: row["state"] for row in await desk.pool.fetch("select * from orders")}


async def test_a_checkout_that_completes_during_an_import_is_one_purchase(desk: Desk) -> None:
    """Its invoice would be taken for a purchase of its own, which nothing would ever end: whatever
    became of the money was told to the session."""
    stripe_product = await desk.stripe.product()
    once = await desk.stripe.price(stripe_product, every=None)
    monthly = await desk.stripe.price(stripe_product)
    await desk.linked(stripe_product)
    free = (await desk.stripe.post("coupons", percent_off=100, duration="once"))["id"]
    early = await sold_with_invoice(desk, "early@import.example", once)
    await imported(desk, stripe_product, ImportStep.ORDERS)
    late = [
        await sold_with_invoice(desk, "late@import.example", once),
        await sold_with_invoice(desk, "free@import.example", once, discounts=[{"coupon": free}]),
        await desk.stripe.buy("cart@import.example", monthly, once),
    ]
    customer = await desk.stripe.customer("bill@import.example")
    bill = await desk.stripe.post("invoices", customer=customer)
    await desk.stripe.post(
        "invoiceitems", customer=customer, invoice=bill["id"], pricing={"price": once}
    )
    await desk.stripe.post(f"invoices/{bill['id']}/pay")
    await imported(desk, stripe_product, ImportStep.INVOICES)
    assert set(await orders(desk)) == {early["id"], bill["id"]}
    await desk.delivered()
    for found in await desk.waiting():
        await desk.alone(found)
    assert set(await orders(desk)) == {early["id"], bill["id"], *(one["id"] for one in late)}


async def test_an_invoice_paid_after_the_payment_at_the_checkout_failed_pays_the_checkout(
    desk: Desk,
) -> None:
    """Its payment leads to no session: what we know of the session does."""
    desk.stripe.never_settles()
    stripe_product = await desk.stripe.product()
    once = await desk.stripe.price(stripe_product, every=None)
    await desk.linked(stripe_product)
    await desk.reachable()
    cart = await sold_with_invoice(desk, "late@otherwise.example", once, card="sepa_debit")
    session = BurstObject(TargetKind.PURCHASE, cart["id"], [], None)
    await desk.alone(session)
    await desk.stripe.control(f"checkout/{cart['id']}/settle", outcome="failed")
    await desk.alone(session)
    assert await orders(desk) == {cart["id"]: "failed"}
    intent = await desk.stripe.post(
        "payment_intents",
        amount=cart["amount_total"],
        currency=cart["currency"],
        customer=cart["customer"],
        payment_method="pm_card_visa",
        confirm=True,
    )
    await desk.stripe.post(
        f"invoices/{cart['invoice']}/attach_payment", payment_intent=intent["id"]
    )
    bill = await desk.alone(BurstObject(TargetKind.PURCHASE, cart["invoice"], [], None))
    assert bill.state == f"Belongs to purchase {cart['id']}"
    await desk.alone(session)
    assert await orders(desk) == {cart["id"]: "paid"}
