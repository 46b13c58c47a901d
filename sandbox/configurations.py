"""Configurations of payment methods: which ones an account offers."""

from collections.abc import Iterable

from sandbox.shop import Shop, invalid
from sandbox.world import Json

KIND = "payment_method_configuration"
_ON = frozenset(
    {
        *("affirm", "amazon_pay", "apple_pay", "bancontact", "card", "cashapp", "eps"),
        *("google_pay", "klarna", "link"),
    }
)
"""Payment methods that a new account has on, as recorded of such."""


def named(configuration: Json) -> Json:
    """A configuration, as what it applies to names it."""
    return {"id": configuration["id"], "parent": configuration["parent"]}


def chosen(shop: Shop, given: str | None) -> Json:
    """The configuration that a call names, or else the account's own. Raises Stripe's 400 for one
    that isn't there or is no longer active."""
    if not given:
        return default(shop)
    found = shop.find(KIND, given, param="payment_method_configuration")
    if not found["active"]:
        raise invalid(
            f"The payment method configuration {given} is not active.",
            param="payment_method_configuration",
        )
    return found


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
            made[name] = _shown("on" if name in _ON else "off")
    prefer(made, params)
    return made


def on(configuration: Json) -> frozenset[str]:
    """The payment methods that a configuration offers."""
    return frozenset(
        name
        for name, value in configuration.items()
        if isinstance(value, dict) and value.get("available")
    )


def choose(configuration: Json, wanted: Iterable[str]) -> Json:
    """Turn on these payment methods, and the others off. Raises Stripe's 400 for an unknown one."""
    names = set(wanted)
    known = {n for n, value in configuration.items() if isinstance(value, dict)}
    if unknown := sorted(names - known):
        raise invalid(f"There is no payment method {unknown[0]}.", param="on")
    configuration.update({name: _shown("on" if name in names else "off") for name in known})
    return configuration


def prefer(made: Json, params: Json) -> None:
    """Set which payment methods are offered."""
    for name, given in params.items():
        wanted = given.get("display_preference") if isinstance(given, dict) else None
        if wanted and name in made:
            made[name] = _shown(wanted.get("preference", "none"), "on" if name in _ON else "off")


def _shown(preference: str, otherwise: str = "off") -> Json:
    value = otherwise if preference == "none" else preference
    return {
        "available": value == "on",
        "display_preference": {"overridable": None, "preference": preference, "value": value},
    }
