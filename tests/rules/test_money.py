"""What counts as paid, on Stripe's objects in every combination, against a naive account of the
money."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules import reading
from latchkey.rules.access import judge_order, order_state
from latchkey.rules.policy import DEFAULT_POLICY, Policy

Json = dict[str, Any]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRICE = 2000


@dataclass(frozen=True)
class Told:
    """One of Stripe's objects, and who ends up with how much of the money: `received` by the shop
    (also outside Stripe, or out of the customer's balance), `returned` to the customer. `settled`
    says that Stripe asks for nothing more, `free` that it never asked for anything."""

    source: Json
    intent: Json | None
    price: int
    received: int
    returned: int
    settled: bool
    free: bool
    quantity: int

    def read(self) -> reading.Order:
        if self.source["object"] == "checkout.session":
            return reading.checkout_session({**self.source, "payment_intent": self.intent})
        return reading.invoice(self.source, paid_by=self.intent)


def _intent(state: str, *, captured: int, refunded: int) -> Json:
    """A payment as Stripe shows it: what was authorized and not captured counts as refunded there
    once it is clear that it won't be."""
    let_go = PRICE - captured if state in ("succeeded", "canceled") else 0
    return {
        "id": "pi_1",
        "status": state,
        "latest_charge": {
            "id": "ch_1",
            "created": 1_780_000_000,
            "amount": PRICE,
            "amount_captured": captured,
            "captured": captured > 0,
            "amount_refunded": let_go + refunded,
            "refunded": let_go + refunded == PRICE,
            "disputed": False,
        },
    }


@st.composite
def sessions(draw: st.DrawFn) -> Told:
    """A checkout session in payment mode: by card or a delayed method, captured at once, later, in
    part or never, expired, free by a coupon, of any quantity."""
    quantity = draw(st.sampled_from([0, 1, 1, 1, 3]))
    way = draw(st.sampled_from(["paid", "held", "let_go", "processing", "failed", "free", "open"]))
    captured = draw(st.sampled_from([PRICE, PRICE, 1500, 1])) if way == "paid" else 0
    refunded = draw(st.sampled_from([0, 0, 1, captured])) if captured else 0
    states = {
        "paid": "succeeded",
        "held": "requires_capture",
        "let_go": "canceled",
        "processing": "processing",
        "failed": "requires_payment_method",
    }
    status = draw(st.sampled_from(["open", "expired"])) if way == "open" else "complete"
    free = way == "free"
    said = "paid" if way == "paid" else "no_payment_required" if free else "unpaid"
    if way in ("held", "let_go"):
        said = draw(st.sampled_from(["unpaid", "paid"]))
    return Told(
        source={
            "id": "cs_1",
            "object": "checkout.session",
            "status": status,
            "payment_status": said,
            "amount_total": 0 if free else PRICE,
            "currency": "usd",
            "created": 1_780_000_000,
            "line_items": {
                "data": [
                    {
                        "id": "li_1",
                        "quantity": quantity,
                        "amount_total": 0 if free else PRICE,
                        "price": {"id": "price_1", "product": "prod_1", "type": "one_time"},
                    }
                ]
            },
        },
        intent=_intent(states[way], captured=captured, refunded=refunded)
        if way in states
        else None,
        price=0 if free else PRICE,
        received=captured,
        returned=refunded,
        settled=way == "paid" or free,
        free=free,
        quantity=quantity,
    )


@st.composite
def invoices(draw: st.DrawFn) -> Told:
    """A one-off invoice: paid by card, outside Stripe, out of the customer's balance or in parts,
    credited before or after that, voided, written off, free, of any quantity."""
    quantity = draw(st.sampled_from([0, 1, 1, 1, 3]))
    total = draw(st.sampled_from([0, PRICE, PRICE, PRICE]))
    before = draw(st.sampled_from([0, 0, 500, total])) if total else 0
    due = total - before
    status = draw(st.sampled_from(["paid", "paid", "paid", "open", "void", "uncollectible"]))
    if due == 0:
        status = "paid"
    paid = due if status == "paid" else draw(st.sampled_from([0, min(due, 700)]))
    by = draw(st.sampled_from(["card", "cash", "balance"]))
    refunded = draw(st.sampled_from([0, 0, 1, paid])) if status == "paid" and by == "card" else 0
    after = draw(st.sampled_from([0, 0, 1, paid])) if status == "paid" else 0
    after = max(0, min(after, paid - refunded))
    return Told(
        source={
            "id": "in_1",
            "object": "invoice",
            "status": status,
            "total": total,
            "amount_due": 0 if by == "balance" else due,
            "amount_paid": paid if by == "card" else 0,
            "pre_payment_credit_notes_amount": before,
            "post_payment_credit_notes_amount": after,
            "currency": "usd",
            "created": 1_780_000_000,
            "lines": {
                "data": [
                    {
                        "id": "il_1",
                        "quantity": quantity,
                        "amount": total,
                        "parent": {"invoice_item_details": {"proration": False}},
                        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
                    }
                ]
            },
        },
        intent=_intent("succeeded", captured=PRICE, refunded=refunded)
        if by == "card" and paid == PRICE
        else None,
        price=total,
        received=paid,
        returned=after + (refunded if by == "card" and paid == PRICE else 0),
        settled=status == "paid",
        free=total == 0,
        quantity=quantity,
    )


@given(st.one_of(sessions(), invoices()))
def test_only_money_or_what_stripe_calls_free_is_paid(told: Told) -> None:
    order = told.read()
    paid = told.settled and (told.free or told.received > 0)
    assert (order_state(order) == "paid") == paid
    assert bool(order.one_off_lines) == (told.quantity > 0)


@given(st.one_of(sessions(), invoices()), st.builds(Policy, full_refund=st.booleans()))
def test_access_ends_once_all_money_is_back(told: Told, policy: Policy) -> None:
    kept = told.received - told.returned
    paid = told.settled and (told.free or told.received > 0)
    wanted = paid and (told.free or kept > 0 or policy.full_refund)
    assert judge_order(told.read(), policy, as_of=NOW).access == wanted


@given(st.one_of(sessions(), invoices()))
def test_letting_go_of_an_authorization_is_not_a_partial_refund(told: Told) -> None:
    policy = Policy(partial_refund=False)
    if told.settled and told.received and not told.returned:
        assert judge_order(told.read(), policy, as_of=NOW).access


@given(sessions())
def test_what_may_still_be_paid_is_looked_at_again(told: Told) -> None:
    state = (told.intent or {}).get("status")
    verdict = judge_order(told.read(), DEFAULT_POLICY, as_of=NOW)
    if state in ("processing", "requires_capture"):
        assert verdict.wake_at is not None
        assert not verdict.terminal


def test_a_line_that_takes_something_off_the_bill_buys_nothing() -> None:
    line = {
        "id": "il_1",
        "quantity": 1,
        "amount": -500,
        "parent": {"invoice_item_details": {"proration": False}},
        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
    }
    source = {"id": "in_1", "status": "paid", "total": 0, "created": 0, "lines": {"data": [line]}}
    assert reading.invoice(source).one_off_lines == ()


def test_what_a_credit_note_refunds_is_told_apart() -> None:
    parts = [{"refund": "re_1", "amount_refunded": 400}, {"refund": "re_2", "amount_refunded": 100}]
    assert reading.refunded_by({"status": "issued", "refunds": parts}) == 500
    assert reading.refunded_by({"status": "void", "refunds": parts}) == 0
    assert reading.refunded_by({"status": "issued"}) == 0
