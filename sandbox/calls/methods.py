"""Mandates, setup attempts, configurations of payment methods, and sessions of customers."""

from sandbox import configurations, lists
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.shop import Shop, snapshot
from sandbox.world import Json

_URL = "/v1/payment_method_configurations"
SESSION_SECONDS = 30 * 60
readable("mandate", "/v1/mandates")
listable("setup_attempt", "/v1/setup_attempts", "setup_intent")
readable(configurations.KIND, _URL)


@call("POST", _URL)
def create(c: Call) -> Json:
    configurations.default(c.shop)
    made = configurations.new(c.shop, c.params)
    if c.params.get("parent"):
        made["parent"] = c.shop.find(configurations.KIND, c.params["parent"], param="parent")["id"]
    return c.shop.save(made)


@call("POST", f"{_URL}/{{}}")
def update(c: Call) -> Json:
    found = c.find(configurations.KIND)
    configurations.prefer(found, c.params)
    for key in ("active", "name"):
        if key in c.params:
            found[key] = c.params[key]
    return c.shop.save(found)


@call("GET", _URL)
def list_configurations(c: Call) -> Json:
    configurations.default(c.shop)
    equal: Json = {key: c.params[key] or None for key in ("application",) if key in c.params}
    if "active" in c.params:
        equal["active"] = c.params["active"]
    return lists.page(c.shop, configurations.KIND, _URL, c.params, equal=equal)


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
