"""Invoices: made, finalized, paid, failed, retried."""

from typing import Any

from sandbox import payments
from sandbox.shop import Shop, StripeFault, invalid, snapshot
from sandbox.world import Json

DRAFT_SECONDS = 3600
RETRY_DAYS = (3, 5, 7)


def draft(
    shop: Shop,
    *,
    customer: Json,
    lines: list[Json],
    currency: str,
    reason: str,
    subscription: Json | None = None,
    method: str = "charge_automatically",
    metadata: Json | None = None,
) -> Json:
    """A draft invoice with these lines, which are stored with it."""
    world = shop.world
    total = sum(line["amount"] for line in lines)
    made = world.make(
        "invoice",
        "in",
        status="draft",
        currency=currency,
        customer=customer["id"],
        test_clock=customer.get("test_clock"),
        customer_email=customer["email"],
        customer_name=customer["name"],
        billing_reason=reason,
        collection_method=method,
        auto_advance=reason != "manual",
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
        amount_due=max(total, 0),
        amount_paid=0,
        amount_remaining=max(total, 0),
        attempt_count=0,
        attempted=False,
        metadata=metadata or {},
        period_start=world.now(),
        period_end=world.now(),
    )
    for line in lines:
        line["invoice"] = made["id"]
    made["lines"] = {
        "object": "list",
        "data": lines,
        "has_more": False,
        "url": f"/v1/invoices/{made['id']}/lines",
    }
    if subscription is not None:
        made["parent"] = {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
        }
    shop.save(made, "invoice.created")
    return made


def subscription_line(shop: Shop, subscription: Json, item: Json, *, amount: int) -> Json:
    """A line for one period of a subscription's item."""
    line = _line(shop, item["price"], quantity=item.get("quantity") or 1, amount=amount)
    line["period"] = {"start": item["current_period_start"], "end": item["current_period_end"]}
    line["subscription"] = subscription["id"]
    line["parent"] = {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": subscription["id"],
            "subscription_item": item["id"],
        },
    }
    return line


def item_line(
    shop: Shop, price: Json, *, quantity: int, invoice_item: str, subscription: str | None = None
) -> Json:
    """A line for a one-off price."""
    line = _line(shop, price, quantity=quantity, amount=(price["unit_amount"] or 0) * quantity)
    line["period"] = {"start": shop.world.now(), "end": shop.world.now()}
    line["parent"] = {
        "type": "invoice_item_details",
        "subscription_item_details": None,
        "invoice_item_details": {
            "invoice_item": invoice_item,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
        },
    }
    return line


def _line(shop: Shop, price: Json, *, quantity: int, amount: int) -> Json:
    line = shop.world.make(
        "line_item",
        "il",
        amount=amount,
        subtotal=amount,
        currency=price["currency"],
        quantity=quantity,
        quantity_decimal=str(quantity),
        description=shop.find("product", price["product"])["name"],
    )
    line["pricing"] = {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": str(price["unit_amount"] or 0),
    }
    return line


def finalize(shop: Shop, invoice: Json) -> Json:
    """Give it a number and open it. Raises where it isn't a draft."""
    if invoice["status"] != "draft":
        raise invalid(f"Invoice is already finalized: {invoice['id']}", code="invoice_not_editable")
    before = snapshot(invoice)
    world = shop.world
    number = world.keep("invoices").get("count", 0) + 1
    world.keep("invoices", count=number)
    invoice.update(
        status="open",
        number=f"SBX-{number:06d}",
        effective_at=world.now(),
        hosted_invoice_url=f"{world.base_url}/i/{invoice['id']}",
        invoice_pdf=f"{world.base_url}/i/{invoice['id']}/pdf",
    )
    invoice["status_transitions"] = {**invoice["status_transitions"], "finalized_at": world.now()}
    shop.save(invoice, "invoice.finalized", before)
    return invoice


def collect(shop: Shop, invoice: Json, *, method: Json | None, on_session: bool = False) -> str:
    """Try to have an open invoice paid: `paid`, `processing`, `requires_action` or a decline."""
    if invoice["amount_due"] == 0:
        mark_paid(shop, invoice, intent=None)
        return "paid"
    if method is None:
        invoice.update(attempt_count=invoice["attempt_count"] + 1, attempted=True)
        shop.save(invoice, "invoice.payment_failed")
        return "no_payment_method"
    intent = _intent_of(shop, invoice, method)
    outcome = payments.confirm(shop, intent, on_session=on_session)
    if outcome == "succeeded":
        mark_paid(shop, invoice, intent=intent)
        return "paid"
    if outcome == "processing":
        shop.world.keep(intent["id"], invoice=invoice["id"])
        return outcome
    invoice.update(attempt_count=invoice["attempt_count"] + 1, attempted=True)
    shop.save(invoice, "invoice.payment_failed")
    if outcome in ("requires_action", "authentication_required"):
        shop.emit("invoice.payment_action_required", invoice)
    return outcome


def _intent_of(shop: Shop, invoice: Json, method: Json) -> Json:
    kept = shop.world.private.get(f"intent/{invoice['id']}", {}).get("id")
    intent = shop.world.table("payment_intent").get(kept)
    if intent is not None and intent["status"] not in ("succeeded", "canceled"):
        intent["payment_method"] = method["id"]
        return intent
    intent = payments.new_intent(
        shop,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        method=method,
        description="Subscription" if invoice["parent"] else "Invoice",
    )
    shop.world.keep(f"intent/{invoice['id']}", id=intent["id"])
    record_payment(shop, invoice, intent)
    return intent


def record_payment(shop: Shop, invoice: Json, intent: Json) -> Json:
    """Tie a payment intent to the invoice it pays."""
    made = shop.world.make(
        "invoice_payment",
        "inpay",
        invoice=invoice["id"],
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        is_default=True,
        status="open",
    )
    made["payment"] = {"type": "payment_intent", "payment_intent": intent["id"]}
    return shop.save(made)


def mark_paid(shop: Shop, invoice: Json, *, intent: Json | None, out_of_band: bool = False) -> None:
    world = shop.world
    before = snapshot(invoice)
    due = invoice["amount_due"]
    invoice.update(
        status="paid",
        amount_paid=due,
        amount_remaining=0,
        attempted=True,
        attempt_count=invoice["attempt_count"] + (1 if due and intent else 0),
        next_payment_attempt=None,
        auto_advance=False,
    )
    invoice["status_transitions"] = {**invoice["status_transitions"], "paid_at": world.now()}
    shop.save(invoice, "invoice.paid", before)
    if not out_of_band:
        shop.emit("invoice.payment_succeeded", invoice)
    world.schedule("retry_invoice", invoice["id"], None)
    for made in _payments(shop, invoice):
        if intent is not None and made["payment"]["payment_intent"] == intent["id"]:
            made.update(status="paid", amount_paid=due)
            made["status_transitions"] = {**made["status_transitions"], "paid_at": world.now()}
            shop.save(made, "invoice_payment.paid")


def _payments(shop: Shop, invoice: Json) -> list[Json]:
    found = shop.world.table("invoice_payment").newest_first(
        {"invoice": invoice["id"]}, before=None, after=None
    )
    return [made for made in found if made["invoice"] == invoice["id"]]


def payments_of(shop: Shop, invoice: Json) -> Json:
    """The list that `expand[]=payments` shows."""
    return {
        "object": "list",
        "data": _payments(shop, invoice),
        "has_more": False,
        "url": f"/v1/invoice_payments?invoice={invoice['id']}",
    }


def plan_retry(shop: Shop, invoice: Json) -> bool:
    """Schedule the next attempt; False after the last one."""
    done = invoice["attempt_count"]
    if done > len(RETRY_DAYS):
        invoice["next_payment_attempt"] = None
        return False
    at = shop.world.now() + shop.world.span(RETRY_DAYS[done - 1] * 86400)
    invoice["next_payment_attempt"] = at
    shop.world.schedule("retry_invoice", invoice["id"], at)
    return True


def void(shop: Shop, invoice: Json, *, event: bool = True) -> Json:
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only void open or uncollectible invoices: {invoice['status']}")
    before = snapshot(invoice)
    invoice.update(status="void", next_payment_attempt=None)
    invoice["status_transitions"] = {
        **invoice["status_transitions"],
        "voided_at": shop.world.now(),
    }
    shop.world.schedule("retry_invoice", invoice["id"], None)
    return shop.save(invoice, "invoice.voided" if event else None, before)


def mark_uncollectible(shop: Shop, invoice: Json) -> Json:
    before = snapshot(invoice)
    invoice.update(status="uncollectible", next_payment_attempt=None)
    shop.world.schedule("retry_invoice", invoice["id"], None)
    return shop.save(invoice, "invoice.marked_uncollectible", before)


def pay(shop: Shop, invoice: Json, params: Json) -> Json:
    """`POST /v1/invoices/{id}/pay`. Raises a card error where the money can't be had."""
    if invoice["status"] == "draft":
        finalize(shop, invoice)
    if invoice["status"] != "open":
        raise invalid(f"Invoice is already {invoice['status']}", code="invoice_not_payable")
    if params.get("paid_out_of_band"):
        mark_paid(shop, invoice, intent=None, out_of_band=True)
        return invoice
    given: Any = params.get("payment_method")
    method = (
        payments.payment_method(shop, given) if given else default_method(shop, invoice["customer"])
    )
    outcome = collect(shop, invoice, method=method)
    if outcome not in ("paid", "processing"):
        if outcome == "no_payment_method":
            raise StripeFault(400, "There is no default payment method.", code="missing")
        raise payments.declined(outcome if outcome in payments.MESSAGES else "generic_decline")
    return invoice


def default_method(shop: Shop, customer_id: str, subscription: Json | None = None) -> Json | None:
    """The payment method that a subscription or customer pays with."""
    table = shop.world.table("payment_method")
    if subscription and subscription["default_payment_method"]:
        return table.get(subscription["default_payment_method"])
    customer = shop.world.table("customer").get(customer_id)
    if customer is None:
        return None
    return table.get(customer["invoice_settings"]["default_payment_method"])


def add_line(shop: Shop, invoice: Json, item: Json) -> None:
    """Put an invoice item onto a draft."""
    if invoice["status"] != "draft":
        raise invalid(f"Invoice is already finalized: {invoice['id']}", code="invoice_not_editable")
    line = shop.world.make(
        "line_item",
        "il",
        invoice=invoice["id"],
        amount=item["amount"],
        subtotal=item["amount"],
        currency=item["currency"],
        quantity=item["quantity"],
        quantity_decimal=item["quantity_decimal"],
        description=item["description"],
        period=dict(item["period"]),
        pricing=item["pricing"],
    )
    line["parent"] = {
        "type": "invoice_item_details",
        "subscription_item_details": None,
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": None,
        },
    }
    invoice["lines"]["data"].append(line)
    total = sum(entry["amount"] for entry in invoice["lines"]["data"])
    for key in ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"):
        invoice[key] = total
    invoice.update(amount_due=max(total, 0), amount_remaining=max(total, 0))
    shop.save(invoice)
