"""Mandates, setup attempts, configurations of payment methods, and sessions of customers."""

from sandbox import lists
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.shop import Shop, snapshot
from sandbox.world import Json

_CONFIGURATION = "payment_method_configuration"
_URL = "/v1/payment_method_configurations"
_ON = ("card", "apple_pay", "google_pay", "link")
"""Payment methods that an account offers by itself."""
SESSION_SECONDS = 30 * 60
readable("mandate", "/v1/mandates")
listable("setup_attempt", "/v1/setup_attempts", "setup_intent")
readable(_CONFIGURATION, _URL)


def _default(shop: Shop) -> Json:
    """The configuration that an account has from the start."""
    table = shop.world.table(_CONFIGURATION)
    known = next((row for row in table.values() if row["is_default"]), None)
    return known or shop.save(_new(shop, {"name": "Default"}, is_default=True))


def _new(shop: Shop, params: Json, *, is_default: bool = False) -> Json:
    made = shop.world.make(
        _CONFIGURATION,
        "pmc",
        active=True,
        application=None,
        is_default=is_default,
        name=params.get("name") or "",
        parent=None,
    )
    published = shop.world.published
    schema = published.resolve(published.object_schema(_CONFIGURATION))
    for name, part in schema.get("else", schema)["properties"].items():
        blank = shop.world.blanks.part(part)
        if isinstance(blank, dict) and "display_preference" in blank:
            value = "on" if name in _ON else "off"
            preference = {"overridable": None, "preference": value, "value": value}
            made[name] = {"available": name in _ON, "display_preference": preference}
    _prefer(made, params)
    return made


def _prefer(made: Json, params: Json) -> None:
    """Set which payment methods are offered."""
    for name, given in params.items():
        wanted = given.get("display_preference") if isinstance(given, dict) else None
        if wanted and name in made:
            value = wanted.get("preference", "none")
            shown = ("on" if name in _ON else "off") if value == "none" else value
            preference = {"overridable": None, "preference": value, "value": shown}
            made[name] = {"available": shown == "on", "display_preference": preference}


@call("POST", _URL)
def create(c: Call) -> Json:
    _default(c.shop)
    made = _new(c.shop, c.params)
    if c.params.get("parent"):
        made["parent"] = c.shop.find(_CONFIGURATION, c.params["parent"], param="parent")["id"]
    return c.shop.save(made)


@call("POST", f"{_URL}/{{}}")
def update(c: Call) -> Json:
    found = c.find(_CONFIGURATION)
    _prefer(found, c.params)
    for key in ("active", "name"):
        if key in c.params:
            found[key] = c.params[key]
    return c.shop.save(found)


@call("GET", _URL)
def configurations(c: Call) -> Json:
    _default(c.shop)
    equal: Json = {key: c.params[key] or None for key in ("application",) if key in c.params}
    if "active" in c.params:
        equal["active"] = c.params["active"]
    return lists.page(c.shop, _CONFIGURATION, _URL, c.params, equal=equal)


@call("POST", "/v1/customer_sessions")
def open_session(c: Call) -> Json:
    """What a page needs to show a customer their own; nothing can read it back."""
    world = c.shop.world
    customer = c.shop.find("customer", c.params.get("customer"), param="customer")
    made = world.blanks.make(
        "customer_session",
        client_secret=f"cuss_secret_{world.new_id('x', 32)[2:]}",
        created=world.now(),
        customer=customer["id"],
        expires_at=world.now() + SESSION_SECONDS,
        livemode=False,
    )
    made["components"] = world.part("customer_session", "components")
    for name, given in c.params["components"].items():
        made["components"][name]["enabled"] = given["enabled"]
        if given.get("features"):
            blank = world.blanks.within(_schema(c.shop, name), "features")
            made["components"][name]["features"] = {**blank, **given["features"]}
    return snapshot(made)


def _schema(shop: Shop, name: str) -> Json:
    published = shop.world.published
    whole = published.resolve(published.object_schema("customer_session"))
    components = published.resolve(whole.get("else", whole)["properties"]["components"]["anyOf"][0])
    found: Json = components["properties"][name]
    return published.resolve(found)
