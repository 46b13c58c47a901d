"""One-off purchases: paid, free, delayed, guests, refunds, disputes."""

import pytest

from tests.harness import Json, Latchkey, until

pytestmark = pytest.mark.anyio


async def linked(site: Latchkey, amount: int = 4900) -> tuple[str, str, str]:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, amount, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    return product, stripe_product, price


async def charge_of(site: Latchkey, session: Json) -> str:
    intent = await site.stripe.get(f"payment_intents/{session['payment_intent']}")
    return str(intent["latest_charge"])


async def test_a_guest_buys_without_an_end(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("guest@buy.example", price, mode="payment")
    assert session["customer"] is None
    found = await shared.has(product, "guest@buy.example")
    assert found["until"] is None
    assert found["grants"][0]["source_id"] == session["id"]
    await shared.settled()
    types = sorted(line["type"] for line in await shared.lines(product=product))
    assert types == ["access_granted", "link_created", "product_purchased"]


async def test_a_free_order_grants(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    coupon = await shared.stripe.post("coupons", percent_off=100, duration="once")
    session = await shared.stripe.checkout(
        price, mode="payment", discounts=[{"coupon": coupon["id"]}]
    )
    paid = await shared.stripe.pay(session, "free@buy.example")
    assert paid["payment_status"] == "no_payment_required"
    await shared.has(product, "free@buy.example")


async def test_a_delayed_payment_gives_access_when_it_arrives(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy(
        "delayed@buy.example", price, mode="payment", card="sepa_debit"
    )
    assert session["payment_status"] == "unpaid"
    await shared.settled()
    assert (await shared.access(product, "delayed@buy.example"))["access"] is False
    pending = await shared.lines(type="payment_pending", product=product)
    assert len(pending) == 1
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="succeeded")
    await shared.has(product, "delayed@buy.example")


async def test_a_delayed_payment_that_fails_gives_none(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("fails@buy.example", price, mode="payment", card="sepa_debit")
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="failed")
    await shared.settled()
    assert (await shared.access(product, "fails@buy.example"))["access"] is False


async def test_a_full_refund_ends_access_a_partial_one_does_not(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("refund@buy.example", price, mode="payment")
    await shared.has(product, "refund@buy.example")
    charge = await charge_of(shared, session)
    await shared.stripe.post("refunds", charge=charge, amount=1000)
    await shared.settled()
    assert (await shared.access(product, "refund@buy.example"))["access"] is True
    await shared.stripe.post("refunds", charge=charge)
    await shared.has(product, "refund@buy.example", access=False)
    await shared.settled()
    ended = await shared.lines(type="access_ended", product=product)
    assert [line["data"]["reason"] for line in ended] == ["refunded"]


async def test_a_failed_refund_gives_access_back(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("back@buy.example", price, mode="payment")
    await shared.has(product, "back@buy.example")
    made = await shared.stripe.post("refunds", charge=await charge_of(shared, session))
    await shared.has(product, "back@buy.example", access=False)
    await shared.stripe.control(f"refunds/{made['id']}/fail")
    await shared.has(product, "back@buy.example")


async def test_a_lost_dispute_ends_access(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("dispute@buy.example", price, mode="payment")
    await shared.has(product, "dispute@buy.example")
    made = await shared.stripe.control(f"charges/{await charge_of(shared, session)}/dispute")
    await shared.settled()
    assert (await shared.access(product, "dispute@buy.example"))["access"] is True
    await shared.stripe.control(f"disputes/{made['id']}/close", outcome="lost")
    await shared.has(product, "dispute@buy.example", access=False)


async def test_a_one_off_line_beside_a_subscription(shared: Latchkey) -> None:
    book, _, book_price = await linked(shared)
    stripe_product = await shared.stripe.product()
    monthly = await shared.stripe.price(stripe_product)
    club = await shared.product("Club")
    await shared.link(club, stripe_product)
    session = await shared.stripe.buy("both@buy.example", monthly, book_price)
    await shared.has(club, "both@buy.example")
    await shared.has(book, "both@buy.example")
    await shared.stripe.delete(f"subscriptions/{session['subscription']}")
    await shared.has(club, "both@buy.example", access=False)
    assert (await shared.access(book, "both@buy.example"))["access"] is True


async def test_a_one_off_invoice_grants(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    customer = await shared.stripe.customer("invoice@buy.example")
    bill = await shared.stripe.post("invoices", customer=customer)
    await shared.stripe.post(
        "invoiceitems", customer=customer, invoice=bill["id"], pricing={"price": price}
    )
    await shared.stripe.post(f"invoices/{bill['id']}/finalize")
    await shared.stripe.post(f"invoices/{bill['id']}/pay")
    found = await shared.has(product, "invoice@buy.example")
    assert found["grants"][0]["source_id"] == bill["id"]


async def test_a_one_off_and_a_subscription_are_two_grants(shared: Latchkey) -> None:
    product, stripe_product, once = await linked(shared)
    monthly = await shared.stripe.price(stripe_product)
    await shared.stripe.buy("union@buy.example", once, mode="payment")
    made = await shared.stripe.subscribe("union@buy.example", monthly)

    async def both() -> bool:
        return len((await shared.access(product, "union@buy.example"))["grants"]) == 2

    await until(both, "two reasons")
    await shared.stripe.delete(f"subscriptions/{made['id']}")

    async def one() -> bool:
        return len((await shared.access(product, "union@buy.example"))["grants"]) == 1

    await until(one, "one reason is left")
    assert (await shared.access(product, "union@buy.example"))["access"] is True


async def test_a_declined_card_gives_no_access(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.checkout(price, mode="payment")
    answer = await shared.stripe.control(
        f"checkout/{session['id']}/pay", email="declined@buy.example", card="4000000000000002"
    )
    assert answer["outcome"] == "generic_decline"
    await shared.settled()
    assert (await shared.access(product, "declined@buy.example"))["access"] is False
    assert await shared.lines(type="product_purchased", product=product) == []
