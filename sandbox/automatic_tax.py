"""Automatic tax of checkout sessions: one fixed rate for each country of the buyer.

Stripe Tax knows places, products and registrations. The sandbox only knows a country's standard
rate of value added or sales tax, and none for other countries.
"""

from sandbox import taxes
from sandbox.shop import Shop, invalid
from sandbox.world import Json

RATES = {
    **{"AT": 20, "AU": 10, "BE": 21, "CA": 5, "CH": 8.1, "CZ": 21, "DE": 19, "DK": 25, "ES": 21},
    **{"FI": 25.5, "FR": 20, "GB": 20, "IE": 23, "IT": 22, "JP": 10, "LU": 17, "NL": 21},
    **{"NO": 25, "NZ": 15, "PL": 23, "PT": 23, "SE": 25, "SG": 9},
}
"""In per cent, by country. No other country taxes anything here."""
_SELF = {"type": "self"}


def begin(shop: Shop, session: Json, asked: Json | None, customer_update: Json) -> None:
    """Turn automatic tax on for a new session that asks for it. Raises Stripe's 400 where its
    customer has no address and the buyer's isn't to be saved."""
    if not (asked or {}).get("enabled"):
        return
    session["automatic_tax"] = {
        "enabled": True,
        "liability": dict(_SELF),
        "provider": "stripe",
        "status": "requires_location_inputs",
    }
    known = _of_customer(shop, session)
    if known or not session["customer"]:
        return
    if "auto" not in (customer_update.get("address"), customer_update.get("shipping")):
        raise invalid(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a"
            " valid address to the Customer or set either `customer_update[address]` to 'auto' or"
            " `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the"
            " Customer.",
            code="customer_tax_location_invalid",
        )


def apply(shop: Shop, session: Json, lines: list[Json]) -> None:
    """Tax the lines of a session by where its buyer is. Raises a 400 where that isn't known."""
    country = (session["customer_details"]["address"] or {}).get("country")
    shipping = (session["collected_information"] or {}).get("shipping_details") or {}
    country = country or (shipping.get("address") or {}).get("country")
    country = country or _of_customer(shop, session)
    if not country:
        raise invalid("Your billing address is incomplete.", param="address")
    for line in lines:
        inclusive = line["price"]["tax_behavior"] == "inclusive"
        rate = _rate(shop, str(country), inclusive=inclusive)
        taxes.note(shop, line, [rate] if rate else None)
    session["automatic_tax"] = {**session["automatic_tax"], "status": "complete"}


def of_subscription(session: Json) -> Json | None:
    """What a subscription from this session says of its automatic tax."""
    if not session["automatic_tax"]["enabled"]:
        return None
    return {"enabled": True, "disabled_reason": None, "liability": dict(_SELF)}


def of_invoice() -> Json:
    """What an invoice says whose tax was reckoned automatically."""
    return {
        "enabled": True,
        "disabled_reason": None,
        "liability": dict(_SELF),
        "provider": "stripe",
        "status": "complete",
    }


def _of_customer(shop: Shop, session: Json) -> str | None:
    customer = shop.world.table("customer").get(session["customer"]) or {}
    for place in (customer.get("address"), (customer.get("shipping") or {}).get("address")):
        if place and place.get("country"):
            return str(place["country"])
    return None


def _rate(shop: Shop, country: str, *, inclusive: bool) -> Json | None:
    """The tax rate of a country, made when it is first needed; None where nothing is taxed."""
    percentage = RATES.get(country.upper())
    if percentage is None:
        return None
    key = f"automatic_tax/{country.upper()}/{inclusive}"
    known = shop.world.private.get(key, {}).get("id")
    if found := shop.world.table("tax_rate").get(known):
        return found
    made = shop.world.make(
        "tax_rate",
        "txr",
        active=True,
        country=country.upper(),
        description=None,
        display_name="VAT",
        inclusive=inclusive,
        jurisdiction=country.upper(),
        metadata={},
        percentage=float(percentage),
        effective_percentage=float(percentage),
        rate_type="percentage",
        tax_type="vat",
    )
    shop.world.keep(key, id=made["id"])
    return shop.save(made)
