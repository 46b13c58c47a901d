"""Shipping rates."""

from sandbox import lists, shipping
from sandbox.calls.registry import Call, call, readable
from sandbox.fields import apply
from sandbox.world import Json

call("POST", "/v1/shipping_rates")(lambda c: shipping.create_rate(c.shop, c.params))
readable("shipping_rate", "/v1/shipping_rates")


@call("POST", "/v1/shipping_rates/{}")
def update_rate(c: Call) -> Json:
    found = c.find("shipping_rate")
    apply(c.shop, "shipping_rate", found, c.params, "fixed_amount")
    shipping.set_currencies(found, c.params)
    return c.shop.save(found)


@call("GET", "/v1/shipping_rates")
def rates(c: Call) -> Json:
    equal = {key: c.params[key] for key in ("active",) if key in c.params}
    currency = c.params.get("currency")

    def wanted(rate: Json) -> bool:
        return currency is None or rate["fixed_amount"]["currency"] == currency

    return lists.page(
        c.shop, "shipping_rate", "/v1/shipping_rates", c.params, equal=equal, keep=wanted
    )
