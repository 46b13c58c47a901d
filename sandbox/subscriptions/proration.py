"""Prorations: what a change in the middle of a period costs, and when it is billed."""

from sandbox import invoice_lines, invoices, taxes
from sandbox.shop import Shop
from sandbox.subscriptions import items
from sandbox.world import Json


def share_left(item: Json, at: int) -> float:
    """The fraction of an item's current period that is left, from 0 to 1."""
    start, end = int(item["current_period_start"]), int(item["current_period_end"])
    if end <= start:
        return 0.0
    return max(0.0, min(1.0, (end - at) / (end - start)))


def of_change(shop: Shop, found: Json, before: list[Json], at: int) -> list[Json]:
    """Lines for changed items: a credit for the unused old price, a charge for the remaining new
    one."""
    after = {item["id"]: item for item in items.rows(found)}
    lines = []
    for old in before:
        new = after.pop(old["id"], None)
        if new is not None and _worth(new) == _worth(old):
            continue
        lines.append(_line(shop, found, old, at, sign=-1))
        if new is not None:
            lines.append(_line(shop, found, new, at, sign=1))
    lines += [_line(shop, found, item, at, sign=1) for item in after.values()]
    return [line for line in lines if line["period"]["end"] > at]


def credit(shop: Shop, found: Json, before: list[Json], at: int) -> list[Json]:
    """Lines that credit the rest of the current periods."""
    return [_line(shop, found, item, at, sign=-1) for item in before if share_left(item, at)]


def rest(shop: Shop, found: Json, at: int) -> list[Json]:
    """Lines that charge for the rest of the current periods."""
    return [_line(shop, found, item, at, sign=1) for item in items.rows(found)]


def credit_rest(shop: Shop, found: Json) -> None:
    """Credit the rest of the current periods on the next invoice."""
    wait(shop, found, credit(shop, found, items.rows(found), shop.world.now()))


def _worth(item: Json) -> tuple[str, int]:
    return item["price"]["id"], item.get("quantity") or 1


def _line(shop: Shop, found: Json, item: Json, at: int, *, sign: int) -> Json:
    return invoice_lines.proration_line(
        shop,
        found,
        item,
        amount=sign * round(items.amount_of(shop, found, item) * share_left(item, at)),
        start=at,
        end=item["current_period_end"],
        text="Unused time on" if sign < 0 else "Remaining time on",
    )


def wait(shop: Shop, found: Json, lines: list[Json]) -> None:
    """Store lines as invoice items for the subscription's next invoice."""
    for line in lines:
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
        shop.save(made, "invoiceitem.created")


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
    return bill


def invoice_pending(shop: Shop, found: Json) -> None:
    """Invoice a subscription's pending items now."""
    if invoices.pending_items(shop, found["customer"], found["id"]):
        bill = invoice(shop, found, [])
        if bill["amount_due"] == 0:
            invoices.mark_paid(shop, bill, intent=None)
