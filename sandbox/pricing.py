"""What a price comes to: units and fractions of them, packages, tiers, other currencies."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.shop import Shop, invalid, too_many
from sandbox.world import Json

_SHAPE = ("custom_unit_amount", "tax_behavior", "tiers", "unit_amount", "unit_amount_decimal")


def put(shop: Shop, price: Json, params: Json) -> None:
    """Give a new price its amounts. Raises Stripe's 400 for amounts that don't go together."""
    price.update(_amounts(params))
    price["billing_scheme"] = "tiered" if params.get("tiers") else "per_unit"
    if params.get("billing_scheme", price["billing_scheme"]) != price["billing_scheme"]:
        raise invalid(
            "`billing_scheme=tiered` needs `tiers`, and `tiers` need it.", param="billing_scheme"
        )
    if params.get("tiers"):
        if not params.get("tiers_mode"):
            raise invalid(
                "Missing required param: tiers_mode.", param="tiers_mode", code="parameter_missing"
            )
        price["tiers_mode"] = params["tiers_mode"]
        shop.world.keep(f"tiers/{price['id']}", tiers=_tiers(params["tiers"]))
    price["transform_quantity"] = params.get("transform_quantity") or None
    put_currencies(shop, price, params.get("currency_options") or {})


def put_currencies(shop: Shop, price: Json, given: Json) -> None:
    """What a price comes to in other currencies; an empty text takes one away."""
    kept = shop.world.private.get(f"currencies/{price['id']}", {}).get("options", {})
    for currency, entry in given.items():
        if entry == "":
            kept.pop(currency, None)
            continue
        behavior = entry.get("tax_behavior", "unspecified")
        tiers = {"tiers": _tiers(entry["tiers"])} if entry.get("tiers") else {}
        kept[currency] = {**_amounts(entry), "tax_behavior": behavior, **tiers}
    if kept:
        shop.world.keep(f"currencies/{price['id']}", options=kept)


def _amounts(params: Json) -> Json:
    """`unit_amount` and its decimal, which alone holds fractions; or what the buyer may choose."""
    custom = params.get("custom_unit_amount")
    decimal = params.get("unit_amount_decimal")
    if decimal is not None and params.get("unit_amount") is not None:
        raise too_many("unit_amount", "unit_amount_decimal")
    if decimal is None and params.get("unit_amount") is not None:
        decimal = str(params["unit_amount"])
    if sum([bool(custom), decimal is not None, bool(params.get("tiers"))]) != 1:
        raise invalid(
            "Missing required param: unit_amount. Exactly one of `unit_amount`,"
            " `unit_amount_decimal`, `custom_unit_amount` and `tiers` is needed.",
            param="unit_amount",
            code="parameter_missing",
        )
    if decimal is None:
        limits = custom and {key: custom.get(key) for key in ("maximum", "minimum", "preset")}
        return {
            "unit_amount": None,
            "unit_amount_decimal": None,
            "custom_unit_amount": limits and _integers(limits),
        }
    return {**_exact(decimal), "custom_unit_amount": None}


def _integers(limits: Json) -> Json:
    return {key: None if value is None else int(value) for key, value in limits.items()}


def _exact(decimal: Any) -> Json:
    amount = Decimal(str(decimal))
    if amount < 0:
        raise invalid(
            "Invalid non-negative integer", param="unit_amount", code="parameter_invalid_integer"
        )
    whole = amount == amount.to_integral_value()
    shown = format(amount.to_integral_value() if whole else amount.normalize(), "f")
    return {"unit_amount": int(amount) if whole else None, "unit_amount_decimal": shown}


def _tiers(given: list[Json]) -> list[Json]:
    """Tiers as answers show them; the last one has no end."""
    made = []
    for entry in given:
        tier: Json = {"up_to": None if entry["up_to"] == "inf" else int(entry["up_to"])}
        for name in ("flat_amount", "unit_amount"):
            decimal = entry.get(f"{name}_decimal", entry.get(name))
            exact = {"unit_amount": None, "unit_amount_decimal": None}
            exact = exact if decimal is None else _exact(decimal)
            tier[name] = exact["unit_amount"]
            tier[f"{name}_decimal"] = exact["unit_amount_decimal"]
        made.append(tier)
    ends = [tier["up_to"] for tier in made]
    if ends[-1] is not None or None in ends[:-1] or ends[:-1] != sorted(set(ends[:-1])):
        raise invalid(
            "Tiers must be in order, each with its `up_to`; that of the last is `inf`.",
            param="tiers",
        )
    return made


def options(shop: Shop, price: Json) -> Json:
    """What a price comes to in each of its currencies, as `expand[]=currency_options` shows it."""
    own = {key: price[key] for key in _SHAPE if key in price}
    if price["billing_scheme"] == "tiered":
        own["tiers"] = tiers(shop, price)
    kept = shop.world.private.get(f"currencies/{price['id']}", {}).get("options", {})
    return {price["currency"]: own, **kept}


def tiers(shop: Shop, price: Json) -> list[Json]:
    """The tiers of a price in its own currency; they are shown on request."""
    found: list[Json] = shop.world.private.get(f"tiers/{price['id']}", {}).get("tiers", [])
    return found


def option(shop: Shop, price: Json, currency: str | None, *, param: str = "currency") -> Json:
    """What a price says in a currency. Raises Stripe's 400 where it doesn't know it."""
    found: Json | None = options(shop, price).get(currency or price["currency"])
    if found is None:
        raise invalid(
            f"The price {price['id']} has no amount in {currency}. Its currencies are"
            f" {', '.join(options(shop, price))}.",
            param=param,
        )
    return found


def amount(shop: Shop, price: Json, quantity: int | Decimal, currency: str | None = None) -> int:
    """What so many of a price cost, in the currency's minor unit, rounded half up."""
    found = option(shop, price, currency)
    wanted = Decimal(quantity)
    if packages := price["transform_quantity"]:
        rounding = ROUND_CEILING if packages["round"] == "up" else ROUND_FLOOR
        wanted = (wanted / int(packages["divide_by"])).to_integral_value(rounding)
    if found.get("tiers"):
        total = _in_tiers(found["tiers"], wanted, price["tiers_mode"])
    elif found["custom_unit_amount"]:
        chosen = found["custom_unit_amount"]
        total = Decimal(chosen["preset"] or chosen["minimum"] or 0) * wanted
    else:
        total = Decimal(found["unit_amount_decimal"] or 0) * wanted
    return int(total.to_integral_value(ROUND_HALF_UP))


def _in_tiers(rows: list[Json], quantity: Decimal, mode: str) -> Decimal:
    """Volume: all at the rate of the tier that the quantity falls in. Graduated: each tier its own
    part of it."""
    total, below = Decimal(), Decimal()
    for tier in rows:
        top = tier["up_to"]
        last = top is None or quantity <= top
        if mode == "graduated" or last:
            part = quantity if mode == "volume" or last else Decimal(top)
            part -= Decimal() if mode == "volume" else below
            total += Decimal(tier["unit_amount_decimal"] or 0) * part
            total += Decimal(tier["flat_amount_decimal"] or 0)
        if last:
            return total
        below = Decimal(top)
    return total


def unit(shop: Shop, price: Json, currency: str | None = None) -> str:
    """The amount of one of a price, as lines show it."""
    return str(option(shop, price, currency)["unit_amount_decimal"] or "0")
