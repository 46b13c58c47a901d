"""Invoices, their lines, payments and items."""

from sandbox import catalog, discounts, invoice_lines, invoices, lists, pricing, shipping, taxes
from sandbox.calls.registry import Call, call, readable, searchable
from sandbox.fields import apply
from sandbox.shop import Shop, invalid, merge_metadata, snapshot, too_many
from sandbox.subscriptions import dunning, previews
from sandbox.world import Json

readable("invoice", "/v1/invoices")
readable("invoiceitem", "/v1/invoiceitems")
readable("invoice_payment", "/v1/invoice_payments")
searchable("invoice", "/v1/invoices")
call("POST", "/v1/invoices/create_preview")(lambda c: previews.preview(c.shop, c.params))


@call("GET", "/v1/invoices")
def list_invoices(c: Call) -> Json:
    fields = ("customer", "status", "subscription", "collection_method")
    equal: Json = {key: c.params[key] for key in fields if key in c.params}
    due = c.params.get("due_date")

    def wanted(invoice: Json) -> bool:
        return due is None or (invoice["due_date"] and lists.within(invoice["due_date"], due))

    return lists.page(c.shop, "invoice", "/v1/invoices", c.params, equal=equal, keep=wanted)


@call("GET", "/v1/invoices/{}/lines")
def invoice_lines_of(c: Call) -> Json:
    return lists.slice_of(c.path, c.find("invoice")["lines"]["data"], c.params)


@call("GET", "/v1/invoice_payments")
def list_invoice_payments(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in ("invoice", "status") if key in c.params}
    if intent := (c.params.get("payment") or {}).get("payment_intent"):
        equal["payment_intent"] = intent
    return lists.page(c.shop, "invoice_payment", "/v1/invoice_payments", c.params, equal=equal)


@call("GET", "/v1/invoiceitems")
def list_items(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in ("customer", "invoice") if key in c.params}
    pending = c.params.get("pending")

    def wanted(item: Json) -> bool:
        return pending is None or (item["invoice"] is None) == pending

    return lists.page(c.shop, "invoiceitem", "/v1/invoiceitems", c.params, equal=equal, keep=wanted)


@call("POST", "/v1/invoiceitems")
def create_item(c: Call) -> Json:
    params, world = c.params, c.shop.world
    bill = None
    if params.get("invoice"):
        bill = c.shop.find("invoice", params["invoice"], param="invoice")
    customer = c.shop.find(
        "customer", params.get("customer") or (bill or {}).get("customer"), param="customer"
    )
    price = _price(c.shop, params, "pricing[price]")
    if price is not None and params.get("amount") is not None:
        raise too_many("amount", "pricing")
    quantity, amount = params.get("quantity", 1), params.get("amount")
    if price is None and amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    if amount is None and price is not None:
        amount = pricing.amount(c.shop, price, quantity, params.get("currency"))
    product = world.table("product").get(price["product"]) if price else None
    if price is None:
        assert amount is not None, "checked above"
        price = catalog.inline_price(c.shop, amount, params)
    made = world.make(
        "invoiceitem",
        "ii",
        customer=customer["id"],
        amount=amount,
        currency=price["currency"],
        description=params.get("description") or (product or {}).get("name"),
        quantity=quantity,
        quantity_decimal=str(quantity),
        date=world.now(),
        invoice=bill["id"] if bill else None,
        metadata=merge_metadata({}, params.get("metadata")),
        tax_rates=taxes.named(c.shop, params.get("tax_rates"), param="tax_rates"),
        test_clock=customer.get("test_clock"),
    )
    made["discounts"] = [
        _redeemed(
            c.shop,
            given,
            customer["id"],
            int(amount or 0),
            price["currency"],
            invoice_item=made["id"],
        )
        for given in params.get("discounts") or []
    ]
    made["period"] = params.get("period") or {"start": world.now(), "end": world.now()}
    made["pricing"] = {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": pricing.unit(c.shop, price, params.get("currency")),
    }
    if params.get("subscription"):
        found = c.shop.find("subscription", params["subscription"], param="subscription")
        made["parent"] = {
            "type": "subscription_details",
            "subscription_details": {"subscription": found["id"]},
        }
    if bill is not None:
        invoice_lines.put_lines(c.shop, bill, [invoice_lines.item_line(c.shop, made)])
        c.shop.save(bill, "invoice.updated")
    return c.shop.save(made, "invoiceitem.created")


def _redeemed(
    shop: Shop,
    given: Json,
    customer: str,
    total: int,
    currency: str | None = None,
    **owner: str,
) -> str:
    """The id of a discount of an invoice or its item, once it was seen to be allowed."""
    discounts.check(shop, given, total=total, currency=currency, customer=customer)
    return str(discounts.redeem(shop, given, customer=customer, **owner)["id"])


def _price(shop: Shop, params: Json, where: str) -> Json | None:
    if params.get("price_data"):
        return catalog.create_price(shop, {**params["price_data"], "active": False})
    given = (params.get("pricing") or {}).get("price") or params.get("price")
    if not given:
        return None
    found = shop.find("price", given, param=where)
    if found["type"] != "one_time":
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with"
            " `type=one_time`.",
            param=where,
        )
    return found


@call("POST", "/v1/invoiceitems/{}")
def update_item(c: Call) -> Json:
    """Other figures or words for an item, and for its line where it stands on a draft."""
    found, params = c.find("invoiceitem"), c.params
    bill = c.shop.world.table("invoice").get(found["invoice"])
    if bill is not None and bill["status"] != "draft" and set(params) - {"metadata", "expand"}:
        raise invalid("The invoice of this item is already finalized.", code="invoice_not_editable")
    apply(c.shop, "invoiceitem", found, params, "quantity", "tax_rates")
    if "tax_rates" in params:
        found["tax_rates"] = taxes.named(c.shop, params["tax_rates"], param="tax_rates")
    if "quantity" in params:
        each = found["amount"] / found["quantity"]
        found.update(quantity=params["quantity"], quantity_decimal=str(params["quantity"]))
        found["amount"] = params.get("amount", round(each * params["quantity"]))
    if bill is not None and bill["status"] == "draft":
        _drop_line(bill, found["id"])
        invoice_lines.put_lines(c.shop, bill, [invoice_lines.item_line(c.shop, found)])
        c.shop.save(bill, "invoice.updated")
    return c.shop.save(found)


def _drop_line(bill: Json, item: str) -> None:
    bill["lines"]["data"] = [
        line
        for line in bill["lines"]["data"]
        if ((line["parent"] or {}).get("invoice_item_details") or {}).get("invoice_item") != item
    ]


@call("DELETE", "/v1/invoiceitems/{}")
def delete_item(c: Call) -> Json:
    found = c.find("invoiceitem")
    bill = c.shop.world.table("invoice").get(found["invoice"])
    if bill is not None:
        if bill["status"] != "draft":
            raise invalid("The invoice of this item is already finalized.")
        _drop_line(bill, found["id"])
        invoice_lines.total(c.shop, bill)
        c.shop.save(bill)
    c.shop.world.forget("invoiceitem", found["id"])
    c.shop.emit("invoiceitem.deleted", found)
    return {"id": found["id"], "object": "invoiceitem", "deleted": True}


@call("POST", "/v1/invoices")
def create_invoice(c: Call) -> Json:
    """A draft, of a customer's pending items where it is asked for."""
    params = c.params
    customer = c.shop.find("customer", params.get("customer"), param="customer")
    _check_due(c)
    lines = []
    if params.get("pending_invoice_items_behavior") == "include":
        lines = invoices.take_pending(c.shop, customer["id"], params.get("subscription"))
    subscription = None
    if params.get("subscription"):
        subscription = c.shop.find("subscription", params["subscription"], param="subscription")
    with c.shop.row():
        bill = invoices.draft(
            c.shop,
            customer=customer,
            lines=lines,
            currency=params.get("currency") or (lines[0]["currency"] if lines else "usd"),
            reason="manual",
            subscription=subscription,
            method=params.get("collection_method", "charge_automatically"),
            metadata=merge_metadata({}, params.get("metadata")),
            days_until_due=params.get("days_until_due"),
            tax_rates=taxes.named(
                c.shop, params.get("default_tax_rates"), param="default_tax_rates"
            ),
            discounts=[
                _redeemed(c.shop, given, customer["id"], sum(line["amount"] for line in lines))
                for given in params.get("discounts") or []
            ],
        )
        for key in ("description", "footer", "due_date", "default_payment_method"):
            if params.get(key):
                bill[key] = params[key]
        _set_payment_settings(bill, params)
        if params.get("shipping_cost"):
            shipping.put_on_invoice(c.shop, bill, params["shipping_cost"])
            invoice_lines.total(c.shop, bill)
        invoices.claim_items(c.shop, bill)
        if params.get("auto_advance"):
            at = c.shop.world.now() + c.shop.world.span(invoices.DRAFT_SECONDS)
            bill.update(auto_advance=True, automatically_finalizes_at=at)
            c.shop.world.schedule("finalize_invoice", bill["id"], at)
        return c.shop.save(bill)


def _check_due(c: Call) -> None:
    for name in ("days_until_due", "due_date"):
        if c.params.get(name) is not None:
            _only_sent(name, c.params.get("collection_method"))


def _only_sent(name: str, method: str | None) -> None:
    if method != "send_invoice":
        raise invalid(
            f"`{name}` is only for invoices with `collection_method=send_invoice`.", param=name
        )


@call("POST", "/v1/invoices/{}/add_lines")
def add_lines(c: Call) -> Json:
    """Lines of prices or amounts; each becomes an invoice item too."""
    bill = c.find("invoice")
    before = snapshot(bill)
    for number, entry in enumerate(c.params["lines"]):
        if entry.get("invoice_item"):
            item = c.shop.find("invoiceitem", entry["invoice_item"])
            item["invoice"] = bill["id"]
            line = invoice_lines.item_line(c.shop, item)
        else:
            line = _added(c, bill, entry, f"lines[{number}][pricing][price]")
            rates = taxes.named(c.shop, entry.get("tax_rates"), param=f"lines[{number}][tax_rates]")
            taxes.note(c.shop, line, rates)
        invoice_lines.put_lines(c.shop, bill, [line])
    invoices.claim_items(c.shop, bill)
    return c.shop.save(bill, "invoice.updated", before)


def _added(c: Call, bill: Json, entry: Json, where: str) -> Json:
    price = _price(c.shop, entry, where)
    if price is not None:
        return invoice_lines.price_line(
            c.shop,
            price,
            quantity=entry.get("quantity", 1),
            invoice_item=c.shop.world.new_id("ii"),
        )
    now = c.shop.world.now()
    item = c.shop.world.make(
        "invoiceitem",
        "ii",
        customer=bill["customer"],
        amount=entry.get("amount", 0),
        currency=bill["currency"],
        description=entry.get("description"),
        quantity=1,
        quantity_decimal="1",
        date=now,
        invoice=bill["id"],
        metadata={},
        period={"start": now, "end": now},
    )
    return invoice_lines.item_line(c.shop, c.shop.save(item))


def _set_payment_settings(bill: Json, params: Json) -> None:
    given = params.get("payment_settings") or {}
    if "payment_method_types" in given:
        kinds = given["payment_method_types"] or None
        bill["payment_settings"] = {**bill["payment_settings"], "payment_method_types": kinds}


@call("POST", "/v1/invoices/{}")
def update_invoice(c: Call) -> Json:
    found = c.find("invoice")
    before = snapshot(found)
    apply(c.shop, "invoice", found, c.params, "payment_settings", "discounts", *_RECKONED)
    _set_payment_settings(found, c.params)
    if "shipping_cost" in c.params:
        _only_draft(found)
        found.update(shipping_cost=None, amount_shipping=0)
        if given := c.params["shipping_cost"]:
            shipping.put_on_invoice(c.shop, found, given)
        invoice_lines.total(c.shop, found)
    if days := c.params.get("days_until_due"):
        _only_draft(found)
        _only_sent("days_until_due", found["collection_method"])
        found["due_date"] = c.shop.world.now() + c.shop.world.span(days * invoices.DAY)
    if "default_tax_rates" in c.params:
        _only_draft(found)
        found["default_tax_rates"] = taxes.named(
            c.shop, c.params["default_tax_rates"], param="default_tax_rates"
        )
        invoice_lines.total(c.shop, found)
    if "discounts" in c.params:
        found["discounts"] = [
            given.get("discount")
            or _redeemed(c.shop, given, found["customer"], found["subtotal"], found["currency"])
            for given in c.params["discounts"] or []
        ]
        invoice_lines.total(c.shop, found)
    return c.shop.save(found, "invoice.updated", before)


_RECKONED = ("default_tax_rates", "shipping_cost")
"""What an update sets that changes the totals."""


def _only_draft(bill: Json) -> None:
    if bill["status"] != "draft":
        raise invalid(
            "Finalized invoices can't be updated in this way.", code="invoice_not_editable"
        )


call("DELETE", "/v1/invoices/{}")(lambda c: invoices.delete_draft(c.shop, c.find("invoice")))


@call("POST", "/v1/invoices/{}/finalize")
def finalize(c: Call) -> Json:
    bill = c.find("invoice")
    with c.shop.row():
        invoices.finalize(c.shop, bill)
        if bill["amount_due"] == 0:
            invoices.mark_paid(c.shop, bill, intent=None)
            dunning.settled(c.shop, bill)
        else:
            invoices.intent_of(c.shop, bill, None)
            if c.params.get("auto_advance"):
                c.shop.world.schedule("retry_invoice", bill["id"], c.shop.world.now())
    return bill


@call("POST", "/v1/invoices/{}/pay")
def pay(c: Call) -> Json:
    with c.shop.row():
        bill = invoices.pay(c.shop, c.find("invoice"), c.params)
        if bill["status"] == "paid":
            dunning.settled(c.shop, bill)
    return bill


@call("POST", "/v1/invoices/{}/send")
def send(c: Call) -> Json:
    bill = c.find("invoice")
    if bill["status"] == "draft":
        invoices.finalize(c.shop, bill)
    c.shop.emit("invoice.sent", bill)
    return bill


@call("POST", "/v1/invoices/{}/void")
def void(c: Call) -> Json:
    bill = c.find("invoice")
    with c.shop.row():
        invoices.void(c.shop, bill)
        dunning.settled(c.shop, bill)
    return bill


@call("POST", "/v1/invoices/{}/mark_uncollectible")
def mark_uncollectible(c: Call) -> Json:
    bill = c.find("invoice")
    with c.shop.row():
        invoices.mark_uncollectible(c.shop, bill)
        dunning.settled(c.shop, bill)
    return bill
