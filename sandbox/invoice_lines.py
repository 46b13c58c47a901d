"""The contents of an invoice: its lines, discounts and totals."""

from datetime import UTC, datetime

from sandbox import discounts, pricing, taxes
from sandbox.shop import Shop, invalid
from sandbox.world import Json


def subscription_line(
    shop: Shop,
    subscription: Json,
    item: Json,
    *,
    amount: int,
    start: int,
    end: int,
    free: bool = False,
) -> Json:
    """A line for one period of a subscription's item, `free` during a trial."""
    line = _of_subscribed(shop, subscription, item, amount)
    line["period"] = {"start": start, "end": end}
    line["subscription"] = subscription["id"]
    if not free:
        at = _at(item["price"], line["pricing"]["unit_amount_decimal"], line["currency"])
        line["description"] = f"{_counted(shop, item, line)} {at}"
    else:
        line["pricing"]["unit_amount_decimal"] = "0"
        line["description"] = f"Free trial for {_counted(shop, item, line)}"
    line["parent"] = _of_subscription(subscription, item, proration=False)
    return taxes.note(shop, line, item["tax_rates"])


def _counted(shop: Shop, item: Json, line: Json) -> str:
    """How many of what: `2 user × Course` where the product has a unit label."""
    product = shop.world.table("product").get(item["price"]["product"]) or {}
    label = f" {product['unit_label']}" if product.get("unit_label") else ""
    return f"{line['quantity']}{label} × {line['description']}"


def proration_line(
    shop: Shop,
    subscription: Json,
    item: Json,
    *,
    amount: int,
    start: int,
    end: int,
    text: str,
    credited: Json | None = None,
) -> Json:
    """A line for part of a period: a charge, or a credit (negative) for what was billed by the
    lines that `credited` names."""
    line = _of_subscribed(shop, subscription, item, amount)
    line["period"] = {"start": start, "end": end}
    line["subscription"] = subscription["id"]
    day = datetime.fromtimestamp(start, UTC).strftime("%d %b %Y")
    line["description"] = f"{text} {line['description']} after {day}"
    line["discountable"] = False
    line["pricing"]["unit_amount_decimal"] = None
    line["parent"] = _of_subscription(subscription, item, proration=True, credited=credited)
    return taxes.note(shop, line, item["tax_rates"])


def _of_subscribed(shop: Shop, subscription: Json, item: Json, amount: int) -> Json:
    quantity, currency = item.get("quantity"), subscription["currency"]
    count = 1 if quantity is None else int(quantity)
    return _line(shop, item["price"], quantity=count, amount=amount, currency=currency)


def _at(price: Json, unit: str, currency: str) -> str:
    """The price of a line in words: "(at $9.00 / month)"."""
    recurring, amount = price["recurring"], float(unit) / 100
    count = recurring["interval_count"]
    rhythm = recurring["interval"] if count == 1 else f"every {count} {recurring['interval']}s"
    sign = "$" if currency == "usd" else f"{currency.upper()} "
    return f"(at {sign}{amount:.2f} / {rhythm})"


def _of_subscription(
    subscription: Json, item: Json, *, proration: bool, credited: Json | None = None
) -> Json:
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": proration,
            "proration_details": {"credited_items": credited},
            "subscription": subscription["id"],
            "subscription_item": item["id"],
        },
    }


def price_line(
    shop: Shop,
    price: Json,
    *,
    quantity: int,
    invoice_item: str,
    subscription: str | None = None,
    currency: str | None = None,
    amount: int | None = None,
) -> Json:
    """A line for a one-time price, in another currency or of another amount if given."""
    if amount is None:
        amount = pricing.amount(shop, price, quantity, currency)
    line = _line(shop, price, quantity=quantity, amount=amount, currency=currency)
    line["period"] = {"start": shop.world.now(), "end": shop.world.now()}
    line["parent"] = _of_item(invoice_item, proration=False, subscription=subscription)
    line["subscription"] = subscription
    return line


def item_line(shop: Shop, item: Json) -> Json:
    """A line for an invoice item."""
    line = shop.world.make(
        "line_item",
        "il",
        amount=item["amount"],
        subtotal=item["amount"],
        currency=item["currency"],
        quantity=item["quantity"],
        quantity_decimal=item["quantity_decimal"],
        description=item["description"],
        metadata=dict(item["metadata"]),
        period=dict(item["period"]),
        pricing=item["pricing"],
    )
    line["discounts"] = list(item["discounts"])
    line["discountable"] = item["discountable"]
    details = (item["parent"] or {}).get("subscription_details") or {}
    line["subscription"] = details.get("subscription")
    if item["proration"]:
        line["parent"] = _of_subscription(
            {"id": details.get("subscription")},
            {"id": details.get("subscription_item")},
            proration=True,
            credited=_credited(item),
        )
        line["parent"]["subscription_item_details"]["invoice_item"] = item["id"]
    else:
        line["parent"] = _of_item(
            item["id"], proration=False, subscription=details.get("subscription")
        )
    return taxes.note(shop, line, item["tax_rates"])


def _credited(item: Json) -> Json | None:
    """The invoiced lines that a credit gives back; what was still to be invoiced isn't named."""
    named = (item["proration_details"] or {}).get("credited_items") or {}
    found: Json | None = named.get("invoice_line_item_details")
    return found


def _of_item(invoice_item: str, *, proration: bool, subscription: str | None) -> Json:
    return {
        "type": "invoice_item_details",
        "subscription_item_details": None,
        "invoice_item_details": {
            "invoice_item": invoice_item,
            "proration": proration,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
        },
    }


def _line(
    shop: Shop, price: Json, *, quantity: int, amount: int, currency: str | None = None
) -> Json:
    product = shop.world.table("product").get(price["product"])
    line = shop.world.make(
        "line_item",
        "il",
        amount=amount,
        subtotal=amount,
        currency=currency or price["currency"],
        quantity=quantity,
        quantity_decimal=str(quantity),
        description=product["name"] if product else price["nickname"],
    )
    line["pricing"] = {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": pricing.unit(shop, price, currency),
    }
    return line


def put_lines(shop: Shop, invoice: Json, lines: list[Json]) -> None:
    """Add lines to a draft and update its totals. Raises if it is no longer a draft."""
    if invoice["status"] != "draft":
        raise invalid(f"Invoice is already finalized: {invoice['id']}", code="invoice_not_editable")
    for line in lines:
        line["invoice"] = invoice["id"]
    invoice["lines"]["data"] += lines
    total(shop, invoice)


def total(shop: Shop, invoice: Json) -> None:
    """Sum up the lines of a draft, less the discounts, with their taxes: discounts of lines count
    in the subtotal."""
    lines = invoice["lines"]["data"]
    taken: list[Json] = []
    for line in lines:
        line["discount_amounts"] = []
    own = [(name, [line]) for line in lines for name in line["discounts"]]
    open_to_all = [line for line in lines if line["discountable"]]
    for name, rows in own + [(name, open_to_all) for name in invoice["discounts"]]:
        discount = shop.world.table("discount").get(name)
        coupon = shop.world.table("coupon").get(discount["source"]["coupon"]) if discount else None
        if coupon is None:
            continue
        left = [(_product(line), max(0, line["amount"] - _taken(line))) for line in rows]
        off = discounts.amount_off(shop, coupon, left)
        taken.append({"amount": off, "discount": name})
        _spread(rows, left, off, name)
    before = sum(line["amount"] for line in lines)
    names = {name for name, _ in own}
    for line in lines:
        line["pretax_credit_amounts"] = _pretax(line["discount_amounts"])
    subtotal = before - sum(row["amount"] for row in taken if row["discount"] in names)
    whole = before - sum(entry["amount"] for entry in taken)
    invoice.update(
        subtotal=subtotal,
        total=whole,
        total_discount_amounts=taken,
        total_pretax_credit_amounts=_pretax(taken),
    )
    taxes.settle(shop, invoice)
    if invoice["shipping_cost"]:
        _ship(invoice)


def _pretax(taken: list[Json]) -> list[Json]:
    """Discounts as what is taken off before taxes."""
    return [{**row, "type": "discount"} for row in taken]


def _ship(invoice: Json) -> None:
    posted = invoice["shipping_cost"]["amount_total"]
    invoice["amount_shipping"] = posted
    for name in ("total", "total_excluding_tax", "amount_due", "amount_remaining"):
        invoice[name] += posted


def _product(line: Json) -> str:
    details = (line["pricing"] or {}).get("price_details") or {}
    return str(details.get("product"))


def _taken(line: Json) -> int:
    return sum(entry["amount"] for entry in line["discount_amounts"])


def _spread(lines: list[Json], left: list[tuple[str, int]], off: int, name: str) -> None:
    """Record on each line what a discount takes off it."""
    whole = sum(amount for _, amount in left)
    rest = off
    for line, (_, amount) in zip(lines, left, strict=True):
        share = min(rest, round(off * amount / whole)) if whole else 0
        rest -= share
        line["discount_amounts"].append({"amount": share, "discount": name})
