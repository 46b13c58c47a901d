"""Products, prices, coupons, promotion codes and payment links."""

from sandbox import catalog, checkout, lists, pricing
from sandbox.calls.registry import Call, call, listable, readable, searchable, updatable
from sandbox.fields import apply
from sandbox.shop import snapshot
from sandbox.world import Json

call("POST", "/v1/products")(lambda c: catalog.create_product(c.shop, c.params))
call("DELETE", "/v1/products/{}")(lambda c: catalog.delete_product(c.shop, c.find("product")))
call("POST", "/v1/prices")(lambda c: catalog.create_price(c.shop, c.params))
call("POST", "/v1/coupons")(lambda c: catalog.create_coupon(c.shop, c.params))
call("POST", "/v1/promotion_codes")(lambda c: catalog.create_promotion_code(c.shop, c.params))
call("POST", "/v1/payment_links")(lambda c: catalog.create_payment_link(c.shop, c.params))

for _kind, _url in (
    ("product", "/v1/products"),
    ("price", "/v1/prices"),
    ("coupon", "/v1/coupons"),
    ("promotion_code", "/v1/promotion_codes"),
    ("payment_link", "/v1/payment_links"),
):
    readable(_kind, _url)

searchable("product", "/v1/products")
searchable("price", "/v1/prices")


@call("POST", "/v1/products/{}")
def update_product(c: Call) -> Json:
    found = c.find("product")
    before = snapshot(found)
    apply(c.shop, "product", found, c.params)
    found["updated"] = c.shop.world.now()
    saved = c.shop.save(found, "product.updated", before)
    if before["active"] and not found["active"]:
        catalog.deactivate_payment_links(c.shop, found["id"])
    return saved


@call("POST", "/v1/prices/{}")
def update_price(c: Call) -> Json:
    found, params = c.find("price"), c.params
    before = snapshot(found)
    apply(c.shop, "price", found, params, "transfer_lookup_key", "currency_options", "lookup_key")
    pricing.put_currencies(c.shop, found, params.get("currency_options") or {})
    if params.get("lookup_key") == "":
        found["lookup_key"] = None
    catalog.take_lookup_key(c.shop, found, params)
    return c.shop.save(found, "price.updated", before)


updatable("coupon", "/v1/coupons", "coupon.updated", "currency_options")
updatable("promotion_code", "/v1/promotion_codes", "promotion_code.updated", "restrictions")
listable(
    "price",
    "/v1/prices",
    "product",
    "active",
    "type",
    "currency",
    lookup_keys=lambda price, wanted: price["lookup_key"] in wanted,
    recurring=lambda price, wanted: (price["recurring"] or {}).items() >= wanted.items(),
)
listable(
    "product",
    "/v1/products",
    "active",
    "shippable",
    "type",
    "url",
    ids=lambda product, wanted: product["id"] in wanted,
)
listable("coupon", "/v1/coupons")
listable(
    "promotion_code",
    "/v1/promotion_codes",
    "active",
    "customer",
    code=lambda code, wanted: code["code"] == wanted.upper(),
    coupon=lambda code, wanted: code["promotion"]["coupon"] == wanted,
)
listable("payment_link", "/v1/payment_links", "active")


call("POST", "/v1/payment_links/{}")(
    lambda c: catalog.update_payment_link(c.shop, c.find("payment_link"), c.params)
)


@call("GET", "/v1/payment_links/{}/line_items")
def payment_link_lines(c: Call) -> Json:
    link = c.find("payment_link")
    return lists.slice_of(c.path, checkout.line_items(c.shop, link), c.params)


@call("DELETE", "/v1/coupons/{}")
def delete_coupon(c: Call) -> Json:
    """Discounts that it was used for show it all the same."""
    found = c.find("coupon")
    c.shop.world.keep(f"deleted/{found['id']}", **found)
    c.shop.world.forget("coupon", found["id"])
    c.shop.emit("coupon.deleted", found)
    return {"id": found["id"], "object": "coupon", "deleted": True}
