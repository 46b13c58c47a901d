"""Fixed tax rates at work: what they add to lines, or find in their amounts."""

from decimal import ROUND_HALF_UP, Decimal

from sandbox.shop import Shop, invalid
from sandbox.world import Json

_EXEMPT = {"exempt": "customer_exempt", "reverse": "reverse_charge"}
"""Why customers who pay no tax pay none, by their `tax_exempt`."""


def named(shop: Shop, given: list[str] | str | None, *, param: str) -> list[Json]:
    """Copies of the tax rates that a call names. Raises Stripe's 400 for one that isn't active."""
    found = []
    for number, name in enumerate(given or []):
        rate = shop.find("tax_rate", name, param=f"{param}[{number}]")
        if not rate["active"]:
            raise invalid(f"The tax rate {name} is inactive.", param=f"{param}[{number}]")
        found.append(shop.world.copy(rate))
    return found


def note(shop: Shop, line: Json, rates: list[Json] | None) -> Json:
    """Remember that a line has tax rates of its own; those of its invoice don't count then."""
    if rates:
        shop.world.keep(f"taxes/{line['id']}", rates=[rate["id"] for rate in rates])
    return line


def noted(shop: Shop, line: Json) -> list[Json]:
    """The tax rates of a line's own."""
    names = shop.world.private.get(f"taxes/{line['id']}", {}).get("rates", [])
    return [shop.find("tax_rate", name) for name in names]


def shares(amount: int, rates: list[Json], *, exempt: str = "none") -> list[tuple[Json, int, int]]:
    """Each rate with its tax on an amount (minor unit) and what that is reckoned on; tax is rounded
    by line and rate, half up, and inclusive rates share what they are found in."""
    inside = sum(
        (Decimal(str(rate["percentage"])) for rate in rates if rate["inclusive"]), Decimal()
    )
    net = Decimal(amount) / (1 + inside / 100)
    taken = [
        (rate, 0 if exempt in _EXEMPT else _rounded(net * Decimal(str(rate["percentage"])) / 100))
        for rate in rates
    ]
    base = amount - sum(tax for rate, tax in taken if rate["inclusive"])
    return [(rate, tax, base) for rate, tax in taken]


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def added(entries: list[tuple[Json, int, int]]) -> int:
    """How much comes on top of an amount: the tax of the exclusive rates."""
    return sum(tax for rate, tax, _ in entries if not rate["inclusive"])


def shown(entries: list[tuple[Json, int, int]], *, exempt: str = "none") -> list[Json]:
    """Taxes as invoices, their lines and credit notes show them."""
    return [
        {
            "amount": tax,
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": _EXEMPT.get(exempt, "not_available"),
            "taxable_amount": base,
            "type": "tax_rate_details",
        }
        for rate, tax, base in entries
    ]


def shown_with_rates(entries: list[tuple[Json, int, int]]) -> list[Json]:
    """Taxes as checkout sessions and quotes show them, with their rates."""
    return [
        {"amount": tax, "rate": rate, "taxability_reason": None, "taxable_amount": base}
        for rate, tax, base in entries
    ]


def settle(shop: Shop, invoice: Json) -> None:
    """Tax the lines of a draft whose discounts are taken, and add that to its totals."""
    exempt = invoice["customer_tax_exempt"] or "none"
    sums: dict[str, Json] = {}
    for line in invoice["lines"]["data"]:
        off = sum(entry["amount"] for entry in line["discount_amounts"] or [])
        rates = noted(shop, line) or invoice["default_tax_rates"]
        entries = shares(line["amount"] - off, rates, exempt=exempt)
        line["taxes"] = shown(entries, exempt=exempt)
        for entry in line["taxes"]:
            add_up(sums, entry)
    invoice["total_taxes"] = list(sums.values())
    inside = sum(row["amount"] for row in sums.values() if row["tax_behavior"] == "inclusive")
    on_top = sum(row["amount"] for row in sums.values() if row["tax_behavior"] == "exclusive")
    whole = invoice["total"] + on_top
    invoice.update(
        subtotal_excluding_tax=invoice["subtotal"] - inside,
        total_excluding_tax=invoice["total"] - inside,
        total=whole,
        amount_due=max(whole, 0),
        amount_remaining=max(whole, 0),
    )


def add_up(sums: dict[str, Json], entry: Json) -> None:
    """Sum taxes by rate."""
    known = sums.setdefault(
        entry["tax_rate_details"]["tax_rate"], {**entry, "amount": 0, "taxable_amount": 0}
    )
    known["amount"] += entry["amount"]
    known["taxable_amount"] += entry["taxable_amount"]


def identify(shop: Shop, kind: str, value: str, customer: Json | None) -> Json:
    """A new tax id of a customer, or of the account itself."""
    owner = customer["id"] if customer else None
    made = shop.world.make(
        "tax_id", "txi", type=kind, value=value, customer=owner, country=_country(kind, value)
    )
    made["owner"] = {
        "type": "customer" if customer else "self",
        "customer": owner,
        "customer_account": None,
        "account": None,
        "application": None,
    }
    made["verification"] = {"status": "pending", "verified_address": None, "verified_name": None}
    return shop.save(made, "customer.tax_id.created" if customer else None)


def _country(kind: str, value: str) -> str | None:
    """The country of a tax id, by its kind (`gb_vat`) or, in the Union, by what it begins with."""
    if kind.startswith("eu_"):
        return value[:2].upper() if value[:2].isalpha() else None
    return kind[:2].upper()
