"""Invoices: drafted, finalized, paid, failed, retried, voided."""

from sandbox import (
    automatic_tax,
    balances,
    cards,
    declines,
    invoice_lines,
    numbering,
    offers,
    payments,
    taxes,
)
from sandbox.shop import Shop, StripeApiError, invalid, snapshot
from sandbox.world import Json

DRAFT_SECONDS = 3600
DAY = 86400
_DESCRIPTIONS = {
    "subscription_create": "Subscription creation",
    "subscription_update": "Subscription update",
    "subscription_cycle": "Subscription update",
}
"""The description of a subscription invoice's payment, by billing reason."""


_RENDERING = {"amount_tax_display": None, "template": None, "template_version": None}


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
    discounts: list[str] | None = None,
    days_until_due: int | None = None,
    quote: str | None = None,
    tax_rates: list[Json] | None = None,
) -> Json:
    """A draft invoice with these lines, which are stored with it."""
    world = shop.world
    made = world.make(
        "invoice",
        "in",
        status="draft",
        currency=currency,
        customer=customer["id"],
        test_clock=customer.get("test_clock"),
        customer_email=customer["email"],
        customer_name=customer["name"],
        account_country=shop.account["country"],
        account_name=shop.account["settings"]["dashboard"]["display_name"],
        billing_reason=reason,
        collection_method=method,
        auto_advance=reason != "manual",
        amount_paid=0,
        attempt_count=0,
        attempted=False,
        customer_tax_exempt=customer["tax_exempt"] or "none",
        default_tax_rates=(subscription or {}).get("default_tax_rates") or tax_rates or [],
        discounts=discounts or _discount_of(customer),
        metadata=metadata or {},
        webhooks_delivered_at=world.now(),
        period_start=world.now(),
        period_end=world.now(),
    )
    if subscription and subscription["automatic_tax"]["enabled"]:
        made["automatic_tax"] = automatic_tax.of_invoice()
    if reason == "manual":
        made["rendering"] = {**_RENDERING, "pdf": {"page_size": "auto"}}
    if method == "send_invoice":
        days = 30 if days_until_due is None else days_until_due
        made["due_date"] = world.now() + world.span(days * DAY)
    made["lines"] = {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": f"/v1/invoices/{made['id']}/lines",
    }
    invoice_lines.put_lines(shop, made, lines)
    if subscription is not None:
        made["parent"] = {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
        }
        kinds = subscription["payment_settings"]["payment_method_types"]
        made["payment_settings"] = {**made["payment_settings"], "payment_method_types": kinds}
    elif quote is not None:
        made["parent"] = {
            "type": "quote_details",
            "quote_details": {"quote": quote},
            "subscription_details": None,
        }
    shop.save(made, "invoice.created")
    return made


def _discount_of(customer: Json) -> list[str]:
    """The discount that a customer has on all they are billed."""
    return [customer["discount"]["id"]] if customer["discount"] else []


def finalize(shop: Shop, invoice: Json) -> Json:
    """Give a draft its number, open it, and use the customer's credit. Raises if it isn't a
    draft."""
    if invoice["status"] != "draft":
        raise invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    before = snapshot(invoice)
    world = shop.world
    invoice.update(
        status="open",
        number=numbering.take(shop, invoice),
        effective_at=world.now(),
        hosted_invoice_url=f"{world.base_url}/i/{invoice['id']}",
        invoice_pdf=f"{world.base_url}/i/{invoice['id']}/pdf",
        automatically_finalizes_at=None,
    )
    if invoice["rendering"]:
        invoice["rendering"] = {**invoice["rendering"], "pdf": {"page_size": "letter"}}
    balances.use(shop, invoice)
    invoice["status_transitions"] = {**invoice["status_transitions"], "finalized_at": world.now()}
    world.schedule("finalize_invoice", invoice["id"], None)
    if invoice["due_date"]:
        world.schedule("invoice_overdue", invoice["id"], invoice["due_date"])
    shop.save(invoice, "invoice.finalized", before)
    return invoice


def collect(shop: Shop, invoice: Json, *, method: Json | None, on_session: bool = False) -> str:
    """Try to collect an open invoice. Returns `paid`, `processing`, `requires_action` or a decline
    code."""
    if invoice["amount_due"] == 0:
        mark_paid(shop, invoice, intent=None)
        return "paid"
    if method is None:
        invoice.update(attempt_count=invoice["attempt_count"] + 1, attempted=True)
        shop.save(invoice, "invoice.payment_failed")
        return "no_payment_method"
    intent = intent_of(shop, invoice, method)
    outcome = payments.confirm(shop, intent, on_session=on_session)
    if outcome == "succeeded":
        mark_paid(shop, invoice, intent=intent)
        return "paid"
    if outcome == "processing":
        invoice.update(attempted=True)
        shop.save(invoice)
        return outcome
    tries = 0 if outcome == "requires_action" else 1
    invoice.update(attempt_count=invoice["attempt_count"] + tries, attempted=True)
    shop.save(invoice, "invoice.payment_failed")
    if outcome in ("requires_action", "authentication_required"):
        shop.emit("invoice.payment_action_required", invoice)
    return outcome


_REFERENCE_LENGTH = 25
"""How much of an invoice's id a payment refers to, as recorded."""


def intent_of(shop: Shop, invoice: Json, method: Json | None) -> Json:
    """The payment intent of an open invoice, created if there isn't one yet."""
    kept = shop.world.private.get(f"intent/{invoice['id']}", {}).get("id")
    intent = shop.world.table("payment_intent").get(kept)
    if intent is not None and intent["status"] not in ("succeeded", "canceled"):
        if method:
            intent["payment_method"] = method["id"]
        return intent
    intent = payments.new_intent(
        shop,
        amount=invoice["amount_remaining"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        method=method,
        description=_DESCRIPTIONS.get(invoice["billing_reason"], "Payment for Invoice"),
    )
    if invoice["parent"]:
        reference = invoice["id"][:_REFERENCE_LENGTH]
        intent["payment_details"] = {"customer_reference": None, "order_reference": reference}
        intent["setup_future_usage"] = "off_session"
    payments.offer(shop, intent, _offered(shop, invoice, method), invoice=True)
    shop.save(intent, "payment_intent.created")
    shop.world.keep(f"intent/{invoice['id']}", id=intent["id"])
    shop.world.keep(intent["id"], invoice=invoice["id"])
    record_payment(shop, invoice, intent)
    return intent


def _offered(shop: Shop, invoice: Json, method: Json | None) -> list[str]:
    """The kinds of payment methods that an invoice can be paid with: those that it names, or
    the invoice template's, and that of the method that is on file."""
    if named := invoice["payment_settings"]["payment_method_types"]:
        return list(named)
    payment = offers.Payment(
        currency=invoice["currency"],
        amount=invoice["amount_remaining"],
        saved=bool(invoice["parent"]),
        where=offers.Where.INVOICE,
    )
    on_file = {method["type"]} if method else set()
    return sorted({*offers.kinds_of_invoices(shop, payment), *on_file})


def reprice_intent(shop: Shop, invoice: Json) -> None:
    """Have the payment intent of an open invoice ask for what is due now."""
    kept = shop.world.private.get(f"intent/{invoice['id']}", {}).get("id")
    intent = shop.world.table("payment_intent").get(kept)
    if intent is not None and intent["status"] not in ("succeeded", "canceled", "processing"):
        intent["amount"] = invoice["amount_remaining"]
        shop.save(intent)


def record_payment(shop: Shop, invoice: Json, intent: Json) -> Json:
    """Record which payment intent pays an invoice."""
    made = shop.world.make(
        "invoice_payment",
        "inpay",
        invoice=invoice["id"],
        amount_requested=invoice["amount_remaining"],
        currency=invoice["currency"],
        is_default=True,
        status="open",
    )
    made["payment"] = {"type": "payment_intent", "payment_intent": intent["id"]}
    return shop.save(made)


def mark_paid(shop: Shop, invoice: Json, *, intent: Json | None, out_of_band: bool = False) -> None:
    world = shop.world
    before = snapshot(invoice)
    due, left = invoice["amount_due"], invoice["amount_remaining"]
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
    if intent is not None:
        _keep_method(shop, invoice, intent)
    shop.save(invoice, "invoice.paid", before)
    if not out_of_band:
        shop.emit("invoice.payment_succeeded", invoice)
    _no_more_work(shop, invoice)
    for made in _payments(shop, invoice):
        if intent is not None and made["payment"].get("payment_intent") == intent["id"]:
            made.update(status="paid", amount_paid=left)
            made["status_transitions"] = {**made["status_transitions"], "paid_at": world.now()}
            shop.save(made, "invoice_payment.paid")


def _keep_method(shop: Shop, invoice: Json, intent: Json) -> None:
    """What paid becomes the subscription's own payment method, where it says so."""
    found = subscription_of(shop, invoice)
    if found is None or not intent["payment_method"]:
        return
    if found["payment_settings"]["save_default_payment_method"] == "on_subscription":
        found["default_payment_method"] = intent["payment_method"]
        shop.save(found)


def credit_outside(shop: Shop, invoice: Json, amount: int) -> None:
    """Count money that came outside of Stripe; the invoice is paid where nothing is left."""
    before = snapshot(invoice)
    invoice["amount_paid"] += amount
    invoice["amount_remaining"] -= amount
    invoice["amount_paid_off_stripe"] = invoice.get("amount_paid_off_stripe", 0) + amount
    if invoice["amount_remaining"]:
        reprice_intent(shop, invoice)
        shop.save(invoice, "invoice.updated", before)
    else:
        give_up_intent(shop, invoice, "automatic")
        mark_paid(shop, invoice, intent=None, out_of_band=True)


def attach_intent(shop: Shop, invoice: Json, intent: Json) -> Json:
    """Have an open invoice paid by a payment intent that was made by itself. Raises Stripe's 400
    where it doesn't fit."""
    if invoice["status"] != "open":
        raise invalid(f"The invoice is {invoice['status']}, not open.")
    fits = (
        intent["currency"] == invoice["currency"]
        and intent["customer"] == invoice["customer"]
        and intent["amount"] == invoice["amount_remaining"]
    )
    if not fits or intent["status"] == "canceled":
        raise invalid(
            "The PaymentIntent must be of the invoice's customer, currency and amount.",
            param="payment_intent",
        )
    record_payment(shop, invoice, intent)
    shop.world.keep(f"intent/{invoice['id']}", id=intent["id"])
    shop.world.keep(intent["id"], invoice=invoice["id"])
    if intent["status"] == "succeeded":
        mark_paid(shop, invoice, intent=intent)
    return invoice


def _no_more_work(shop: Shop, invoice: Json) -> None:
    for work in ("retry_invoice", "invoice_overdue", "finalize_invoice"):
        shop.world.schedule(work, invoice["id"], None)


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


def confirmation_secret(shop: Shop, invoice: Json) -> Json | None:
    """The client secret a page needs to pay an invoice."""
    kept = shop.world.private.get(f"intent/{invoice['id']}", {}).get("id")
    intent = shop.world.table("payment_intent").get(kept)
    if intent is None:
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def plan_retry(shop: Shop, invoice: Json) -> bool:
    """Schedule the next attempt; False after the last one."""
    done = invoice["attempt_count"]
    days = shop.settings.retry_days
    if done > len(days):
        invoice["next_payment_attempt"] = None
        return False
    at = shop.world.now() + shop.world.span(days[done - 1] * DAY)
    invoice["next_payment_attempt"] = at
    shop.world.schedule("retry_invoice", invoice["id"], at)
    return True


def void(shop: Shop, invoice: Json, *, event: bool = True) -> Json:
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(
            f"You can only void open or uncollectible invoices. This invoice is"
            f" {invoice['status']}.",
            code="invoice_not_editable",
        )
    before = snapshot(invoice)
    invoice.update(status="void", next_payment_attempt=None)
    invoice["status_transitions"] = {
        **invoice["status_transitions"],
        "voided_at": shop.world.now(),
    }
    _no_more_work(shop, invoice)
    give_up_intent(shop, invoice, "void_invoice")
    balances.give_back(shop, invoice)
    return shop.save(invoice, "invoice.voided" if event else None, before)


def give_up_intent(shop: Shop, invoice: Json, reason: str) -> None:
    """Cancel the payment intent of an invoice that nothing is to be paid for any more."""
    kept = shop.world.private.get(f"intent/{invoice['id']}", {}).get("id")
    intent = shop.world.table("payment_intent").get(kept)
    if intent is not None and intent["status"] not in ("succeeded", "canceled", "processing"):
        intent.update(status="canceled", canceled_at=shop.world.now())
        intent["cancellation_reason"] = reason
        shop.save(intent, "payment_intent.canceled")


def mark_uncollectible(shop: Shop, invoice: Json) -> Json:
    if invoice["status"] != "open":
        raise invalid(
            f"You can only mark open invoices as uncollectible. This invoice is"
            f" {invoice['status']}.",
            code="invoice_not_editable",
        )
    before = snapshot(invoice)
    invoice.update(status="uncollectible", next_payment_attempt=None)
    invoice["status_transitions"] = {
        **invoice["status_transitions"],
        "marked_uncollectible_at": shop.world.now(),
    }
    _no_more_work(shop, invoice)
    return shop.save(invoice, "invoice.marked_uncollectible", before)


def delete_draft(shop: Shop, invoice: Json) -> Json:
    """Delete a draft. Raises if it isn't a draft or belongs to a subscription."""
    if invoice["status"] != "draft" or invoice["parent"]:
        raise invalid(
            "You can only delete draft invoices that do not belong to a subscription.",
            code="invoice_not_editable",
        )
    _no_more_work(shop, invoice)
    shop.world.forget("invoice", invoice["id"])
    shop.emit("invoice.deleted", invoice)
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def pay(shop: Shop, invoice: Json, params: Json) -> Json:
    """`POST /v1/invoices/{id}/pay`. Raises a card error if the payment fails."""
    if invoice["status"] == "draft":
        finalize(shop, invoice)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "void":
        raise invalid(
            "This invoice can no longer be paid because it is void.", code="invoice_not_payable"
        )
    if params.get("paid_out_of_band"):
        mark_paid(shop, invoice, intent=None, out_of_band=True)
        return invoice
    given = params.get("payment_method")
    method = cards.payment_method(shop, given) if given else default_method(shop, invoice)
    outcome = collect(shop, invoice, method=method)
    if outcome not in ("paid", "processing"):
        if outcome == "no_payment_method":
            raise StripeApiError(
                400,
                "There is no `default_payment_method` set on this Customer or Invoice. Please set a"
                " `default_payment_method`.",
                code="invoice_payment_intent_requires_action",
            )
        raise declines.fault(outcome if outcome in declines.DECLINES else "generic_decline")
    return invoice


def default_method(shop: Shop, owner: Json) -> Json | None:
    """The payment method of an invoice, subscription or customer: its own, its subscription's, or
    its customer's."""
    table = shop.world.table
    if owner.get("default_payment_method"):
        return table("payment_method").get(owner["default_payment_method"])
    if owner["object"] == "invoice" and (found := subscription_of(shop, owner)) is not None:
        return default_method(shop, found)
    customer = owner if owner["object"] == "customer" else table("customer").get(owner["customer"])
    if customer is None:
        return None
    default = customer["invoice_settings"]["default_payment_method"]
    return table("payment_method").get(default or customer["default_source"])


def subscription_of(shop: Shop, invoice: Json) -> Json | None:
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return shop.world.table("subscription").get(details.get("subscription"))


def pending_items(shop: Shop, customer: str, subscription: str | None) -> list[Json]:
    """Invoice items pending for this customer's next invoice, oldest first."""
    rows = shop.world.table("invoiceitem").newest_first(
        {"customer": customer, "invoice": None}, before=None, after=None
    )
    waiting = []
    for item in rows:
        details = (item["parent"] or {}).get("subscription_details") or {}
        if details.get("subscription") in (None, subscription):
            waiting.append(item)
    return waiting[::-1]


def take_pending(shop: Shop, customer: str, subscription: str | None) -> list[Json]:
    """Lines for all pending items, to go on a new invoice."""
    return [
        invoice_lines.item_line(shop, item) for item in pending_items(shop, customer, subscription)
    ]


def claim_items(shop: Shop, invoice: Json) -> None:
    """Mark the items on an invoice as invoiced."""
    for line in invoice["lines"]["data"]:
        parent = line["parent"] or {}
        details = (
            parent.get("invoice_item_details") or parent.get("subscription_item_details") or {}
        )
        name = details.get("invoice_item")
        item = shop.world.table("invoiceitem").get(name)
        if item is not None:
            item["invoice"] = invoice["id"]
            shop.save(item)
        elif name and not shop.silent:
            _item_behind(shop, invoice, line, name)


def _item_behind(shop: Shop, invoice: Json, line: Json, name: str) -> Json:
    """The invoice item of a line that was made of a price."""
    made = shop.world.make(
        "invoiceitem",
        "ii",
        id=name,
        customer=invoice["customer"],
        amount=line["amount"],
        currency=line["currency"],
        description=line["description"],
        quantity=line["quantity"],
        quantity_decimal=line["quantity_decimal"],
        date=shop.world.now(),
        metadata={},
        period=dict(line["period"]),
        pricing=line["pricing"],
        tax_rates=taxes.noted(shop, line),
        test_clock=invoice["test_clock"],
        invoice=invoice["id"],
    )
    if line["subscription"]:
        made["parent"] = {
            "type": "subscription_details",
            "subscription_details": {"subscription": line["subscription"]},
        }
    return shop.save(made, "invoiceitem.created")
