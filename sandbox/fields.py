"""Sets a call's parameters on the object's fields of the same name."""

from typing import Any

from sandbox.shop import Shop, merge_metadata
from sandbox.world import Json


def apply(shop: Shop, kind: str, made: Json, params: Json, *but: str) -> None:
    """Set the fields of `made` from the parameters of the same name; nested objects fill their
    blanks."""
    schema = shop.world.published.resolve(shop.world.published.object_schema(kind))
    properties: Json = schema.get("else", schema)["properties"]
    for key, value in params.items():
        if key in but or key in ("expand", "id") or key not in properties:
            continue
        if key == "metadata":
            made[key] = merge_metadata(made.get(key), value)
        elif value == "":
            made[key] = None
        elif key == "shipping" and kind in _POSTED:
            made[key] = _shipping(value)
        elif key == "address" and isinstance(value, dict):
            made[key] = _whole({**(made.get(key) or {}), **value})
        elif isinstance(value, dict):
            made[key] = _over(shop.world.blanks.part(properties[key]), made.get(key), value)
        else:
            made[key] = value


_POSTED = ("charge", "payment_intent")


def _shipping(given: Json) -> Json:
    """Where something is sent, with all keys that Stripe shows of it."""
    return {
        "address": _whole(given.get("address") or {}),
        **{key: given.get(key) or None for key in ("carrier", "name", "phone", "tracking_number")},
    }


_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def _over(blank: Any, old: Any, given: Json) -> Json:
    known = {**(blank or {}), **(old or {})}
    found = {**known, **{key: None if value == "" else value for key, value in given.items()}}
    if isinstance(found.get("address"), dict):
        found["address"] = _whole(found["address"])
    return found


def _whole(address: Json) -> Json:
    """An address with all its keys."""
    return {key: address.get(key) or None for key in _ADDRESS}
