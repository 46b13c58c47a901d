"""What a checkout asks its buyer for beyond a card: fields, consent, names, numbers, addresses."""

from typing import Any

from sandbox.fields import apply
from sandbox.shop import Shop, StripeApiError, invalid, snapshot
from sandbox.world import Json

SHARED = (
    "billing_address_collection",
    "consent_collection",
    "custom_text",
    "name_collection",
    "phone_number_collection",
    "shipping_address_collection",
)
"""Parameters that sessions and payment links both show as they are given."""
_OPTIONS: Json = {"enabled": False, "maximum": None, "minimum": None}
_MOST = 99
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def show(shop: Shop, made: Json, given: Json) -> None:
    """Set on a session or a link what it asks for."""
    kind = made["object"]
    apply(shop, kind, made, {key: given[key] for key in SHARED if given.get(key) is not None})
    if given.get("custom_fields") is not None:
        made["custom_fields"] = [_field(kind, entry) for entry in given["custom_fields"] or []]
    if kind == "payment_link" and (taxed := given.get("automatic_tax")) is not None:
        liability = {"type": "self"} if taxed["enabled"] else None
        made["automatic_tax"] = {"enabled": taxed["enabled"], "liability": liability}
    if wanted := given.get("tax_id_collection"):
        made["tax_id_collection"] = {"required": "never", **wanted}
    for name in ("individual", "business"):
        if (wanted := (given.get("name_collection") or {}).get(name)) is not None:
            made["name_collection"] = {
                **made["name_collection"],
                name: {"optional": False, **wanted},
            }


def _field(kind: str, entry: Json) -> Json:
    """A custom field; only that of a session has a place for what was entered."""
    own = entry["type"]
    blanks: Json = {"default_value": None}
    blanks |= {"options": []} if own == "dropdown" else _lengths()
    value = {"value": None} if kind == "checkout.session" else {}
    asked = {key: entry[own][key] for key in (*blanks,) if (entry.get(own) or {}).get(key)}
    return {
        "key": entry["key"],
        "label": dict(entry["label"]),
        "optional": bool(entry.get("optional")),
        "type": own,
        own: {**blanks, **asked, **value},
    }


def _lengths() -> Json:
    return {"maximum_length": None, "minimum_length": None}


def adjustable(given: Json | None) -> Json | None:
    """How far the buyer may change a quantity; None where not at all."""
    if not given or not given.get("enabled"):
        return None
    return {**_OPTIONS, "maximum": _MOST, "minimum": 0, **given}


def offered(shop: Shop, asks: Json) -> Json:
    """The field of a session with its optional items, which it has only where there are some."""
    given = asks.get("optional_items")
    return {"optional_items": optional_items(shop, given)} if given else {}


def optional_items(shop: Shop, given: list[Json]) -> list[Json]:
    """What a buyer may add. Raises Stripe's 400 for prices that aren't active."""
    made = []
    for number, entry in enumerate(given):
        where = f"optional_items[{number}][price]"
        price = shop.find("price", entry["price"], param=where)
        if not price["active"]:
            raise invalid("The price specified is inactive.", param=where)
        limits = entry.get("adjustable_quantity")
        made.append(
            {
                "price": price["id"],
                "quantity": entry.get("quantity", 1),
                "adjustable_quantity": {**_OPTIONS, **limits} if limits else None,
            }
        )
    return made


def take(shop: Shop, session: Json, entered: Json) -> None:
    """Note on a session what its buyer entered. Raises Stripe's 400 for what is missing or wrong;
    nothing is noted then."""
    fields = [_entered(entry, entered.get("fields") or {}) for entry in session["custom_fields"]]
    consent = _consent(session, entered.get("consent") or {})
    phone = entered.get("phone")
    if session["phone_number_collection"]["enabled"] and not phone:
        raise invalid("Your phone number is incomplete.", param="phone")
    address = _address(entered.get("address"))
    if session["billing_address_collection"] == "required" and not address:
        raise invalid("Your billing address is incomplete.", param="address")
    names = {name: _name(session, name, entered) for name in ("individual", "business")}
    shipping = _shipping(session, entered)
    details = session["customer_details"] or shop.world.part("checkout.session", "customer_details")
    tax_id = (
        entered.get("tax_id") if (session.get("tax_id_collection") or {}).get("enabled") else None
    )
    session["customer_details"] = {
        **details,
        "address": address or details["address"],
        "phone": phone or details["phone"],
        "individual_name": names["individual"],
        "business_name": names["business"],
        "tax_ids": [tax_id] if tax_id else [],
    }
    session["custom_fields"] = fields
    session["consent"] = consent
    if shipping or any(names.values()):
        session["collected_information"] = {
            "business_name": names["business"],
            "individual_name": names["individual"],
            "shipping_details": shipping,
        }


def _address(given: Any) -> Json | None:
    if not isinstance(given, dict) or not any(given.values()):
        return None
    return {key: given.get(key) or None for key in _ADDRESS}


def _name(session: Json, kind: str, entered: Json) -> str | None:
    asked = (session.get("name_collection") or {}).get(kind) or {}
    found: str | None = entered.get(f"{kind}_name") if asked.get("enabled") else None
    if asked.get("enabled") and not asked["optional"] and not found:
        raise invalid(f"Your {kind} name is incomplete.", param=f"{kind}_name")
    return found or None


def _shipping(session: Json, entered: Json) -> Json | None:
    if not session["shipping_address_collection"]:
        return None
    given = entered.get("shipping") or {}
    address = _address(given.get("address"))
    allowed = session["shipping_address_collection"]["allowed_countries"]
    if not address or not given.get("name"):
        raise invalid("Your shipping address is incomplete.", param="shipping")
    if address["country"] not in allowed:
        raise invalid(f"We only ship to {', '.join(allowed)}.", param="shipping[address][country]")
    return {"address": address, "name": given["name"]}


def _consent(session: Json, given: Json) -> Json | None:
    asked = session["consent_collection"] or {}
    if asked.get("terms_of_service") == "required" and given.get("terms_of_service") != "accepted":
        raise invalid("You must accept the terms of service.", param="consent[terms_of_service]")
    return consent_so_far(session, given)


def consent_so_far(session: Json, given: Json) -> Json | None:
    """What a buyer has consented to; None where a session asks for nothing."""
    asked = session["consent_collection"]
    if not asked:
        return None
    promotions = (given.get("promotions") or "opt_out") if asked["promotions"] == "auto" else None
    return {"promotions": promotions, "terms_of_service": given.get("terms_of_service")}


def _entered(entry: Json, values: Json) -> Json:
    made, own, name = snapshot(entry), entry["type"], f"fields[{entry['key']}]"
    value = values.get(entry["key"]) or entry[own]["default_value"]
    if value is None:
        if not entry["optional"]:
            raise invalid(f"{entry['label']['custom']} is required.", param=name)
        return made
    if own == "dropdown":
        good = value in [option["value"] for option in entry[own]["options"]]
    else:
        least, most = entry[own]["minimum_length"] or 0, entry[own]["maximum_length"] or 255
        good = least <= len(str(value)) <= most and (own == "text" or str(value).isdigit())
    if not good:
        raise invalid(f"{entry['label']['custom']} can't be {value}.", param=name)
    made[own]["value"] = str(value)
    return made


def check_method(session: Json, kind: str) -> None:
    """Raise Stripe's 400 for a kind of payment method that a session doesn't offer."""
    allowed, excluded = (
        session["allowed_payment_method_types"],
        session.get("excluded_payment_method_types"),
    )
    if (allowed and kind not in allowed) or kind in (excluded or ()):
        raise StripeApiError(400, f"This session can't be paid by {kind}.", param="payment_method")
