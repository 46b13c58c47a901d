"""Plans: the older name of recurring prices, which are the same objects under both names."""

from sandbox import catalog, lists
from sandbox.calls.registry import Call, call
from sandbox.fields import apply
from sandbox.plans import plan_of
from sandbox.shop import StripeApiError, missing, snapshot
from sandbox.world import Json

_RENAMED = {
    "amount": "unit_amount",
    "amount_decimal": "unit_amount_decimal",
    "transform_usage": "transform_quantity",
}
_OF_RHYTHM = ("interval", "interval_count", "meter", "trial_period_days", "usage_type")
_NOT_HERE = (*_RENAMED, *_OF_RHYTHM, "id", "product", "expand")


def _price(c: Call) -> Json:
    """The price behind the plan that the path names. Raises Stripe's 404."""
    found = c.shop.world.table("price").get(c.ids[0])
    if found is None or found["type"] != "recurring":
        raise missing("plan", c.ids[0])
    return found


@call("POST", "/v1/plans")
def create(c: Call) -> Json:
    params = c.params
    if params.get("id") in c.shop.world.table("price"):
        raise StripeApiError(
            400, "Plan already exists.", code="resource_already_exists", param="id"
        )
    given: Json = {key: value for key, value in params.items() if key not in _NOT_HERE}
    given |= {new: params[old] for old, new in _RENAMED.items() if old in params}
    given["recurring"] = {key: params[key] for key in _OF_RHYTHM if key in params}
    product = params.get("product")
    given["product_data" if isinstance(product, dict) else "product"] = product
    made = catalog.create_price(
        c.shop, given, own_id=params.get("id") or c.shop.world.new_id("plan")
    )
    return plan_of(made)


@call("GET", "/v1/plans/{}")
def plan(c: Call) -> Json:
    return plan_of(_price(c))


@call("POST", "/v1/plans/{}")
def update(c: Call) -> Json:
    price, params = _price(c), c.params
    before = snapshot(price)
    if params.get("product"):
        price["product"] = c.shop.find("product", params["product"], param="product")["id"]
    if "trial_period_days" in params:
        price["recurring"]["trial_period_days"] = params["trial_period_days"]
    apply(c.shop, "price", price, {k: params[k] for k in params if k not in _NOT_HERE})
    with c.shop.row():
        c.shop.save(price, "price.updated", before)
        c.shop.emit("plan.updated", plan_of(price), plan_of(before))
    return plan_of(price)


@call("DELETE", "/v1/plans/{}")
def delete(c: Call) -> Json:
    """No new subscriptions; those that there are keep it."""
    price = _price(c)
    c.shop.world.forget("price", price["id"])
    with c.shop.row():
        c.shop.emit("price.deleted", price)
        c.shop.emit("plan.deleted", plan_of(price))
    return {"id": price["id"], "object": "plan", "deleted": True}


@call("GET", "/v1/plans")
def plans(c: Call) -> Json:
    equal: Json = {key: c.params[key] for key in ("active", "product") if key in c.params}
    found = lists.page(c.shop, "price", c.path, c.params, equal={**equal, "type": "recurring"})
    return {**found, "data": [plan_of(price) for price in found["data"]]}
