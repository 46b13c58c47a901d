"""Subscriptions, their items, invoices and what goes onto them."""

from sandbox import invoices, lists, subscriptions
from sandbox.calls.registry import Call, apply, call, listable, readable, searchable
from sandbox.shop import invalid, snapshot
from sandbox.world import Json

call("POST", "/v1/subscriptions")(lambda c: subscriptions.create(c.shop, c.params))
call("POST", "/v1/subscriptions/{}")(
    lambda c: subscriptions.update(c.shop, c.find("subscription"), c.params)
)
call("DELETE", "/v1/subscriptions/{}")(
    lambda c: subscriptions.cancel(c.shop, c.find("subscription"))
)
call("POST", "/v1/subscriptions/{}/pause")(
    lambda c: subscriptions.pause(c.shop, c.find("subscription"))
)
call("POST", "/v1/subscriptions/{}/resume")(
    lambda c: subscriptions.resume(c.shop, c.find("subscription"))
)
readable("subscription", "/v1/subscriptions")
readable("invoice", "/v1/invoices")
readable("invoiceitem", "/v1/invoiceitems")
readable("invoice_payment", "/v1/invoice_payments")
listable("invoiceitem", "/v1/invoiceitems", "customer", "invoice")


@call("GET", "/v1/subscriptions")
def list_subscriptions(c: Call) -> Json:
    """By default all but the cancelled ones."""
    equal: Json = {key: c.params[key] for key in ("customer", "price") if key in c.params}
    if "customer" not in equal:
        equal["test_clock"] = c.params.get("test_clock")
    status = c.params.get("status")
    if status and status not in ("all", "ended"):
        equal["status"] = status

    def wanted(subscription: Json) -> bool:
        match status:
            case "ended":
                return subscription["status"] in ("canceled", "incomplete_expired")
            case None:
                return bool(subscription["status"] != "canceled")
        return True

    page = lists.page(
        c.shop, "subscription", "/v1/subscriptions", c.params, equal=equal, keep=wanted
    )
    return page


@call("GET", "/v1/subscription_items")
def list_items(c: Call) -> Json:
    found = c.shop.find("subscription", c.params.get("subscription"), param="subscription")
    return lists.slice_of("/v1/subscription_items", found["items"]["data"], c.params)


@call("GET", "/v1/invoices")
def list_invoices(c: Call) -> Json:
    equal: Json = {
        key: c.params[key] for key in ("customer", "status", "subscription") if key in c.params
    }
    return lists.page(c.shop, "invoice", "/v1/invoices", c.params, equal=equal)


@call("GET", "/v1/invoices/{}/lines")
def invoice_lines(c: Call) -> Json:
    return lists.slice_of(c.path, c.find("invoice")["lines"]["data"], c.params)


@call("GET", "/v1/invoice_payments")
def list_invoice_payments(c: Call) -> Json:
    equal = {key: c.params[key] for key in ("invoice",) if key in c.params}
    if intent := (c.params.get("payment") or {}).get("payment_intent"):
        equal["payment_intent"] = intent
    return lists.page(c.shop, "invoice_payment", "/v1/invoice_payments", c.params, equal=equal)


@call("POST", "/v1/invoiceitems")
def create_invoice_item(c: Call) -> Json:
    params, world = c.params, c.shop.world
    customer = c.shop.find("customer", params.get("customer"), param="customer")
    given = (params.get("pricing") or {}).get("price") or params.get("price")
    price = c.shop.find("price", given, param="pricing") if given else None
    if price is None and params.get("amount") is None and not params.get("price_data"):
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    quantity = params.get("quantity", 1)
    amount = params.get("amount")
    if amount is None:
        amount = (price["unit_amount"] if price else 0) * quantity
    made = world.make(
        "invoiceitem",
        "ii",
        customer=customer["id"],
        amount=amount,
        currency=price["currency"] if price else params.get("currency", "usd"),
        description=params.get("description"),
        quantity=quantity,
        quantity_decimal=str(quantity),
        date=world.now(),
        invoice=params.get("invoice"),
        metadata=params.get("metadata") or {},
    )
    made["period"] = {"start": world.now(), "end": world.now()}
    if price:
        made["pricing"] = {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": str(price["unit_amount"]),
        }
    c.shop.save(made, "invoiceitem.created")
    if made["invoice"]:
        bill = c.shop.find("invoice", made["invoice"], param="invoice")
        invoices.add_line(c.shop, bill, made)
    return made


@call("POST", "/v1/invoices")
def create_invoice(c: Call) -> Json:
    """A draft of a customer's pending items."""
    params = c.params
    customer = c.shop.find("customer", params.get("customer"), param="customer")
    pending = [
        item
        for item in c.shop.world.table("invoiceitem").newest_first(
            {"customer": customer["id"], "invoice": None}, before=None, after=None
        )
        if params.get("pending_invoice_items_behavior") == "include"
    ]
    bill = invoices.draft(
        c.shop,
        customer=customer,
        lines=[],
        currency=params.get("currency") or (pending[0]["currency"] if pending else "usd"),
        reason="manual",
        method=params.get("collection_method", "charge_automatically"),
        metadata=params.get("metadata"),
    )
    for item in reversed(pending):
        item["invoice"] = bill["id"]
        c.shop.save(item)
        invoices.add_line(c.shop, bill, item)
    return bill


call("POST", "/v1/invoices/create_preview")(lambda c: subscriptions.preview(c.shop, c.params))
searchable("invoice", "/v1/invoices")
searchable("subscription", "/v1/subscriptions")


@call("POST", "/v1/invoices/{}")
def update_invoice(c: Call) -> Json:
    found = c.find("invoice")
    before = snapshot(found)
    apply(c.shop, "invoice", found, c.params, "payment_settings", "discounts")
    return c.shop.save(found, "invoice.updated", before)


@call("POST", "/v1/invoices/{}/finalize")
def finalize(c: Call) -> Json:
    return invoices.finalize(c.shop, c.find("invoice"))


@call("POST", "/v1/invoices/{}/pay")
def pay(c: Call) -> Json:
    with c.shop.row():
        bill = invoices.pay(c.shop, c.find("invoice"), c.params)
        if bill["status"] == "paid":
            subscriptions.invoice_paid(c.shop, bill)
    return bill


@call("POST", "/v1/invoices/{}/send")
def send(c: Call) -> Json:
    bill = c.find("invoice")
    if bill["status"] == "draft":
        invoices.finalize(c.shop, bill)
    return c.shop.save(bill, "invoice.sent")


call("POST", "/v1/invoices/{}/void")(lambda c: invoices.void(c.shop, c.find("invoice")))
call("POST", "/v1/invoices/{}/mark_uncollectible")(
    lambda c: invoices.mark_uncollectible(c.shop, c.find("invoice"))
)
