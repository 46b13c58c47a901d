"""Shipping rates, and what shipping costs on sessions and invoices."""

from sandbox.fields import apply
from sandbox.shop import Shop, invalid
from sandbox.world import Json


def create_rate(shop: Shop, params: Json) -> Json:
    """A fixed rate. Raises Stripe's 400 where its amount is missing."""
    fixed = params.get("fixed_amount")
    if not fixed:
        raise invalid(
            "Missing required param: fixed_amount.", param="fixed_amount", code="parameter_missing"
        )
    made = shop.world.make("shipping_rate", "shr", active=True, metadata={}, type="fixed_amount")
    made["tax_behavior"] = "unspecified"
    apply(shop, "shipping_rate", made, params, "fixed_amount", "delivery_estimate")
    made["fixed_amount"] = {"amount": fixed["amount"], "currency": fixed["currency"].lower()}
    made["delivery_estimate"] = None
    if given := params.get("delivery_estimate"):
        made["delivery_estimate"] = {
            "maximum": given.get("maximum"),
            "minimum": given.get("minimum"),
        }
    set_currencies(made, params)
    return shop.save(made)


def set_currencies(rate: Json, params: Json) -> None:
    """What a rate comes to in other currencies; shown on request."""
    given = (params.get("fixed_amount") or {}).get("currency_options")
    if given:
        known = rate["fixed_amount"].get("currency_options") or {}
        rate["fixed_amount"]["currency_options"] = known | {
            currency: _in_currency(currency, known.get(currency), entry)
            for currency, entry in given.items()
        }


def _in_currency(currency: str, known: Json | None, entry: Json) -> Json:
    made = {"tax_behavior": "unspecified", **(known or {}), **entry}
    if "amount" not in made:
        name = f"fixed_amount[currency_options][{currency}][amount]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return made


def options(shop: Shop, given: list[Json], currency: str) -> list[Json]:
    """What a session offers: rates that exist, or that it describes. Raises Stripe's 400."""
    found = []
    for number, entry in enumerate(given):
        where = f"shipping_options[{number}][shipping_rate]"
        if entry.get("shipping_rate_data"):
            rate = create_rate(shop, entry["shipping_rate_data"])
        else:
            rate = shop.find("shipping_rate", entry.get("shipping_rate"), param=where)
        if not rate["active"]:
            raise invalid(f"The shipping rate {rate['id']} is inactive.", param=where)
        amount = amount_in(rate, currency, where)
        found.append({"shipping_amount": amount, "shipping_rate": rate["id"]})
    return found


def amount_in(rate: Json, currency: str, where: str) -> int:
    """What a rate comes to in a currency (minor unit). Raises Stripe's 400 where it doesn't say."""
    fixed = rate["fixed_amount"]
    if fixed["currency"] == currency:
        return int(fixed["amount"])
    other = (fixed.get("currency_options") or {}).get(currency)
    if other is None:
        raise invalid(f"The shipping rate {rate['id']} has no amount in {currency}.", param=where)
    return int(other["amount"])


def cost(option: Json) -> Json:
    """What a chosen option costs; shipping isn't taxed here."""
    amount = option["shipping_amount"]
    return {
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "shipping_rate": option["shipping_rate"],
    }


def put_on_invoice(shop: Shop, invoice: Json, given: Json) -> None:
    """Add the cost of shipping to a draft; its totals are reckoned afterwards."""
    wanted = {**given, "shipping_rate": given.get("shipping_rate")}
    invoice["shipping_cost"] = cost(options(shop, [wanted], invoice["currency"])[0])
