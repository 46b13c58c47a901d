"""Credit notes before and after payment, and the customers' credit that comes of them."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import begin, events_of, refused

pytestmark = pytest.mark.anyio


async def bill_of(stripe: Stripe, amount: int = 2000, *, paid: bool = False) -> Json:
    customer = await stripe.customer("credit@box.example")
    await stripe.post("invoiceitems", customer=customer, amount=amount, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    return await stripe.post(f"invoices/{bill['id']}/{'pay' if paid else 'finalize'}")


def whole_line(bill: Json, **more: object) -> list[Json]:
    line = bill["lines"]["data"][0]["id"]
    return [{"type": "invoice_line_item", "invoice_line_item": line, **more}]


async def test_an_open_invoice_has_less_to_pay(stripe: Stripe) -> None:
    bill = await bill_of(stripe)
    note = await stripe.post("credit_notes", invoice=bill["id"], amount=500, reason="order_change")
    assert (note["type"], note["status"], note["total"]) == ("pre_payment", "issued", 500)
    assert note["number"] == f"{bill['number']}-CN-01"
    found = await stripe.get(f"invoices/{bill['id']}")
    assert (found["total"], found["amount_due"], found["amount_remaining"]) == (2000, 1500, 1500)
    assert found["pre_payment_credit_notes_amount"] == 500
    assert "invoice.updated" in await events_of(stripe, bill["id"])
    paid = await stripe.post(f"invoices/{bill['id']}/pay")
    assert paid["amount_paid"] == 1500
    error = await refused(stripe, f"credit_notes/{note['id']}/void")
    assert error["status"] == 400


async def test_a_credit_note_is_taken_back_while_the_invoice_is_open(stripe: Stripe) -> None:
    bill = await bill_of(stripe)
    note = await stripe.post("credit_notes", invoice=bill["id"], amount=500)
    gone = await stripe.post(f"credit_notes/{note['id']}/void")
    assert (gone["status"], gone["voided_at"] is None) == ("void", False)
    found = await stripe.get(f"invoices/{bill['id']}")
    assert (found["amount_due"], found["pre_payment_credit_notes_amount"]) == (2000, 0)
    assert await events_of(stripe, note["id"]) == ["credit_note.created", "credit_note.voided"]


async def test_an_invoice_that_is_credited_in_full_is_paid(stripe: Stripe) -> None:
    life = await begin(stripe, card=None, payment_behavior="default_incomplete")
    bill = (await life.invoices())[0]
    await stripe.post("credit_notes", invoice=bill["id"], lines=whole_line(bill, quantity=1))
    found = await stripe.get(f"invoices/{bill['id']}")
    assert (found["status"], found["amount_paid"]) == ("paid", 0)
    assert "invoice.paid" in await events_of(stripe, bill["id"])
    assert (await life.now())["status"] == "active"


async def test_no_more_is_credited_than_there_is(stripe: Stripe) -> None:
    bill = await bill_of(stripe)
    error = await refused(stripe, "credit_notes", invoice=bill["id"], amount=2001)
    assert error["param"] == "amount"
    await stripe.post("credit_notes", invoice=bill["id"], amount=1500)
    error = await refused(stripe, "credit_notes", invoice=bill["id"], amount=501)
    assert error["param"] == "amount"
    draft = await stripe.post("invoices", customer=bill["customer"])
    error = await refused(stripe, "credit_notes", invoice=draft["id"], amount=1)
    assert error["param"] == "invoice"


async def test_a_paid_invoice_is_refunded_by_a_credit_note(stripe: Stripe) -> None:
    bill = await bill_of(stripe, paid=True)
    error = await refused(stripe, "credit_notes", invoice=bill["id"], amount=800)
    assert "must equal the credit note amount" in error["message"]
    note = await stripe.post("credit_notes", invoice=bill["id"], amount=800, refund_amount=800)
    assert (note["type"], note["post_payment_amount"]) == ("post_payment", 800)
    refund = await stripe.get(f"refunds/{note['refunds'][0]['refund']}")
    assert refund["amount"] == 800
    charge = await stripe.get(f"charges/{refund['charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (800, False)
    found = await stripe.get(f"invoices/{bill['id']}")
    assert (found["status"], found["post_payment_credit_notes_amount"]) == ("paid", 800)


async def test_money_back_may_become_credit_for_the_next_invoice(stripe: Stripe) -> None:
    bill = await bill_of(stripe, paid=True)
    customer = bill["customer"]
    note = await stripe.post(
        "credit_notes",
        invoice=bill["id"],
        amount=2000,
        credit_amount=1200,
        out_of_band_amount=800,
    )
    entry = await stripe.get(
        f"customers/{customer}/balance_transactions/{note['customer_balance_transaction']}"
    )
    assert (entry["type"], entry["amount"], entry["ending_balance"]) == (
        "credit_note",
        -1200,
        -1200,
    )
    assert (await stripe.get(f"customers/{customer}"))["balance"] == -1200
    await stripe.post("invoiceitems", customer=customer, amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    bill = await stripe.post(f"invoices/{bill['id']}/finalize")
    assert (bill["status"], bill["amount_due"], bill["ending_balance"]) == ("paid", 0, -200)
    rows = (await stripe.get(f"customers/{customer}/balance_transactions"))["data"]
    assert [row["type"] for row in rows] == ["applied_to_invoice", "credit_note"]


async def test_a_void_invoice_gives_the_credit_back(stripe: Stripe) -> None:
    customer = await stripe.customer("credit@box.example")
    await stripe.post(
        f"customers/{customer}/balance_transactions",
        amount=-300,
        currency="usd",
        description="Gift",
    )
    await stripe.post("invoiceitems", customer=customer, amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    bill = await stripe.post(f"invoices/{bill['id']}/finalize")
    assert (bill["amount_due"], (await stripe.get(f"customers/{customer}"))["balance"]) == (700, 0)
    await stripe.post(f"invoices/{bill['id']}/void")
    assert (await stripe.get(f"customers/{customer}"))["balance"] == -300


async def test_a_debt_is_put_on_the_next_invoice(stripe: Stripe) -> None:
    customer = await stripe.customer("credit@box.example")
    await stripe.post(f"customers/{customer}/balance_transactions", amount=250, currency="usd")
    await stripe.post("invoiceitems", customer=customer, amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    bill = await stripe.post(f"invoices/{bill['id']}/finalize")
    assert (bill["total"], bill["amount_due"]) == (1000, 1250)
    assert (await stripe.get(f"customers/{customer}"))["balance"] == 0


async def test_lines_are_credited_with_their_taxes_and_discounts(stripe: Stripe) -> None:
    vat = (await stripe.post("tax_rates", display_name="VAT", percentage=20, inclusive=False))["id"]
    coupon = await stripe.post("coupons", percent_off=10)
    customer = await stripe.customer("credit@box.example")
    await stripe.post("invoiceitems", customer=customer, amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices",
        customer=customer,
        default_tax_rates=[vat],
        discounts=[{"coupon": coupon["id"]}],
        pending_invoice_items_behavior="include",
    )
    bill = await stripe.post(f"invoices/{bill['id']}/pay")
    assert bill["amount_paid"] == 1080
    given = {"invoice": bill["id"], "lines[0][type]": "invoice_line_item", "lines[0][amount]": 500}
    given["lines[0][invoice_line_item]"] = bill["lines"]["data"][0]["id"]
    preview = await stripe.get("credit_notes/preview", **given, credit_amount=540)
    assert (preview["subtotal"], preview["discount_amount"], preview["total"]) == (500, 50, 540)
    assert preview["total_taxes"][0]["amount"] == 90
    rows = await stripe.get("credit_notes/preview/lines", **given, credit_amount=540)
    assert [row["amount"] for row in rows["data"]] == [500]
    assert (await stripe.get("credit_notes"))["data"] == []
    note = await stripe.post("credit_notes", **given, refund_amount=540)
    rows = await stripe.get(f"credit_notes/{note['id']}/lines")
    assert rows["data"][0]["discount_amount"] == 50


async def test_a_refund_that_was_given_before_is_tied_to_its_note(stripe: Stripe) -> None:
    bill = await bill_of(stripe, paid=True)
    payment = (await stripe.get("invoice_payments", invoice=bill["id"]))["data"][0]["payment"]
    refund = await stripe.post("refunds", payment_intent=payment["payment_intent"], amount=700)
    note = await stripe.post(
        "credit_notes",
        invoice=bill["id"],
        amount=700,
        refunds=[{"refund": refund["id"], "amount_refunded": 700}],
    )
    assert [row["refund"] for row in note["refunds"]] == [refund["id"]]
    charge = await stripe.get(f"charges/{refund['charge']}")
    assert charge["amount_refunded"] == 700


async def test_custom_lines_and_metadata(stripe: Stripe) -> None:
    bill = await bill_of(stripe)
    note = await stripe.post(
        "credit_notes",
        invoice=bill["id"],
        memo="Sorry",
        lines=[
            {
                "type": "custom_line_item",
                "description": "Apology",
                "quantity": 2,
                "unit_amount": 100,
            }
        ],
    )
    assert (note["total"], note["memo"]) == (200, "Sorry")
    note = await stripe.post(f"credit_notes/{note['id']}", metadata={"why": "late"}, memo="Again")
    assert (note["metadata"], note["memo"]) == ({"why": "late"}, "Again")
    assert (await events_of(stripe, note["id"]))[-1] == "credit_note.updated"
    found = await stripe.get("credit_notes", invoice=bill["id"])
    assert [row["id"] for row in found["data"]] == [note["id"]]
    other = await stripe.customer("other@box.example")
    assert (await stripe.get("credit_notes", customer=other))["data"] == []
