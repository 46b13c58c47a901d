"""Features of products, and who is entitled to them."""

from sandbox import entitlements, lists
from sandbox.calls.registry import Call, call, readable
from sandbox.fields import apply
from sandbox.shop import missing
from sandbox.world import Json

_FEATURES = "/v1/entitlements/features"
_OF_PRODUCT = "/v1/products/{}/features"
readable(entitlements.FEATURE, _FEATURES)
readable(entitlements.ENTITLEMENT, "/v1/entitlements/active_entitlements")
call("POST", _FEATURES)(lambda c: entitlements.create_feature(c.shop, c.params))


@call("POST", f"{_FEATURES}/{{}}")
def update_feature(c: Call) -> Json:
    found = c.find(entitlements.FEATURE)
    apply(c.shop, entitlements.FEATURE, found, c.params)
    return c.shop.save(found)


@call("GET", _FEATURES)
def features(c: Call) -> Json:
    equal: Json = {"active": not c.params["archived"]} if "archived" in c.params else {}
    if "lookup_key" in c.params:
        equal["lookup_key"] = c.params["lookup_key"]
    return lists.page(c.shop, entitlements.FEATURE, _FEATURES, c.params, equal=equal)


@call("GET", "/v1/entitlements/active_entitlements")
def active(c: Call) -> Json:
    customer = c.shop.find("customer", c.params["customer"], param="customer")
    return lists.slice_of(c.path, entitlements.active(c.shop, customer["id"]), c.params)


@call("POST", _OF_PRODUCT)
def put(c: Call) -> Json:
    feature = c.shop.find(
        entitlements.FEATURE, c.params["entitlement_feature"], param="entitlement_feature"
    )
    return entitlements.put_on_product(c.shop, c.find("product"), feature)


@call("GET", _OF_PRODUCT)
def of_product(c: Call) -> Json:
    return lists.slice_of(c.path, entitlements.of_product(c.shop, c.find("product")), c.params)


def _tied(c: Call) -> Json:
    for row in entitlements.of_product(c.shop, c.find("product")):
        if row["id"] == c.ids[1]:
            return row
    raise missing(entitlements.ON_PRODUCT, c.ids[1])


call("GET", f"{_OF_PRODUCT}/{{}}")(_tied)


@call("DELETE", f"{_OF_PRODUCT}/{{}}")
def take_off(c: Call) -> Json:
    tied = _tied(c)
    entitlements.take_off_product(c.shop, c.find("product"), tied)
    return {"id": tied["id"], "object": entitlements.ON_PRODUCT, "deleted": True}
