"""Quotes: drafted, finalized, and accepted into a subscription, a schedule or an invoice."""

from sandbox import checkout, invoice_lines, invoices
from sandbox.fields import apply
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.subscriptions import creation, schedules
from sandbox.world import Json

KIND = "quote"
OPEN_SECONDS = 30 * 86400
_MADE_HERE = ("line_items", "metadata", "customer", "discounts", "from_quote", "subscription_data")


def create(shop: Shop, params: Json) -> Json:
    """Create a draft. Raises Stripe's 400 for bad prices and for what the sandbox doesn't
    support."""
    world = shop.world
    customer = None
    if params.get("customer"):
        customer = shop.find("customer", params["customer"], param="customer")
    made = world.make(
        KIND,
        "qt",
        status="draft",
        collection_method="charge_automatically",
        customer=customer["id"] if customer else None,
        test_clock=(customer or {}).get("test_clock"),
        expires_at=world.now() + world.span(OPEN_SECONDS),
        metadata=merge_metadata({}, params.get("metadata")),
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    )
    made["subscription_data"]["billing_mode"] = {
        "type": "flexible",
        "flexible": {"proration_discounts": "included"},
    }
    _fill(shop, made, params)
    world.schedule("expire_quote", made["id"], made["expires_at"])
    return shop.save(made, f"{KIND}.created")


def update(shop: Shop, quote: Json, params: Json) -> Json:
    """Update a draft, or the expiry of an open quote."""
    changes = set(params) - {"expand"}
    if quote["status"] == "open" and changes - {"expires_at"}:
        raise invalid("Only `expires_at` can be updated once a quote is finalized.")
    _demand(quote, "draft", "open")
    if quote["customer"] and params.get("customer") not in (None, quote["customer"]):
        raise invalid("The customer of a quote cannot be changed.", param="customer")
    if params.get("customer"):
        quote["customer"] = shop.find("customer", params["customer"], param="customer")["id"]
    quote["metadata"] = merge_metadata(quote["metadata"], params.get("metadata"))
    _fill(shop, quote, params)
    shop.world.schedule("expire_quote", quote["id"], quote["expires_at"])
    return shop.save(quote)


def _fill(shop: Shop, quote: Json, params: Json) -> None:
    for unknown in ("discounts", "from_quote"):
        if params.get(unknown):
            raise invalid(f"The sandbox doesn't support `{unknown}` for quotes.", param=unknown)
    apply(shop, KIND, quote, params, *_MADE_HERE)
    data = dict(params.get("subscription_data") or {})
    if "metadata" in data:
        data["metadata"] = merge_metadata({}, data["metadata"])
    if data.get("effective_date") == "current_period_end":
        raise invalid(
            "`current_period_end` is only for revisions of a quote.",
            param="subscription_data[effective_date]",
        )
    quote["subscription_data"] = {**quote["subscription_data"], **data}
    if "line_items" in params or quote["id"] not in shop.world.private:
        wanted = params.get("line_items") or []
        lines = [checkout.line_for(shop, entry, number) for number, entry in enumerate(wanted)]
        shop.world.keep(quote["id"], lines=lines)
    _total(shop, quote)


def lines_of(shop: Shop, quote: Json) -> list[Json]:
    """What the quote offers, as line items."""
    found: list[Json] = shop.world.private[quote["id"]]["lines"]
    return found


def upfront_lines(shop: Shop, quote: Json) -> list[Json]:
    """The lines due on acceptance; recurring ones are included unless a trial comes first."""
    lines = lines_of(shop, quote)
    trial = quote["subscription_data"]["trial_period_days"]
    return [line for line in lines if not trial or line["price"]["type"] != "recurring"]


def _total(shop: Shop, quote: Json) -> None:
    lines = lines_of(shop, quote)
    recurring = [line for line in lines if line["price"]["type"] == "recurring"]
    due = _amounts(upfront_lines(shop, quote))
    quote["computed"] = {"upfront": due, "recurring": None}
    if recurring:
        rhythm = recurring[0]["price"]["recurring"]
        quote["computed"]["recurring"] = {
            **_amounts(recurring),
            "interval": rhythm["interval"],
            "interval_count": rhythm["interval_count"],
        }
    quote["currency"] = lines[0]["currency"] if lines else None
    quote.update(amount_subtotal=due["amount_subtotal"], amount_total=due["amount_total"])


def _amounts(lines: list[Json]) -> Json:
    return {
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }


def finalize(shop: Shop, quote: Json, params: Json) -> Json:
    """Give a draft its number and open it to the customer."""
    _demand(quote, "draft")
    if not quote["customer"]:
        raise invalid("A quote needs a customer before it can be finalized.", param="customer")
    if not lines_of(shop, quote):
        raise invalid("A quote needs line items before it can be finalized.", param="line_items")
    if params.get("expires_at"):
        quote["expires_at"] = params["expires_at"]
        shop.world.schedule("expire_quote", quote["id"], quote["expires_at"])
    count = shop.world.keep("quotes").get("count", 0) + 1
    shop.world.keep("quotes", count=count)
    quote["number"] = f"QT-SANDBOX1-{count:04d}-1"
    return _become(shop, quote, "open", "finalized")


def accept(shop: Shop, quote: Json) -> Json:
    """Turn an open quote into a subscription if a price recurs, a schedule if that starts later, or
    otherwise a draft invoice that is finalized in an hour."""
    _demand(quote, "open")
    with shop.row():
        if any(line["price"]["type"] == "recurring" for line in lines_of(shop, quote)):
            _subscribe(shop, quote)
        else:
            quote["invoice"] = _bill(shop, quote)["id"]
        return _become(shop, quote, "accepted", "accepted")


def _subscribe(shop: Shop, quote: Json) -> None:
    data = quote["subscription_data"]
    mode = dict(data["billing_mode"])
    once = [line for line in lines_of(shop, quote) if line["price"]["type"] != "recurring"]
    offer = {
        "items": [
            {"price": line["price"]["id"], "quantity": line["quantity"]}
            for line in lines_of(shop, quote)
            if line not in once
        ],
        "metadata": data["metadata"] or {},
        "collection_method": quote["collection_method"],
        "add_invoice_items": [
            {"price": line["price"]["id"], "quantity": line["quantity"]} for line in once
        ],
    }
    begin = data["effective_date"]
    if begin and begin > shop.world.now():
        given = {"customer": quote["customer"], "start_date": begin, "billing_mode": mode}
        made = schedules.create(shop, {**given, "phases": [offer]})
        quote["subscription_schedule"] = made["id"]
        return
    if quote["collection_method"] == "send_invoice":
        offer["days_until_due"] = quote["invoice_settings"]["days_until_due"] or 30
    made = creation.create(
        shop,
        {
            **offer,
            "customer": quote["customer"],
            "description": data["description"],
            "trial_period_days": data["trial_period_days"],
            "billing_mode": mode,
        },
    )
    quote["subscription"] = made["id"]


def _bill(shop: Shop, quote: Json) -> Json:
    bill = invoices.draft(
        shop,
        customer=shop.find("customer", quote["customer"]),
        lines=[
            invoice_lines.price_line(
                shop,
                line["price"],
                quantity=line["quantity"],
                invoice_item=shop.world.new_id("ii"),
            )
            for line in lines_of(shop, quote)
        ],
        currency=quote["currency"],
        reason="quote_accept",
        method=quote["collection_method"],
        days_until_due=quote["invoice_settings"]["days_until_due"],
        quote=quote["id"],
    )
    invoices.claim_items(shop, bill)
    at = shop.world.now() + shop.world.span(invoices.DRAFT_SECONDS)
    bill["automatically_finalizes_at"] = at
    shop.world.schedule("finalize_invoice", bill["id"], at)
    return shop.save(bill)


def cancel(shop: Shop, quote: Json) -> Json:
    """Cancel a quote, or expire it."""
    _demand(quote, "draft", "open")
    return _become(shop, quote, "canceled", "canceled")


def _demand(quote: Json, *statuses: str) -> None:
    if quote["status"] not in statuses:
        raise invalid(f"This quote is {quote['status']}; it must be {' or '.join(statuses)}.")


def _become(shop: Shop, quote: Json, status: str, told: str) -> Json:
    before = snapshot(quote)
    quote["status"] = status
    at = f"{told}_at"
    quote["status_transitions"] = {**quote["status_transitions"], at: shop.world.now()}
    if status != "open":
        shop.world.schedule("expire_quote", quote["id"], None)
    return shop.save(quote, f"{KIND}.{told}", before)
