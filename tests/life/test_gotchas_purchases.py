"""What toy integrations get wrong about one-off purchases, by the numbers of docs/gotchas.md."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness import Json, Latchkey
from tests.life.play import (
    charge_of,
    charge_of_invoice,
    granted,
    linked,
    types,
)
from tests.truth.test_reconciliation import compared

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def invoiced(site: Latchkey, email: str, price: str, **given: Any) -> Json:
    """A finalized one-off invoice."""
    customer = given.pop("customer", None) or await site.stripe.customer(email)
    bill = await site.stripe.post("invoices", customer=customer, **given)
    await site.stripe.post(
        "invoiceitems", customer=customer, invoice=bill["id"], pricing={"price": price}
    )
    return await site.stripe.post(f"invoices/{bill['id']}/finalize")


async def test_05_06_07_unpaid_is_pending_free_is_paid(shared: Latchkey) -> None:
    """5, 6, 7: a completed session may be unpaid (pending, not failed), and one without any payment
    may be paid."""
    product, _, price = await linked(shared, every=None)
    session = await shared.stripe.buy(
        "g05@gotcha.example", price, mode="payment", card="sepa_debit"
    )
    assert session["payment_status"] == "unpaid"
    assert await types(shared, product) == ["payment_pending"]
    assert (await shared.access(product, "g05@gotcha.example"))["access"] is False
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="succeeded")
    await shared.has(product, "g05@gotcha.example")
    coupon = await shared.stripe.post("coupons", percent_off=100, duration="once")
    free = await shared.stripe.checkout(price, mode="payment", discounts=[{"coupon": coupon["id"]}])
    paid = await shared.stripe.pay(free, "g06@gotcha.example")
    assert paid["payment_intent"] is None
    await shared.has(product, "g06@gotcha.example")


async def test_08_the_linked_line_may_be_the_twelfth(shared: Latchkey) -> None:
    """8: line items are fetched, beyond the ten that Stripe shows inline."""
    product, _, price = await linked(shared, every=None)
    others = [
        await shared.stripe.price(await shared.stripe.product(f"Other {n}"), every=None)
        for n in range(11)
    ]
    await shared.stripe.buy("g08@gotcha.example", *others, price, mode="payment")
    await shared.has(product, "g08@gotcha.example")


async def test_11_one_off_lines_of_a_subscriptions_checkout(shared: Latchkey) -> None:
    """11: the mode doesn't tell; the one-off line is granted though the subscription isn't linked,
    and follows the money of the subscription's first invoice."""
    book, _, once = await linked(shared, every=None)
    monthly = await shared.stripe.price(await shared.stripe.product("Not linked"))
    session = await shared.stripe.buy("g11@gotcha.example", monthly, once)
    assert session["mode"] == "subscription"
    grants = await granted(shared, book, "g11@gotcha.example", 1)
    assert grants[0]["source_id"] == session["id"]
    await shared.settled()
    assert await types(shared, book) == ["access_granted", "product_purchased"]
    charge = await charge_of_invoice(shared, session["invoice"])
    await shared.stripe.post("refunds", charge=charge)
    await shared.has(book, "g11@gotcha.example", access=False)
    assert (await types(shared, book)).count("refunded") == 1


async def test_11_one_off_lines_of_a_subscriptions_invoice(shared: Latchkey) -> None:
    """11: an invoice item beside a subscription created by the API is a purchase too."""
    club, _, monthly = await linked(shared)
    book, _, once = await linked(shared, every=None)
    made = await shared.stripe.subscribe(
        "g11api@gotcha.example", monthly, add_invoice_items=[{"price": once}]
    )
    await shared.has(club, "g11api@gotcha.example")
    grants = await granted(shared, book, "g11api@gotcha.example", 1)
    assert grants[0]["source_id"] == made["latest_invoice"]
    assert await types(shared, book) == ["access_granted", "product_purchased"]


async def test_11_one_product_from_a_subscription_and_its_invoice(shared: Latchkey) -> None:
    """11, 30: both give access, and both record refunds of the invoice."""
    club, stripe_product, monthly = await linked(shared)
    once = await shared.stripe.price(stripe_product, every=None)
    made = await shared.stripe.subscribe(
        "g11both@gotcha.example", monthly, add_invoice_items=[{"price": once}]
    )
    await granted(shared, club, "g11both@gotcha.example", 2)
    charge = await charge_of_invoice(shared, made["latest_invoice"])
    await shared.stripe.post("refunds", charge=charge, amount=100)
    await shared.settled()
    told = await shared.lines(product=club, type="refunded")
    assert {line["source_id"] for line in told} == {made["id"], made["latest_invoice"]}
    assert len(told) == 2


async def test_11_a_cart_whose_debit_fails_and_whose_invoice_is_paid_by_card(
    shared: Latchkey,
) -> None:
    """7, 11: what is paid once in a subscription's cart is pending with the debit, then failed; the
    session says `unpaid` forever, even once its invoice is paid."""
    book, _, once = await linked(shared, every=None)
    monthly = await shared.stripe.price(await shared.stripe.product("Not linked"))
    session = await shared.stripe.buy("g11debit@gotcha.example", monthly, once, card="sepa_debit")
    assert await types(shared, book) == ["payment_pending"]
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="failed")
    assert await types(shared, book) == ["payment_failed", "payment_pending"]
    state = "select state from orders where id = $1"
    assert "failed" in await shared.pool.fetchval(state, session["id"])
    await shared.stripe.post(f"invoices/{session['invoice']}/pay", payment_method="pm_card_visa")
    found = await shared.stripe.get(f"checkout/sessions/{session['id']}")
    assert found["payment_status"] == "unpaid"
    await shared.has(book, "g11debit@gotcha.example")
    assert (await types(shared, book)).count("product_purchased") == 1


async def test_12_guests_have_no_customer(shared: Latchkey) -> None:
    """12: an order with only an email address, and a second one by the same person."""
    product, _, price = await linked(shared, every=None)
    first = await shared.stripe.buy("g12@gotcha.example", price, mode="payment")
    second = await shared.stripe.buy("G12@Gotcha.example", price, mode="payment")
    assert first["customer"] is None
    grants = await granted(shared, product, "g12@gotcha.example", 2)
    assert {grant["source_id"] for grant in grants} == {first["id"], second["id"]}
    mails = await shared.pool.fetchval("select count(*) from mails where product_id = $1", product)
    assert mails == 1


async def test_14_an_unsigned_reference_is_ignored(shared: Latchkey) -> None:
    """14: a bare or forged `client_reference_id` doesn't say whose the purchase is."""
    product, _, price = await linked(shared, every=None)
    for number, forged in enumerate(("1", "lk1_1_" + "0" * 40)):
        session = await shared.stripe.checkout(price, mode="payment", client_reference_id=forged)
        await shared.stripe.pay(session, f"g14{number}@gotcha.example")
        await shared.has(product, f"g14{number}@gotcha.example")


async def test_28_29_refunds_add_up_and_may_fail(shared: Latchkey) -> None:
    """28, 29: partial refunds are cumulative, and a refund that fails gives access back; a repeated
    refund is recorded again."""
    product, _, price = await linked(shared, every=None, amount=3000)
    session = await shared.stripe.buy("g28@gotcha.example", price, mode="payment")
    await shared.has(product, "g28@gotcha.example")
    charge = await charge_of(shared, session["payment_intent"])
    for _ in range(2):
        await shared.stripe.post("refunds", charge=charge, amount=1000)
        await shared.settled()
        assert (await shared.access(product, "g28@gotcha.example"))["access"] is True
    last = await shared.stripe.post("refunds", charge=charge, amount=1000)
    await shared.has(product, "g28@gotcha.example", access=False)
    await shared.stripe.control(f"refunds/{last['id']}/fail")
    await shared.has(product, "g28@gotcha.example")
    await shared.stripe.post("refunds", charge=charge, amount=1000)
    await shared.has(product, "g28@gotcha.example", access=False)
    found = await types(shared, product)
    assert found.count("refunded") == 4
    assert found.count("refund_failed") == 1
    assert found.count("access_granted") == found.count("access_ended") == 2
    assert found.count("product_purchased") == 1


@pytest.mark.parametrize(
    ("opened", "outcome", "access"),
    [
        ("needs_response", "won", True),
        ("needs_response", "lost", False),
        ("warning_needs_response", "warning_closed", True),
        ("needs_response", "prevented", True),
    ],
)
async def test_disputes_in_all_outcomes(
    shared: Latchkey, opened: str, outcome: str, access: bool
) -> None:
    """28, 50: an inquiry or a dispute keeps access while it is open; only a lost one ends it."""
    product, _, price = await linked(shared, every=None)
    email = f"{opened}{outcome}@gotcha.example"
    session = await shared.stripe.buy(email, price, mode="payment")
    await shared.has(product, email)
    charge = await charge_of(shared, session["payment_intent"])
    made = await shared.stripe.control(f"charges/{charge}/dispute", status=opened, amount=900)
    await shared.settled()
    assert (await shared.access(product, email))["access"] is True
    await shared.stripe.control(f"disputes/{made['id']}/close", outcome=outcome)
    await shared.has(product, email, access=access)
    lines = await types(shared, product)
    told = [line["data"] for line in await shared.lines(product=product, type="disputed")]
    due = datetime.fromtimestamp(made["evidence_details"]["due_by"], UTC).isoformat()
    assert [(data["status"], data["amount"], data["evidence_due"]) for data in told] == [
        (outcome, 900, due),
        (opened, 900, due),
    ]
    assert lines.count("disputed") == 2
    assert lines.count("access_ended") == (0 if access else 1)


async def test_50_an_unknown_dispute_status_is_not_a_loss(shared: Latchkey) -> None:
    """50: enums are open: an unknown value is shown and takes nothing away."""
    product, _, price = await linked(shared, every=None)
    session = await shared.stripe.buy("g50@buys.example", price, mode="payment")
    await shared.has(product, "g50@buys.example")
    charge = await charge_of(shared, session["payment_intent"])
    made = await shared.stripe.control(f"charges/{charge}/dispute")
    await shared.stripe.control(
        f"objects/{made['id']}", set={"status": "haunted"}, event="charge.dispute.closed"
    )
    await shared.settled()
    assert (await shared.access(product, "g50@buys.example"))["access"] is True
    lines = await shared.lines(product=product, type="disputed")
    assert "haunted" in {line["data"]["status"] for line in lines}


async def test_31_invoices_paid_out_of_band_and_by_card(shared: Latchkey) -> None:
    """24, 31: a one-off invoice is a purchase, however it was paid; its refund is found through its
    payments."""
    product, _, price = await linked(shared, every=None)
    cash = await invoiced(shared, "cash@gotcha.example", price)
    await shared.stripe.post(f"invoices/{cash['id']}/pay", paid_out_of_band=True)
    await shared.has(product, "cash@gotcha.example")
    card = await invoiced(shared, "card@gotcha.example", price)
    await shared.stripe.post(f"invoices/{card['id']}/pay")
    await shared.has(product, "card@gotcha.example")
    await shared.stripe.post("refunds", charge=await charge_of_invoice(shared, card["id"]))
    await shared.has(product, "card@gotcha.example", access=False)
    draft = await invoiced(shared, "void@gotcha.example", price)
    await shared.stripe.post(f"invoices/{draft['id']}/void")
    await shared.settled()
    assert (await shared.access(product, "void@gotcha.example"))["access"] is False


async def test_17_a_session_and_its_invoice_are_one_purchase(shared: Latchkey) -> None:
    """17: with `invoice_creation` two objects report one purchase, also a free one."""
    product, _, price = await linked(shared, every=None)
    customer = await shared.stripe.customer("g17@gotcha.example")
    session = await shared.stripe.checkout(
        price, mode="payment", customer=customer, invoice_creation={"enabled": True}
    )
    paid = await shared.stripe.pay(session, "g17@gotcha.example")
    assert paid["invoice"]
    grants = await granted(shared, product, "g17@gotcha.example", 1)
    await shared.settled()
    assert await granted(shared, product, "g17@gotcha.example", 1) == grants
    assert grants[0]["source_id"] == session["id"]
    assert await types(shared, product) == ["access_granted", "product_purchased"]


async def test_past_one_off_invoices_are_imported_once(site: Latchkey) -> None:
    """6 of the import: invoices of the last year, without those that sessions made; all or none if
    the link asks for that. An invoice that one link counts isn't a purchase for a link that
    doesn't."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    old = await invoiced(site, "old@gotcha.example", price)
    await site.stripe.post(f"invoices/{old['id']}/pay")
    await site.stripe.control("clock/advance", seconds=2 * 366 * 86400)
    bill = await invoiced(site, "bill@gotcha.example", price)
    await site.stripe.post(f"invoices/{bill['id']}/pay")
    back = await invoiced(site, "back@gotcha.example", price)
    await site.stripe.post(f"invoices/{back['id']}/pay")
    await site.stripe.post("refunds", charge=await charge_of_invoice(site, back["id"]))
    customer = await site.stripe.customer("both@gotcha.example")
    session = await site.stripe.checkout(
        price, mode="payment", customer=customer, invoice_creation={"enabled": True}
    )
    await site.stripe.pay(session, "both@gotcha.example")
    await site.stripe.past()
    product = await site.product()
    await site.know(stripe_product)
    preview = await site.call(
        "POST", f"/products/{product}/link/preview", json={"stripe_product": stripe_product}
    )
    outcomes = {(r["email"], r["outcome"]) for r in preview["records"]}
    assert ("bill@gotcha.example", "new_user") in outcomes
    assert ("back@gotcha.example", "skipped") in outcomes
    assert len([r for r in preview["records"] if r["email"] == "both@gotcha.example"]) == 1
    await site.link(product, stripe_product)
    await site.has(product, "bill@gotcha.example")
    await site.has(product, "both@gotcha.example")
    assert len(await granted(site, product, "both@gotcha.example", 1)) == 1
    assert (await site.access(product, "old@gotcha.example"))["access"] is False
    assert (await site.access(product, "back@gotcha.example"))["access"] is False
    other = await site.product()
    await site.call(
        "PUT",
        f"/products/{other}/link",
        202,
        json={"stripe_product": stripe_product, "invoices": "all"},
    )
    await site.listening(other)
    await site.has(other, "old@gotcha.example")
    none = await site.product()
    body = {"stripe_product": stripe_product, "invoices": "none"}
    await site.call("PUT", f"/products/{none}/link", 202, json=body)
    await site.listening(none)
    assert (await site.access(none, "both@gotcha.example"))["access"] is True
    assert (await compared(site))["differences"] == []
    for bought in (old, bill):
        charge = await charge_of_invoice(site, bought["id"])
        await site.stripe.post("refunds", charge=charge, amount=100)
    await site.settled()
    assert (await site.access(other, "old@gotcha.example"))["access"] is True
    assert (await site.access(product, "old@gotcha.example"))["access"] is False
    assert (await site.access(none, "bill@gotcha.example"))["access"] is False
    for opened, sources in ((product, (bill, session)), (other, (bill, session, old))):
        imported = await site.lines(product=opened, type="imported")
        assert sorted((line["source_id"], line["cause"]) for line in imported) == sorted(
            (bought["id"], "import") for bought in sources
        )
        granted_ = await site.lines(product=opened, type="access_granted")
        assert {line["cause"] for line in granted_} == {"import"}
        assert await site.lines(product=opened, type="product_purchased") == []
