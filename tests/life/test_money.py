"""Access needs money, or an order that Stripe itself calls free; what is paid later opens the door
when it is, and a purchase's state follows its money."""

from typing import Any

import pytest

from tests.harness import Json, Latchkey
from tests.life.play import charge_of, charge_of_invoice, linked, types
from tests.life.test_gotchas_purchases import invoiced
from tests.web.test_webhooks import event, send

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def held(site: Latchkey, email: str, price: str) -> Json:
    """A checkout that only authorizes the payment."""
    session = await site.stripe.checkout(
        price, mode="payment", payment_intent_data={"capture_method": "manual"}
    )
    return await site.stripe.pay(session, email)


async def money(
    site: Latchkey, order: str, *, access: bool, product: str, email: str
) -> str | None:
    """Where an order's money is once everything is handled; None if it isn't recorded."""
    await site.settled()
    assert (await site.access(product, email))["access"] is access
    found: str | None = await site.pool.fetchval(
        "select money_state from orders where id = $1", order
    )
    return found


@pytest.mark.parametrize("part", [None, 1000])
async def test_a_capture_opens_the_door_when_it_comes(shared: Latchkey, part: int | None) -> None:
    product, _, price = await linked(shared, every=None)
    email = f"held{part}@money.example"
    session = await held(shared, email, price)
    about = {"product": product, "email": email}
    assert await money(shared, session["id"], access=False, **about) == "pending"
    given = {"amount_to_capture": part} if part else {}
    await shared.stripe.post(f"payment_intents/{session['payment_intent']}/capture", **given)
    await shared.has(product, email)
    assert await money(shared, session["id"], access=True, **about) == "paid"
    assert "refunded" not in await types(shared, product)


async def test_a_capture_opens_the_door_whatever_the_event_is_called(shared: Latchkey) -> None:
    """Stripe reports one capture by several events, of which any may be the one that arrives."""
    product, _, price = await linked(shared, every=None)
    for type_ in (
        "charge.captured",
        "charge.updated",
        "charge.succeeded",
        "payment_intent.succeeded",
        "v1.payment_intent.succeeded",
    ):
        email = f"{type_}@money.example"
        session = await held(shared, email, price)
        await money(shared, session["id"], access=False, product=product, email=email)
        await shared.stripe.control("faults", drop=1)
        try:
            intent = session["payment_intent"]
            taken = await shared.stripe.post(f"payment_intents/{intent}/capture")
            await shared.stripe.delivered()
        finally:
            await shared.stripe.control("faults", drop=0)
        if type_.startswith("v1."):
            related = {"id": intent, "type": "payment_intent"}
            told: Any = {"object": "v2.core.event", "related_object": related}
        elif type_.startswith("charge"):
            source = await shared.stripe.get(f"charges/{taken['latest_charge']}")
            told = {"data": {"object": source}}
        else:
            told = {"data": {"object": taken}}
        answer = await send(shared, event(shared, type=type_, **told))
        assert answer.status_code == 200, answer.text
        await shared.has(product, email)


async def test_an_authorization_that_is_let_go_was_no_purchase(shared: Latchkey) -> None:
    product, _, price = await linked(shared, every=None)
    email = "letgo@money.example"
    session = await held(shared, email, price)
    about = {"product": product, "email": email}
    assert await money(shared, session["id"], access=False, **about) == "pending"
    await shared.stripe.post(f"payment_intents/{session['payment_intent']}/cancel")
    assert await money(shared, session["id"], access=False, **about) == "failed"
    assert await types(shared, product) == ["payment_failed", "payment_pending"]


async def test_what_every_payment_sends_costs_no_reading(shared: Latchkey) -> None:
    """A renewal's `payment_intent.succeeded` is handled without asking Stripe."""
    product, _, price = await linked(shared)
    await shared.stripe.buy("echo@money.example", price)
    await shared.has(product, "echo@money.example")
    await shared.settled()
    echo = event(
        shared,
        type="payment_intent.succeeded",
        data={"object": {"id": "pi_of_a_renewal", "object": "payment_intent"}},
    )
    await send(shared, echo)
    await shared.settled()
    assert await shared.pool.fetchval("select state from events where id = $1", echo["id"]) == (
        "handled"
    )
    reads = (await shared.stripe.client.get("/_sandbox/requests")).json()["data"]
    assert not [read for read in reads if "pi_of_a_renewal" in str(read)]


async def test_what_is_credited_in_full_before_it_is_paid_was_never_bought(
    shared: Latchkey,
) -> None:
    product, _, price = await linked(shared, every=None, amount=2000)
    email = "credited@money.example"
    bill = await invoiced(shared, email, price)
    await shared.stripe.post("credit_notes", invoice=bill["id"], amount=500)
    await shared.stripe.post("credit_notes", invoice=bill["id"], amount=1500)
    assert (await shared.stripe.get(f"invoices/{bill['id']}"))["status"] == "paid"
    assert await money(shared, bill["id"], access=False, product=product, email=email) is None
    partly = await invoiced(shared, email, price)
    await shared.stripe.post("credit_notes", invoice=partly["id"], amount=500)
    await shared.stripe.post(f"invoices/{partly['id']}/pay")
    await shared.has(product, email)
    about = {"product": product, "email": email}
    assert await money(shared, partly["id"], access=True, **about) == "paid"


@pytest.mark.parametrize(
    ("by", "state"), [("credit_amount", "credited"), ("refund_amount", "refunded")]
)
async def test_a_credit_note_after_the_payment_gives_it_back(
    shared: Latchkey, by: str, state: str
) -> None:
    """To the customer's balance, or by a refund: partly, then in full."""
    product, _, price = await linked(shared, every=None, amount=2000)
    email = f"{by}@money.example"
    about = {"product": product, "email": email}
    bill = await invoiced(shared, email, price)
    await shared.stripe.post(f"invoices/{bill['id']}/pay")
    await shared.has(product, email)
    await shared.stripe.post("credit_notes", invoice=bill["id"], amount=500, **{by: 500})
    assert await money(shared, bill["id"], access=True, **about) == f"partly_{state}"
    await shared.stripe.post("credit_notes", invoice=bill["id"], amount=1500, **{by: 1500})
    await shared.has(product, email, access=False)
    assert await money(shared, bill["id"], access=False, **about) == state
    ended = (await shared.lines(product=product, type="access_ended"))[0]
    assert ended["data"]["reason"] == state


async def test_a_refund_and_a_credit_add_up(shared: Latchkey) -> None:
    product, _, price = await linked(shared, every=None, amount=2000)
    email = "both@money.example"
    about = {"product": product, "email": email}
    customer = await shared.stripe.customer(email)
    session = await shared.stripe.checkout(
        price, mode="payment", customer=customer, invoice_creation={"enabled": True}
    )
    session = await shared.stripe.pay(session, email)
    await shared.has(product, email)
    await shared.stripe.post(
        "refunds", charge=await charge_of(shared, session["payment_intent"]), amount=800
    )
    assert await money(shared, session["id"], access=True, **about) == "partly_refunded"
    bill = session["invoice"]
    await shared.stripe.post("credit_notes", invoice=bill, amount=1200, credit_amount=1200)
    await shared.has(product, email, access=False)
    assert await money(shared, session["id"], access=False, **about) == "credited"


async def test_a_voided_bill_opens_nothing_and_a_written_off_one_once_it_is_paid(
    shared: Latchkey,
) -> None:
    product, _, price = await linked(shared, every=None)
    email = "late@money.example"
    about = {"product": product, "email": email}
    void = await invoiced(shared, email, price)
    await shared.stripe.post(f"invoices/{void['id']}/void")
    assert await money(shared, void["id"], access=False, **about) is None
    bill = await invoiced(shared, email, price)
    await shared.stripe.post(f"invoices/{bill['id']}/mark_uncollectible")
    assert await money(shared, bill["id"], access=False, **about) is None
    await shared.stripe.post(f"invoices/{bill['id']}/pay")
    await shared.has(product, email)
    assert await money(shared, bill["id"], access=True, **about) == "paid"
    charge = await charge_of_invoice(shared, bill["id"])
    made = await shared.stripe.control(f"charges/{charge}/dispute", status="needs_response")
    assert await money(shared, bill["id"], access=True, **about) == "disputed"
    await shared.stripe.control(f"disputes/{made['id']}/close", outcome="lost")
    await shared.has(product, email, access=False)
    assert await money(shared, bill["id"], access=False, **about) == "dispute_lost"


async def test_the_customers_balance_is_money_and_quantity_0_buys_nothing(
    shared: Latchkey,
) -> None:
    product, _, price = await linked(shared, every=None, amount=2000)
    about = {"product": product, "email": "balance@money.example"}
    customer = await shared.stripe.customer(about["email"])
    await shared.stripe.post(
        f"customers/{customer}/balance_transactions", amount=-2000, currency="usd"
    )
    bill = await invoiced(shared, about["email"], price, customer=customer)
    await shared.stripe.post(f"invoices/{bill['id']}/pay") if bill["status"] == "open" else None
    await shared.has(product, about["email"])
    assert await money(shared, bill["id"], access=True, **about) == "paid"
    nobody = {"product": product, "email": "none@money.example"}
    other = await shared.stripe.customer(nobody["email"])
    empty = await shared.stripe.post("invoices", customer=other)
    await shared.stripe.post(
        "invoiceitems",
        customer=other,
        invoice=empty["id"],
        pricing={"price": price},
        quantity=0,
    )
    empty = await shared.stripe.post(f"invoices/{empty['id']}/finalize")
    assert empty["status"] == "paid"
    assert await money(shared, empty["id"], access=False, **nobody) is None
