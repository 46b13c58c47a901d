"""Tax rates, which are fixed, and tax ids."""

from sandbox import lists, taxes
from sandbox.calls.registry import Call, call, readable, updatable
from sandbox.fields import apply
from sandbox.shop import invalid, missing
from sandbox.world import Json

_CODES = {
    "txcd_10000000": ("General - Electronically Supplied Services", "Delivered electronically."),
    "txcd_10103001": ("Software as a service (SaaS) - business use", "Software used remotely."),
    "txcd_20030000": ("General - Services", "Services of any kind."),
    "txcd_99999999": ("General - Tangible Goods", "Things that are shipped."),
    "txcd_00000000": ("Nontaxable", "What isn't taxed."),
}
"""Some of Stripe's tax codes."""


def _code(c: Call, name: str) -> Json:
    title, words = _CODES[name]
    return c.shop.world.blanks.make("tax_code", id=name, name=title, description=words)


@call("GET", "/v1/tax_codes")
def codes(c: Call) -> Json:
    return lists.slice_of(c.path, [_code(c, name) for name in _CODES], c.params)


@call("GET", "/v1/tax_codes/{}")
def code(c: Call) -> Json:
    if c.ids[0] not in _CODES:
        raise missing("tax_code", c.ids[0])
    return _code(c, c.ids[0])


readable("tax_rate", "/v1/tax_rates")
updatable("tax_rate", "/v1/tax_rates", "tax_rate.updated")


@call("POST", "/v1/tax_rates")
def create_rate(c: Call) -> Json:
    percentage = float(c.params["percentage"])
    if not 0 <= percentage <= 100:
        raise invalid("The percentage must be between 0 and 100.", param="percentage")
    made = c.shop.world.make("tax_rate", "txr", active=True, metadata={})
    apply(c.shop, "tax_rate", made, c.params)
    made.update(percentage=percentage, effective_percentage=percentage, rate_type="percentage")
    return c.shop.save(made, "tax_rate.created")


@call("GET", "/v1/tax_rates")
def rates(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in ("active", "inclusive") if key in c.params}
    return lists.page(c.shop, "tax_rate", "/v1/tax_rates", c.params, equal=equal)


@call("POST", "/v1/tax_ids")
def create_id(c: Call) -> Json:
    owner = c.params.get("owner") or {"type": "self"}
    customer = None
    if owner["type"] == "customer":
        customer = c.shop.find("customer", owner.get("customer"), param="owner[customer]")
    elif owner["type"] != "self":
        raise invalid("A tax id belongs to this account or to a customer.", param="owner[type]")
    return taxes.identify(c.shop, c.params["type"], c.params["value"], customer)


@call("POST", "/v1/customers/{}/tax_ids")
def create_id_of_customer(c: Call) -> Json:
    return taxes.identify(c.shop, c.params["type"], c.params["value"], c.find("customer"))


@call("GET", "/v1/tax_ids")
def ids(c: Call) -> Json:
    owner = c.params.get("owner") or {"type": "self"}
    customer = None
    if owner["type"] == "customer":
        customer = c.shop.find("customer", owner.get("customer"), param="owner[customer]")["id"]
    return lists.page(c.shop, "tax_id", "/v1/tax_ids", c.params, equal={"customer": customer})


@call("GET", "/v1/customers/{}/tax_ids")
def ids_of_customer(c: Call) -> Json:
    c.find("customer")
    return lists.page(c.shop, "tax_id", c.path, c.params, equal={"customer": c.ids[0]})


def _mine(c: Call) -> Json:
    """The tax id at the end of the path. Raises Stripe's 404, also for another customer's."""
    found = c.shop.find("tax_id", c.ids[-1])
    if len(c.ids) > 1 and found["customer"] != c.ids[0]:
        raise missing("tax_id", c.ids[-1])
    return found


def _delete(c: Call) -> Json:
    found = _mine(c)
    c.shop.world.forget("tax_id", found["id"])
    if found["customer"]:
        c.shop.emit("customer.tax_id.deleted", found)
    return {"id": found["id"], "object": "tax_id", "deleted": True}


call("GET", "/v1/tax_ids/{}")(_mine)
call("DELETE", "/v1/tax_ids/{}")(_delete)
call("GET", "/v1/customers/{}/tax_ids/{}")(_mine)
call("DELETE", "/v1/customers/{}/tax_ids/{}")(_delete)
