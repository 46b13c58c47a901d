"""Payments made outside of Stripe, customers that are accounts, searches that are late."""

import time

import pytest

from tests.harness import Json, Stripe, until
from tests.sandbox.lives import events_of, refused

pytestmark = pytest.mark.anyio


async def paid_outside(stripe: Stripe, value: int, **params: object) -> Json:
    return await stripe.post(
        "payment_records/report_payment",
        amount_requested={"currency": "usd", "value": value},
        initiated_at=int(time.time()),
        payment_method_details={"type": "custom", "custom": {"display_name": "Cash"}},
        processor_details={"type": "custom", "custom": {"payment_reference": "till 4"}},
        **params,
    )


async def open_bill(stripe: Stripe, amount: int = 2000) -> Json:
    customer = await stripe.customer("out@box.example")
    await stripe.post("invoiceitems", customer=customer, amount=amount, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    return await stripe.post(f"invoices/{bill['id']}/finalize")


async def test_an_invoice_is_paid_outside_in_parts(stripe: Stripe) -> None:
    bill = await open_bill(stripe)
    path = f"invoices/{bill['id']}/attach_payment"
    first = await paid_outside(stripe, 500, outcome="guaranteed")
    bill = await stripe.post(path, payment_record=first["id"])
    assert (bill["status"], bill["amount_remaining"], bill["amount_paid"]) == ("open", 1500, 500)
    rest = await paid_outside(stripe, 1500)
    bill = await stripe.post(path, payment_record=rest["id"])
    assert bill["status"] == "open"
    settle = f"payment_records/{rest['id']}/report_payment_attempt_guaranteed"
    settled = await stripe.post(settle, guaranteed_at=int(time.time()))
    assert settled["amount_guaranteed"]["value"] == 1500
    bill = await stripe.get(f"invoices/{bill['id']}")
    assert (bill["status"], bill["amount_paid"], bill["amount_paid_off_stripe"]) == (
        "paid",
        2000,
        2000,
    )
    rows = (await stripe.get("invoice_payments", invoice=bill["id"], status="paid"))["data"]
    assert {row["payment"]["payment_record"] for row in rows} == {first["id"], rest["id"]}
    sent = await events_of(stripe, bill["id"])
    assert ("invoice.paid" in sent, "invoice.payment_succeeded" in sent) == (True, False)


async def test_a_record_tells_its_tries_and_refunds(stripe: Stripe) -> None:
    made = await paid_outside(stripe, 900, outcome="failed")
    assert made["amount_failed"]["value"] == 900
    again = f"payment_records/{made['id']}/report_payment_attempt"
    made = await stripe.post(again, initiated_at=int(time.time()), outcome="guaranteed")
    tries = await stripe.get("payment_attempt_records", payment_record=made["id"])
    assert len(tries["data"]) == 2
    back = f"payment_records/{made['id']}/report_refund"
    how = {"outcome": "refunded", "processor_details": {"type": "custom"}}
    made = await stripe.post(back, amount={"currency": "usd", "value": 400}, **how)
    assert made["amount_refunded"]["value"] == 400
    error = await refused(stripe, back, amount={"currency": "usd", "value": 501}, **how)
    assert error["param"] == "amount"


async def test_a_payment_intent_of_its_own_pays_an_invoice(stripe: Stripe) -> None:
    bill = await open_bill(stripe)
    path = f"invoices/{bill['id']}/attach_payment"
    given = {"currency": "usd", "customer": bill["customer"], "payment_method": "pm_card_visa"}
    other = await stripe.post("payment_intents", amount=100, **given)
    assert (await refused(stripe, path, payment_intent=other["id"]))["param"] == "payment_intent"
    intent = await stripe.post("payment_intents", amount=2000, confirm=True, **given)
    paid = await stripe.post(path, payment_intent=intent["id"])
    assert (paid["status"], paid["amount_paid"]) == ("paid", 2000)


async def test_customers_may_be_accounts(stripe: Stripe) -> None:
    await stripe.control("settings", customer_accounts="beside")
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment", customer_creation="always")
    await stripe.pay(session, "acct@box.example")
    session = await stripe.get(f"checkout/sessions/{session['id']}")
    account = session["customer_account"]
    assert account.startswith("acct_")
    assert session["customer"].startswith("cus_")
    await stripe.control("settings", customer_accounts="alone")
    session = await stripe.get(f"checkout/sessions/{session['id']}")
    assert (session["customer"], session["customer_account"]) == (None, account)
    found = await stripe.get("payment_intents", customer_account=account)
    assert [row["customer"] for row in found["data"]] == [None]
    monthly = await stripe.price(await stripe.product())
    made = await stripe.post(
        "subscriptions",
        customer_account=account,
        items=[{"price": monthly}],
        payment_behavior="default_incomplete",
    )
    assert made["customer_account"] == account
    answer = await stripe.client.get("/v1/charges", params={"customer_account": "acct_nobody"})
    assert answer.json()["error"]["param"] == "customer_account"
    types = {row["type"] for row in stripe.box.shop.world.table("event").values()}
    assert "customer.created" not in types
    told = [
        row["data"]["object"]["customer_account"]
        for row in stripe.box.shop.world.table("event").values()
        if row["type"] == "customer.subscription.created"
    ]
    assert told == [account]


async def test_charges_and_payments_are_searched(stripe: Stripe) -> None:
    charge = await stripe.post(
        "charges", amount=700, currency="usd", source="tok_mastercard", metadata={"order": "7"}
    )
    await stripe.post("charges", amount=900, currency="usd", source="tok_visa")
    for query in (
        'metadata["order"]:"7"',
        "amount<800",
        'payment_method_details.card.last4:"4444"',
    ):
        found = await stripe.get("charges/search", query=query)
        assert [row["id"] for row in found["data"]] == [charge["id"]], query
    found = await stripe.get(
        "payment_intents/search", query='status:"succeeded" AND metadata["order"]:"7"'
    )
    assert [row["id"] for row in found["data"]] == [charge["payment_intent"]]


async def test_a_search_is_late_where_a_fault_makes_it_so(stripe: Stripe) -> None:
    name = (await stripe.post("customers", email="late@box.example", name="Old"))["id"]
    await stripe.control("faults", search_lag_seconds=3600)
    await stripe.post(f"customers/{name}", name="New")
    await stripe.post("customers", email="late@box.example", name="Second")

    async def names() -> list[str]:
        found = await stripe.get("customers/search", query='email:"late@box.example"')
        return [row["name"] for row in found["data"]]

    assert await names() == ["Old"]
    await stripe.control("faults", reset=True)
    assert await names() == ["Second", "New"]
    await stripe.control("faults", search_lag_seconds=0.3)
    await stripe.post(f"customers/{name}", name="Newer")

    async def newer() -> bool:
        return await names() == ["Second", "Newer"]

    await until(newer, "the search has caught up")
    await stripe.control("faults", search_lag_seconds=3600)
    await stripe.delete(f"customers/{name}")
    assert await names() == ["Second", "Newer"]
    await stripe.control("faults", reset=True)
    assert await names() == ["Second"]
