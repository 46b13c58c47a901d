"""Configurations of payment methods: which ones an account offers."""

from sandbox.shop import Shop
from sandbox.world import Json

KIND = "payment_method_configuration"
_ON = ("card", "apple_pay", "google_pay", "link")
"""Payment methods that an account offers by itself."""


def named(shop: Shop) -> Json:
    """The account's configuration, as what it applies to names it."""
    return {"id": default(shop)["id"], "parent": None}


def default(shop: Shop) -> Json:
    """The configuration that an account has from the start."""
    table = shop.world.table(KIND)
    known = next((row for row in table.values() if row["is_default"]), None)
    return known or shop.save(new(shop, {"name": "Default"}, is_default=True))


def new(shop: Shop, params: Json, *, is_default: bool = False) -> Json:
    made = shop.world.make(
        KIND,
        "pmc",
        active=True,
        application=None,
        is_default=is_default,
        name=params.get("name") or "",
        parent=None,
    )
    published = shop.world.published
    schema = published.resolve(published.object_schema(KIND))
    for name, part in schema.get("else", schema)["properties"].items():
        blank = shop.world.blanks.part(part)
        if isinstance(blank, dict) and "display_preference" in blank:
            value = "on" if name in _ON else "off"
            preference = {"overridable": None, "preference": value, "value": value}
            made[name] = {"available": name in _ON, "display_preference": preference}
    prefer(made, params)
    return made


def prefer(made: Json, params: Json) -> None:
    """Set which payment methods are offered."""
    for name, given in params.items():
        wanted = given.get("display_preference") if isinstance(given, dict) else None
        if wanted and name in made:
            value = wanted.get("preference", "none")
            shown = ("on" if name in _ON else "off") if value == "none" else value
            preference = {"overridable": None, "preference": value, "value": shown}
            made[name] = {"available": shown == "on", "display_preference": preference}
