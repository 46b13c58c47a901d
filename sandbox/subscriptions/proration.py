"""Prorations: what a change in the middle of a period costs, and when it is billed."""

from fractions import Fraction

from sandbox import invoice_lines, invoices, taxes
from sandbox.shop import Shop
from sandbox.subscriptions import items
from sandbox.world import Json


def share_left(item: Json, at: int) -> Fraction:
    """The part of an item's current period that is left, from 0 to 1."""
    return _left(int(item["current_period_start"]), int(item["current_period_end"]), at)


def _left(start: int, end: int, at: int) -> Fraction:
    if end <= start:
        return Fraction(0)
    return max(Fraction(0), min(Fraction(1), Fraction(end - at, end - start)))


def of_change(shop: Shop, found: Json, before: list[Json], at: int) -> list[Json]:
    """Lines for changed items: credits for the unused old price, a charge for the remaining new
    one."""
    after = {item["id"]: item for item in items.rows(found)}
    lines = []
    for old in before:
        new = after.pop(old["id"], None)
        if new is not None and _worth(new) == _worth(old):
            continue
        lines += _credits(shop, found, old, at)
        if new is not None:
            lines.append(_charge(shop, found, new, at))
    lines += [_charge(shop, found, item, at) for item in after.values()]
    return [line for line in lines if line["period"]["end"] > at]


def credit(shop: Shop, found: Json, before: list[Json], at: int) -> list[Json]:
    """Lines that credit the rest of the current periods."""
    return [
        line for item in before if share_left(item, at) for line in _credits(shop, found, item, at)
    ]


def rest(shop: Shop, found: Json, at: int) -> list[Json]:
    """Lines that charge for the rest of the current periods."""
    return [_charge(shop, found, item, at) for item in items.rows(found)]


def credit_rest(shop: Shop, found: Json) -> None:
    """Credit the rest of the current periods on the next invoice."""
    wait(shop, found, credit(shop, found, items.rows(found), shop.world.now()))


def _worth(item: Json) -> tuple[str, int | None]:
    return item["price"]["id"], item.get("quantity")


def _charge(shop: Shop, found: Json, item: Json, at: int) -> Json:
    """The rest of a period, at the price that holds now, less what discounts take off it."""
    amount = _net(shop, found, item, found["discounts"])
    return _line(shop, found, item, _rounded(amount * share_left(item, at)), at)


def _credits(shop: Shop, found: Json, item: Json, at: int) -> list[Json]:
    """What of a period isn't used. Flexible billing gives back what was billed for it, debit by
    debit; classic billing what the item costs now, with the discounts that were used last."""
    if found["billing_mode"]["type"] == "flexible":
        debits = shop.world.private.get(f"debits/{item['id']}", {}).get("rows")
        if debits is not None:
            return [
                _line(shop, found, item, -_unused(row, at), at, _billed_by(row))
                for row in debits
                if row["end"] > at and _unused(row, at)
            ]
    kept = shop.world.private.get(found["id"], {})
    last: list[str] = kept.get("last_discounts") or found["discounts"]
    amount = _net(shop, found, item, last)
    rows = shop.world.private.get(f"debits/{item['id']}", {}).get("rows") or []
    billed: Json = next((row for row in reversed(rows) if row["end"] > at), {})
    return [
        _line(shop, found, item, -_rounded(amount * share_left(item, at)), at, _billed_by(billed))
    ]


def _billed_by(row: Json) -> Json | None:
    """The invoice and the line that billed a debit, None where it is still to be invoiced."""
    if not row.get("invoice"):
        return None
    return {"invoice": row["invoice"], "invoice_line_items": [row["line"]]}


def _unused(row: Json, at: int) -> int:
    return _rounded(row["amount"] * _left(row["start"], row["end"], at))


def _rounded(amount: Fraction) -> int:
    """Half up, in the minor unit; amounts here aren't below zero."""
    return int(amount + Fraction(1, 2))


def _net(shop: Shop, found: Json, item: Json, names: list[str]) -> Fraction:
    """What a period of an item costs less its part of the discounts: flexible billing spreads a
    fixed amount by what the items cost, classic billing evenly."""
    amount = Fraction(items.amount_of(shop, found, item))
    for name in names:
        discount = shop.world.table("discount").get(name)
        coupon = shop.world.table("coupon").get(discount["source"]["coupon"]) if discount else None
        if coupon is None or not _covers(coupon, item):
            continue
        if coupon["percent_off"]:
            amount -= amount * Fraction(str(coupon["percent_off"])) / 100
        else:
            amount -= min(amount, coupon["amount_off"] * _part(shop, found, item, coupon))
    return amount


def _covers(coupon: Json, item: Json) -> bool:
    only = (coupon.get("applies_to") or {}).get("products")
    return not only or item["price"]["product"] in only


def _part(shop: Shop, found: Json, item: Json, coupon: Json) -> Fraction:
    """An item's part of a fixed discount."""
    covered = [row for row in items.rows(found) if _covers(coupon, row)]
    others = [row for row in covered if row["id"] != item["id"]]
    if found["billing_mode"]["type"] == "classic":
        return Fraction(1, len(others) + 1)
    own = items.amount_of(shop, found, item)
    whole = own + sum(items.amount_of(shop, found, row) for row in others)
    return Fraction(own, whole) if whole else Fraction(0)


def _line(
    shop: Shop, found: Json, item: Json, amount: int, at: int, credited: Json | None = None
) -> Json:
    return invoice_lines.proration_line(
        shop,
        found,
        item,
        amount=amount,
        start=at,
        end=item["current_period_end"],
        text="Unused time on" if amount < 0 else "Remaining time on",
        credited=credited,
    )


def _note_debit(shop: Shop, line: Json, amount: int, invoice: str | None = None) -> None:
    """Remember what was billed for a part of an item's period, by which invoice's line; a credit
    ends what it gives back."""
    details = line["parent"]["subscription_item_details"]
    key, period = f"debits/{details['subscription_item']}", line["period"]
    rows = shop.world.private.get(key, {}).get("rows") or []
    if amount < 0:
        rows = [row for row in rows if row["end"] <= period["start"]]
    elif amount:
        billed = {"invoice": invoice, "line": line["id"] if invoice else None}
        rows = [*rows, {"amount": amount, "start": period["start"], "end": period["end"], **billed}]
    shop.world.keep(key, rows=[row for row in rows if row["end"] > shop.world.now() - _KEPT])


def debits_of(shop: Shop, found: Json) -> Json:
    """What was billed for each item of a subscription, to be put back by `put_debits`."""
    private = shop.world.private
    return {
        item["id"]: list((private.get(f"debits/{item['id']}") or {}).get("rows") or [])
        for item in items.rows(found)
        if f"debits/{item['id']}" in private
    }


def put_debits(shop: Shop, known: Json) -> None:
    """Remember other debits, where a change is taken back or applied after all."""
    for item_id, rows in known.items():
        shop.world.keep(f"debits/{item_id}", rows=rows)


_KEPT = 3 * 366 * 86400
"""For how long what was billed is remembered: no period is longer than three years."""


def wait(shop: Shop, found: Json, lines: list[Json]) -> None:
    """Store lines as invoice items for the subscription's next invoice."""
    for line in sorted(lines, key=lambda line: line["amount"]):
        if line["parent"]["subscription_item_details"]:
            _note_debit(shop, line, line["amount"])
        made = shop.world.make(
            "invoiceitem",
            "ii",
            customer=found["customer"],
            amount=line["amount"],
            currency=line["currency"],
            description=line["description"],
            quantity=line["quantity"],
            quantity_decimal=line["quantity_decimal"],
            discountable=False,
            date=shop.world.now(),
            proration=bool(line["parent"]["subscription_item_details"]),
            metadata={},
            test_clock=found["test_clock"],
            pricing=line["pricing"],
            period=line["period"],
            tax_rates=taxes.noted(shop, line),
            invoice=None,
        )
        made["parent"] = {
            "type": "subscription_details",
            "subscription_details": {"subscription": found["id"]},
        }
        if details := line["parent"]["subscription_item_details"]:
            item = details["subscription_item"]
            made["parent"]["subscription_details"]["subscription_item"] = item
            made["proration_details"] = _details(details["proration_details"]["credited_items"])
        shop.save(made, "invoiceitem.created")


def _details(credited: Json | None) -> Json:
    """What an invoice item says about its proration."""
    named = credited and {
        "type": "invoice_line_items",
        "invoice_line_item_details": credited,
    }
    return {"credited_items": named, "discount_amounts": []}


def invoice(
    shop: Shop, found: Json, lines: list[Json], *, reason: str = "subscription_update"
) -> Json:
    """An open invoice with these lines and all pending items of the subscription."""
    bill = draft(shop, found, lines, reason=reason)
    return invoices.finalize(shop, bill)


def draft(shop: Shop, found: Json, lines: list[Json], *, reason: str) -> Json:
    """A draft with these lines and all pending items of the subscription; it becomes the
    subscription's latest invoice."""
    bill = invoices.draft(
        shop,
        customer=shop.find("customer", found["customer"]),
        lines=invoices.take_pending(shop, found["customer"], found["id"]) + lines,
        currency=found["currency"],
        reason=reason,
        subscription=found,
        method=found["collection_method"],
        days_until_due=found["days_until_due"],
        discounts=list(found["discounts"]),
    )
    invoices.claim_items(shop, bill)
    found["latest_invoice"] = bill["id"]
    shop.world.keep(found["id"], last_discounts=list(found["discounts"]))
    for line in lines:
        if line["parent"]["subscription_item_details"]:
            off = sum(entry["amount"] for entry in line["discount_amounts"])
            _note_debit(shop, line, line["amount"] - off, bill["id"])
    return bill


def invoice_pending(shop: Shop, found: Json) -> None:
    """Invoice a subscription's pending items now."""
    if invoices.pending_items(shop, found["customer"], found["id"]):
        bill = invoice(shop, found, [])
        if bill["amount_due"] == 0:
            invoices.mark_paid(shop, bill, intent=None)
