"""Refunds, disputes and one-off invoices."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import events_of, refused

pytestmark = pytest.mark.anyio

DAY = 86_400


async def order(stripe: Stripe, card: str = "pm_card_visa", amount: int = 1500) -> Json:
    """A paid one-off order; its charge."""
    price = await stripe.price(await stripe.product(), amount, every=None)
    session = await stripe.buy("order@box.example", price, mode="payment", card=card)
    intent = await stripe.get(f"payment_intents/{session['payment_intent']}")
    return await stripe.get(f"charges/{intent['latest_charge']}")


async def test_partial_refunds_add_up(stripe: Stripe) -> None:
    charge = await order(stripe)
    path = f"charges/{charge['id']}"
    await stripe.post("refunds", charge=charge["id"], amount=500)
    found = await stripe.get(path)
    assert (found["refunded"], found["amount_refunded"]) == (False, 500)
    error = await refused(stripe, "refunds", charge=charge["id"], amount=1001)
    assert (error["status"], error["param"]) == (400, "amount")
    await stripe.post("refunds", payment_intent=charge["payment_intent"])
    found = await stripe.get(path)
    assert (found["refunded"], found["amount_refunded"]) == (True, 1500)
    error = await refused(stripe, "refunds", charge=charge["id"])
    assert error["code"] == "charge_already_refunded"
    assert (await events_of(stripe, charge["id"])).count("charge.refunded") == 2


async def test_a_refund_fails(stripe: Stripe) -> None:
    await stripe.control("settings", delayed_seconds=60)
    charge = await order(stripe, "pm_card_refundFail")
    made = await stripe.post("refunds", charge=charge["id"])
    assert made["status"] == "succeeded"
    await stripe.control("clock/advance", seconds=61)
    made = await stripe.get(f"refunds/{made['id']}")
    assert (made["status"], made["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert (await stripe.get(f"charges/{charge['id']}"))["amount_refunded"] == 0
    assert {"refund.updated", "refund.failed"} <= set(await events_of(stripe, made["id"]))


async def test_a_refund_arrives_later(stripe: Stripe) -> None:
    await stripe.control("settings", delayed_seconds=60)
    charge = await order(stripe, "pm_card_pendingRefund")
    made = await stripe.post("refunds", charge=charge["id"], amount=100)
    assert made["status"] == "pending"
    await stripe.control("clock/advance", seconds=61)
    assert (await stripe.get(f"refunds/{made['id']}"))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        ("won", ["charge.dispute.closed", "charge.dispute.funds_reinstated"]),
        ("lost", ["charge.dispute.closed"]),
    ],
)
async def test_a_dispute_is_decided(stripe: Stripe, outcome: str, after: list[str]) -> None:
    charge = await order(stripe, "pm_card_createDispute")
    assert (await stripe.get(f"charges/{charge['id']}"))["disputed"] is True
    made = (await stripe.get("disputes", charge=charge["id"]))["data"][0]
    assert made["status"] == "needs_response"
    error = await refused(stripe, "refunds", charge=charge["id"])
    assert error["code"] == "charge_disputed"
    closed = await stripe.control(f"disputes/{made['id']}/close", outcome=outcome)
    assert closed["status"] == outcome
    assert (await stripe.get(f"charges/{charge['id']}"))["refunded"] is False
    sent = await events_of(stripe, made["id"])
    assert {"charge.dispute.created", "charge.dispute.funds_withdrawn", *after} <= set(sent)
    assert (await refused(stripe, f"disputes/{made['id']}/close"))["status"] == 400


@pytest.mark.parametrize(
    ("evidence", "status"),
    [("winning_evidence", "won"), ("losing_evidence", "lost"), ("a letter", "under_review")],
)
async def test_evidence_decides(stripe: Stripe, evidence: str, status: str) -> None:
    charge = await order(stripe, "pm_card_createDispute")
    made = (await stripe.get("disputes", charge=charge["id"]))["data"][0]
    found = await stripe.post(
        f"disputes/{made['id']}", evidence={"uncategorized_text": evidence}, submit=True
    )
    assert found["status"] == status


async def test_an_inquiry_is_closed_or_becomes_a_dispute(stripe: Stripe) -> None:
    charge = await order(stripe, "pm_card_createDisputeInquiry")
    made = (await stripe.get("disputes", charge=charge["id"]))["data"][0]
    assert (made["status"], made["is_charge_refundable"]) == ("warning_needs_response", True)
    assert "charge.dispute.funds_withdrawn" not in await events_of(stripe, made["id"])
    due = made["evidence_details"]["due_by"]
    assert due % DAY == DAY - 1, "the last second of a day"
    assert 9 * DAY <= due - made["created"] < 10 * DAY
    grown = await stripe.control(f"disputes/{made['id']}/escalate")
    assert grown["status"] == "needs_response"
    other = await stripe.control(
        f"charges/{(await order(stripe))['id']}/dispute", status="warning_needs_response"
    )
    closed = await stripe.control(f"disputes/{other['id']}/close", outcome="warning_closed")
    assert closed["status"] == "warning_closed"


async def bill(stripe: Stripe, *, quantity: int = 1, **params: object) -> Json:
    """A draft with one product's price on it."""
    price = await stripe.price(await stripe.product("Workshop"), 3000, every=None)
    customer = await stripe.customer("bill@box.example")
    made = await stripe.post("invoices", customer=customer, **params)
    line = {"pricing": {"price": price}, "quantity": quantity}
    return await stripe.post(f"invoices/{made['id']}/add_lines", lines=[line])


async def test_a_one_off_invoice_is_paid(stripe: Stripe) -> None:
    made = await bill(stripe, quantity=2)
    assert (made["status"], made["total"], made["parent"]) == ("draft", 6000, None)
    assert made["lines"]["data"][0]["pricing"]["price_details"]["product"].startswith("prod_")
    opened = await stripe.post(f"invoices/{made['id']}/finalize")
    assert (opened["status"], bool(opened["number"])) == ("open", True)
    paid = await stripe.post(f"invoices/{made['id']}/pay")
    assert (paid["status"], paid["amount_paid"]) == ("paid", 6000)
    again = await refused(stripe, f"invoices/{made['id']}/pay")
    assert again["status"] == 400
    payments = (await stripe.get("invoice_payments", invoice=made["id"]))["data"]
    assert [row["status"] for row in payments] == ["paid"]
    by_intent = await stripe.get(
        "invoice_payments",
        **{
            "payment[type]": "payment_intent",
            "payment[payment_intent]": payments[0]["payment"]["payment_intent"],
        },
    )
    assert by_intent["data"][0]["invoice"] == made["id"]


async def test_an_invoice_is_paid_elsewhere_voided_uncollectible_or_deleted(stripe: Stripe) -> None:
    made = await bill(stripe)
    await stripe.post(f"invoices/{made['id']}/pay", paid_out_of_band=True)
    sent = await events_of(stripe, made["id"])
    assert "invoice.paid" in sent
    assert "invoice.payment_succeeded" not in sent
    for way, status in (("void", "void"), ("mark_uncollectible", "uncollectible")):
        made = await bill(stripe)
        assert (await refused(stripe, f"invoices/{made['id']}/{way}"))["status"] == 400
        await stripe.post(f"invoices/{made['id']}/finalize")
        assert (await stripe.post(f"invoices/{made['id']}/{way}"))["status"] == status
    made = await bill(stripe)
    assert (await stripe.delete(f"invoices/{made['id']}"))["deleted"] is True
    assert (await stripe.client.get(f"/v1/invoices/{made['id']}")).status_code == 404


async def test_an_advancing_invoice_collects_itself(stripe: Stripe) -> None:
    made = await bill(stripe, auto_advance=True)
    await stripe.control("clock/advance", seconds=3601)
    assert (await stripe.get(f"invoices/{made['id']}"))["status"] == "paid"


async def test_pending_items_go_onto_the_next_invoice(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product("Extra"), 700, every=None)
    customer = await stripe.customer("items@box.example")
    made = await stripe.post(
        "invoiceitems", customer=customer, pricing={"price": price}, quantity=3
    )
    assert (await stripe.get("invoiceitems", customer=customer, pending="true"))["data"]
    drafted = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    assert drafted["total"] == 2100
    assert (await stripe.get(f"invoiceitems/{made['id']}"))["invoice"] == drafted["id"]
    gone = await stripe.delete(f"invoiceitems/{made['id']}")
    assert gone["deleted"] is True
    assert (await stripe.get(f"invoices/{drafted['id']}"))["total"] == 0


async def test_credit_is_used_before_the_card(stripe: Stripe) -> None:
    made = await bill(stripe)
    await stripe.post(f"customers/{made['customer']}", balance=-1000)
    opened = await stripe.post(f"invoices/{made['id']}/finalize")
    assert (opened["total"], opened["amount_due"]) == (3000, 2000)
    assert (await stripe.get(f"customers/{made['customer']}"))["balance"] == 0


async def test_more_than_ten_lines(stripe: Stripe) -> None:
    made = await bill(stripe)
    lines = [{"amount": 100 + n, "description": f"Line {n}"} for n in range(14)]
    shown = await stripe.post(f"invoices/{made['id']}/add_lines", lines=lines)
    assert (len(shown["lines"]["data"]), shown["lines"]["has_more"]) == (10, True)
    every = await stripe.get(f"invoices/{made['id']}/lines", limit=100)
    assert len(every["data"]) == 15


async def test_customers_are_created_updated_and_deleted(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    nameless = (await stripe.post("customers"))["id"]
    assert (await stripe.get(f"customers/{nameless}"))["email"] is None
    made = await stripe.subscribe("old@box.example", price)
    await stripe.post(f"customers/{made['customer']}", email="new@box.example")
    sent = await stripe.client.get(
        "/_sandbox/events", params={"object": made["customer"], "type": "customer.updated"}
    )
    assert sent.json()["data"][0]["data"]["previous_attributes"]["email"] == "old@box.example"
    assert (await stripe.get("customers", email="new@box.example"))["data"]
    assert (await stripe.get("customers", email="NEW@box.example"))["data"] == []
    await stripe.delete(f"customers/{made['customer']}")
    assert await stripe.get(f"customers/{made['customer']}") == {
        "id": made["customer"],
        "object": "customer",
        "deleted": True,
    }
    assert (await stripe.get(f"subscriptions/{made['id']}"))["status"] == "canceled"
    assert "customer.subscription.deleted" in await events_of(stripe, made["id"])
    error = await refused(stripe, f"customers/{made['customer']}", email="x@box.example")
    assert error["status"] == 404
