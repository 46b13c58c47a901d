"""Customers and their payment methods."""

from sandbox import (
    accounts,
    cards,
    discounts,
    lists,
    methods,
    mistakes,
    numbering,
    sources,
    subscriptions,
)
from sandbox.calls.registry import Call, call, searchable
from sandbox.fields import apply
from sandbox.shop import invalid, missing, snapshot
from sandbox.world import Json

_NOT_COPIED = (
    *("payment_method", "source", "default_source", "invoice_settings", "test_clock"),
    *("tax_id_data", "tax"),
)


@call("POST", "/v1/customers")
def create_customer(c: Call) -> Json:
    made = c.shop.world.make("customer", "cus", name=None, metadata={}, balance=0)
    made["invoice_prefix"] = numbering.prefix_of(made["id"])
    if clock := c.params.get("test_clock"):
        c.shop.find("test_helpers.test_clock", clock, param="test_clock")
        made["test_clock"] = clock
    accounts.open_account(c.shop, made)
    apply(c.shop, "customer", made, c.params, *_NOT_COPIED)
    with c.shop.row():
        c.shop.world.store(made)
        try:
            _payment_details(c, made)
        except Exception:
            c.shop.world.forget("customer", made["id"])
            raise
        return c.shop.save(made, "customer.created")


@call("POST", "/v1/customers/{}")
def update_customer(c: Call) -> Json:
    found = _living(c, c.ids[0])
    before = snapshot(found)
    with c.shop.row():
        apply(c.shop, "customer", found, c.params, *_NOT_COPIED)
        _payment_details(c, found)
        return c.shop.save(found, "customer.updated", before)


def _payment_details(c: Call, customer: Json) -> None:
    """Attach the payment methods in the parameters; the same test id used twice is one payment
    method."""
    made: dict[str, Json] = {}

    def attached(given: str) -> Json:
        if given not in made:
            method = cards.payment_method(c.shop, given)
            if method["customer"] != customer["id"]:
                cards.attach(c.shop, method, customer)
            made[given] = method
        return made[given]

    if given := c.params.get("payment_method"):
        attached(given)
    if given := c.params.get("source"):
        made_source = sources.add(c.shop, customer, given)
        customer["default_source"] = made_source["id"]
    if given := c.params.get("default_source"):
        customer["default_source"] = sources.mine(c.shop, customer, given)["id"]
    if "coupon" in c.params:
        discounts.give(c.shop, customer, c.params["coupon"])
    settings = c.params.get("invoice_settings") or {}
    if default := settings.get("default_payment_method"):
        customer["invoice_settings"]["default_payment_method"] = attached(default)["id"]


def _living(c: Call, customer_id: str) -> Json:
    found = c.shop.world.table("customer").get(customer_id)
    if found is None:
        raise missing("customer", customer_id)
    return found


@call("GET", "/v1/customers/{}")
def customer(c: Call) -> Json:
    stump = c.shop.world.private.get(f"deleted/{c.ids[0]}")
    return stump if stump is not None else c.find("customer")


@call("DELETE", "/v1/customers/{}")
def delete_customer(c: Call) -> Json:
    """Delete a customer, which cancels their subscriptions immediately."""
    found = _living(c, c.ids[0])
    world = c.shop.world
    with c.shop.row():
        rows = world.table("subscription").newest_first(
            {"customer": found["id"]}, before=None, after=None
        )
        for subscription in [row for row in rows if row["status"] in subscriptions.LIVE]:
            subscriptions.cancel(c.shop, subscription)
        world.forget("customer", found["id"])
        c.shop.emit("customer.deleted", found)
    return dict(
        world.keep(f"deleted/{found['id']}", id=found["id"], object="customer", deleted=True)
    )


@call("DELETE", "/v1/customers/{}/discount")
def delete_discount(c: Call) -> Json:
    found = _living(c, c.ids[0])
    taken = found["discount"]
    if taken is None:
        raise invalid(f"No active discount for customer: {found['id']}", code="resource_missing")
    before = snapshot(found)
    with c.shop.row():
        discounts.give(c.shop, found, "")
        c.shop.save(found, "customer.updated", before)
    return {**taken, "deleted": True}


@call("GET", "/v1/customers")
def customers(c: Call) -> Json:
    equal: Json = {"test_clock": c.params.get("test_clock")}
    if "email" in c.params:
        equal["email"] = c.params["email"]
    return lists.page(c.shop, "customer", "/v1/customers", c.params, equal=equal)


searchable("customer", "/v1/customers")


@call("GET", "/v1/payment_methods/{}")
def read_payment_method(c: Call) -> Json:
    """A payment method; each reading of a test id (`pm_card_…`) makes a new one, as Stripe does."""
    if c.ids[0].startswith("pm_") and cards.behaviour(c.ids[0]):
        return cards.payment_method(c.shop, c.ids[0], param="id")
    return c.find("payment_method")


@call("POST", "/v1/payment_methods/{}")
def update_payment_method(c: Call) -> Json:
    """Dates and billing details of a saved method. Raises Stripe's 400 for one that isn't."""
    found = c.find("payment_method")
    if not found["customer"]:
        raise invalid(
            "You must save this PaymentMethod to a customer before you can update it.",
            code="payment_method_not_saved",
        )
    before = snapshot(found)
    apply(c.shop, "payment_method", found, c.params)
    return c.shop.save(found, "payment_method.updated", before)


@call("GET", "/v1/customers/{}/payment_methods/{}")
def payment_method_of(c: Call) -> Json:
    found = c.shop.find("payment_method", c.ids[1])
    if found["customer"] != _living(c, c.ids[0])["id"]:
        raise missing("payment_method", c.ids[1])
    return found


@call("POST", "/v1/payment_methods")
def create_payment_method(c: Call) -> Json:
    if "type" not in c.params:
        raise mistakes.missing("type")
    return methods.described(c.shop, c.params, param="card")


_METHOD_FILTERS = ("customer", "type", "allow_redisplay")


@call("GET", "/v1/payment_methods")
def payment_methods(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in _METHOD_FILTERS if key in c.params}
    return lists.page(c.shop, "payment_method", "/v1/payment_methods", c.params, equal=equal)


@call("GET", "/v1/customers/{}/payment_methods")
def payment_methods_of(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in _METHOD_FILTERS if key in c.params}
    equal["customer"] = _living(c, c.ids[0])["id"]
    return lists.page(c.shop, "payment_method", c.path, c.params, equal=equal)


@call("POST", "/v1/payment_methods/{}/attach")
def attach(c: Call) -> Json:
    method = cards.payment_method(c.shop, c.ids[0], param="id")
    customer = c.shop.find("customer", c.params.get("customer"), param="customer")
    return cards.attach(c.shop, method, customer)


@call("POST", "/v1/payment_methods/{}/detach")
def detach(c: Call) -> Json:
    method = c.find("payment_method")
    if not method["customer"]:
        raise invalid("The payment method you provided is not attached to a customer.")
    before = snapshot(method)
    method["customer"] = None
    return c.shop.save(method, "payment_method.detached", before)
