"""Credit notes: less to pay on an open invoice, money or credit back on a paid one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox import balances, invoices, refunds, shipping, taxes
from sandbox.shop import Shop, StripeApiError, invalid, merge_metadata, snapshot
from sandbox.subscriptions import dunning
from sandbox.world import Json

KIND = "credit_note"
_LINE = "credit_note_line_item"


@dataclass
class Sums:
    """What the lines of a credit note come to (minor unit), and their taxes and discounts."""

    lines: list[Json] = field(default_factory=list)
    discounts: dict[str, int] = field(default_factory=dict)
    taxes: dict[str, Json] = field(default_factory=dict)

    @property
    def subtotal(self) -> int:
        return sum(line["amount"] for line in self.lines)

    @property
    def off(self) -> int:
        return sum(self.discounts.values())

    def tax(self, behavior: str) -> int:
        found = self.taxes.values()
        return sum(row["amount"] for row in found if row["tax_behavior"] == behavior)


def build(shop: Shop, params: Json) -> Json:
    """What a credit note would be; nothing is changed yet. Raises Stripe's 400 where it can't be
    given."""
    invoice = shop.find("invoice", params["invoice"], param="invoice")
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise invalid(
            f"You can only create credit notes for open, paid or uncollectible invoices. This"
            f" invoice is {invoice['status']}.",
            param="invoice",
        )
    sums = _sums(shop, invoice, params)
    posted = _shipping(shop, invoice, params)
    whole = sums.subtotal - sums.off + sums.tax("exclusive")
    total = whole + (posted["amount_total"] if posted else 0)
    if total <= 0:
        raise invalid("A credit note must be for more than nothing.", param="amount")
    if "amount" in params and params["amount"] != total:
        raise invalid(
            f"The amount ({params['amount']}) must be what the lines come to ({total}).",
            param="amount",
        )
    _check_left(invoice, total)
    made = shop.world.make(
        KIND,
        "cn",
        amount=total,
        amount_shipping=posted["amount_total"] if posted else 0,
        currency=invoice["currency"],
        customer=invoice["customer"],
        discount_amount=sums.off,
        discount_amounts=[{"amount": n, "discount": name} for name, n in sums.discounts.items()],
        effective_at=params.get("effective_at") or shop.world.now(),
        invoice=invoice["id"],
        memo=params.get("memo"),
        metadata=merge_metadata({}, params.get("metadata")),
        number=f"{invoice['number']}-CN-{_count(shop, invoice) + 1:02d}",
        reason=params.get("reason"),
        refunds=[],
        shipping_cost=posted,
        status="issued",
        subtotal=sums.subtotal,
        subtotal_excluding_tax=sums.subtotal - sums.tax("inclusive"),
        total=total,
        total_excluding_tax=total - sums.tax("inclusive") - sums.tax("exclusive"),
        total_taxes=list(sums.taxes.values()),
    )
    made["pdf"] = f"{shop.world.base_url}/i/{invoice['id']}/pdf"
    made["lines"] = {
        "object": "list",
        "data": sums.lines,
        "has_more": False,
        "url": f"/v1/credit_notes/{made['id']}/lines",
    }
    _say_when(invoice, made, params)
    return made


def create(shop: Shop, params: Json) -> Json:
    """Give a credit note: an open invoice has less to pay, and is paid where nothing is left; on
    a paid one money goes back, becomes credit, or went back elsewhere."""
    made = build(shop, params)
    invoice = shop.find("invoice", made["invoice"])
    with shop.row():
        if made["type"] == "pre_payment":
            _lower(shop, invoice, made["total"])
        else:
            _give_back(shop, invoice, made, params)
        return shop.save(made, f"{KIND}.created")


def void(shop: Shop, note: Json) -> Json:
    """Take back a credit note on an invoice that is still open. Raises Stripe's 400."""
    invoice = shop.find("invoice", note["invoice"])
    if note["status"] == "void":
        raise invalid("This credit note is already void.")
    if note["type"] != "pre_payment" or invoice["status"] != "open":
        raise invalid("You can only void a credit note of an invoice that is still open.")
    before = snapshot(note)
    with shop.row():
        _lower(shop, invoice, -note["total"])
        note.update(status="void", voided_at=shop.world.now())
        return shop.save(note, f"{KIND}.voided", before)


def notes_of(shop: Shop, invoice: Json) -> Iterator[Json]:
    return shop.world.table(KIND).newest_first({"invoice": invoice["id"]}, before=None, after=None)


def _count(shop: Shop, invoice: Json) -> int:
    return len(list(notes_of(shop, invoice)))


def _check_left(invoice: Json, total: int) -> None:
    credited = invoice["pre_payment_credit_notes_amount"]
    credited += invoice["post_payment_credit_notes_amount"]
    left = invoice["total"] - credited
    if invoice["status"] != "paid":
        left = min(left, invoice["amount_remaining"])
    if total > left:
        raise invalid(
            f"The credit note ({total}) is for more than can still be credited on the invoice"
            f" ({left}).",
            param="amount",
        )


def _say_when(invoice: Json, note: Json, params: Json) -> None:
    """Whether it comes before the payment or after it; what goes back after it must be said."""
    given = ("refund_amount", "credit_amount", "out_of_band_amount")
    back = sum(params.get(name) or 0 for name in given)
    back += sum(entry.get("amount_refunded") or 0 for entry in params.get("refunds") or [])
    paid = invoice["status"] == "paid"
    if paid and back != note["total"]:
        raise invalid(
            "The sum of credit amount, refund amount and out of band amount"
            f" ({back}) must equal the credit note amount ({note['total']})."
        )
    if not paid and back:
        raise invalid("Nothing can be given back on an invoice that isn't paid.")
    note.update(
        type="post_payment" if paid else "pre_payment",
        post_payment_amount=note["total"] if paid else 0,
        pre_payment_amount=0 if paid else note["total"],
        out_of_band_amount=params.get("out_of_band_amount"),
    )


def _lower(shop: Shop, invoice: Json, by: int) -> None:
    """Have less to pay on an open invoice, or more again where `by` is below zero."""
    before = snapshot(invoice)
    for name, sign in (("pre_payment_credit_notes_amount", 1), ("amount_due", -1)):
        invoice[name] += sign * by
    invoice["amount_remaining"] = invoice["amount_due"]
    shop.save(invoice, "invoice.updated", before)
    if invoice["amount_due"] == 0 and invoice["status"] == "open":
        invoices.give_up_intent(shop, invoice, "automatic")
        invoices.mark_paid(shop, invoice, intent=None)
        dunning.settled(shop, invoice)
    else:
        invoices.reprice_intent(shop, invoice)


def _give_back(shop: Shop, invoice: Json, note: Json, params: Json) -> None:
    before = snapshot(invoice)
    for entry in params.get("refunds") or []:
        _link_refund(shop, note, entry)
    if amount := params.get("refund_amount"):
        charge = _charge_of(shop, invoice)
        refund = refunds.refund(shop, charge, amount=amount)
        note["refunds"] += [_refunded(refund["id"], amount)]
    if amount := params.get("credit_amount"):
        customer = shop.find("customer", invoice["customer"])
        was = snapshot(customer)
        entry = balances.change(
            shop,
            customer,
            -amount,
            kind="credit_note",
            currency=invoice["currency"],
            invoice=invoice["id"],
            credit_note=note["id"],
        )
        note["customer_balance_transaction"] = entry["id"]
        shop.save(customer, "customer.updated", was)
    invoice["post_payment_credit_notes_amount"] += note["total"]
    shop.save(invoice, "invoice.updated", before)


def _refunded(name: str, amount: int) -> Json:
    return {
        "amount_refunded": amount,
        "payment_record_refund": None,
        "refund": name,
        "type": "refund",
    }


def _link_refund(shop: Shop, note: Json, entry: Json) -> None:
    """Tie a refund to the note that was given before."""
    refund = shop.find("refund", entry.get("refund"), param="refunds[0][refund]")
    amount = entry.get("amount_refunded") or refund["amount"]
    if amount > refund["amount"]:
        raise invalid(
            f"The refund is of {refund['amount']}, less than {amount}.",
            param="refunds[0][amount_refunded]",
        )
    note["refunds"] += [_refunded(refund["id"], amount)]


def _charge_of(shop: Shop, invoice: Json) -> Json:
    for row in invoices.payments_of(shop, invoice)["data"]:
        intent = shop.world.table("payment_intent").get(row["payment"].get("payment_intent"))
        if row["status"] == "paid" and intent is not None:
            return shop.find("charge", intent["latest_charge"])
    raise invalid(
        "This invoice has no charge that could be refunded.",
        param="refund_amount",
    )


def _shipping(shop: Shop, invoice: Json, params: Json) -> Json | None:
    given = (params.get("shipping_cost") or {}).get("shipping_rate")
    if not given:
        return None
    paid = invoice["shipping_cost"]
    if paid is None or paid["shipping_rate"] != given:
        raise invalid(
            "The shipping rate isn't that of the invoice.", param="shipping_cost[shipping_rate]"
        )
    return shipping.cost({"shipping_amount": paid["amount_total"], "shipping_rate": given})


def _sums(shop: Shop, invoice: Json, params: Json) -> Sums:
    sums = Sums()
    if params.get("lines"):
        for number, entry in enumerate(params["lines"]):
            _put(shop, invoice, sums, entry, f"lines[{number}]")
    elif params.get("amount"):
        _custom(shop, sums, {"unit_amount": params["amount"], "quantity": 1}, "amount")
    elif not params.get("shipping_cost"):
        raise StripeApiError(
            400,
            "One of the following params should be provided for this request: amount, lines,"
            " shipping_cost.",
            code="parameter_missing",
        )
    return sums


def _put(shop: Shop, invoice: Json, sums: Sums, entry: Json, where: str) -> None:
    if entry["type"] == "custom_line_item":
        _custom(shop, sums, entry, where)
        return
    name = entry.get("invoice_line_item")
    line = next((row for row in invoice["lines"]["data"] if row["id"] == name), None)
    if line is None:
        raise invalid(
            f"No such invoice line item: '{name}'",
            param=f"{where}[invoice_line_item]",
            code="resource_missing",
        )
    amount = entry.get("amount")
    if amount is None:
        quantity = entry.get("quantity", line["quantity"] or 1)
        amount = round(line["amount"] * quantity / (line["quantity"] or 1))
    if not 0 < amount <= line["amount"]:
        raise invalid(
            f"The line can be credited by up to {line['amount']}.", param=f"{where}[amount]"
        )
    made = _line(shop, entry, amount, description=line["description"])
    made.update(invoice_line_item=name)
    share = amount / line["amount"]
    for row in line["discount_amounts"] or []:
        off = round(row["amount"] * share)
        made["discount_amounts"].append({"amount": off, "discount": row["discount"]})
        sums.discounts[row["discount"]] = sums.discounts.get(row["discount"], 0) + off
    made["discount_amount"] = sum(row["amount"] for row in made["discount_amounts"])
    rates = taxes.noted(shop, line) or invoice["default_tax_rates"]
    _tax(shop, sums, made, entry, rates, where)


def _custom(shop: Shop, sums: Sums, entry: Json, where: str) -> None:
    unit = entry.get("unit_amount")
    if unit is None and entry.get("unit_amount_decimal") is None:
        raise invalid(
            f"Missing required param: {where}[unit_amount].",
            param=f"{where}[unit_amount]",
            code="parameter_missing",
        )
    quantity = entry.get("quantity", 1)
    whole = float(entry["unit_amount_decimal"]) if unit is None else unit
    made = _line(shop, entry, round(whole * quantity), description=entry.get("description"))
    made.update(unit_amount=unit, unit_amount_decimal=str(entry.get("unit_amount_decimal", unit)))
    _tax(shop, sums, made, entry, [], where)


def _line(shop: Shop, entry: Json, amount: int, *, description: str | None) -> Json:
    return shop.world.make(
        _LINE,
        "cnli",
        amount=amount,
        description=entry.get("description") or description,
        discount_amount=0,
        discount_amounts=[],
        metadata=merge_metadata({}, entry.get("metadata")),
        pretax_credit_amounts=[],
        quantity=entry.get("quantity"),
        tax_rates=[],
        taxes=[],
        type=entry.get("type", "custom_line_item"),
    )


def _tax(shop: Shop, sums: Sums, made: Json, entry: Json, rates: list[Json], where: str) -> None:
    """Tax a line by the rates that are named, by those of its invoice, or as it is told."""
    if "tax_rates" in entry:
        rates = taxes.named(shop, entry["tax_rates"], param=f"{where}[tax_rates]")
    entries = taxes.shares(made["amount"] - made["discount_amount"], rates)
    if given := entry.get("tax_amounts"):
        rates = taxes.named(
            shop, [row["tax_rate"] for row in given if row.get("tax_rate")], param=where
        )
        entries = [
            (rate, int(row["amount"]), int(row["taxable_amount"]))
            for rate, row in zip(rates, given, strict=True)
        ]
    made["tax_rates"] = rates
    made["taxes"] = taxes.shown(entries)
    for row in made["taxes"]:
        taxes.add_up(sums.taxes, row)
    sums.lines.append(made)
