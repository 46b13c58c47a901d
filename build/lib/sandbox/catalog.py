"""Products, prices, coupons, promotion codes and payment links."""

from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.world import Json


def create_product(shop: Shop, params: Json) -> Json:
    if params.get("id") and params["id"] in shop.world.table("product"):
        raise invalid("Product already exists.", param="id", code="resource_already_exists")
    made = shop.world.make(
        "product",
        "prod",
        **({"id": params["id"]} if params.get("id") else {}),
        name=params["name"],
        description=params.get("description"),
        images=params.get("images") or [],
        active=params.get("active", True),
        metadata=merge_metadata({}, params.get("metadata")),
        url=params.get("url"),
        type="service",
        updated=shop.world.now(),
    )
    shop.save(made, "product.created")
    if params.get("default_price_data"):
        price = create_price(shop, {**params["default_price_data"], "product": made["id"]})
        before = snapshot(made)
        made["default_price"] = price["id"]
        shop.save(made, "product.updated", before)
    return made


def create_price(shop: Shop, params: Json) -> Json:
    if params.get("product_data"):
        product = create_product(shop, params["product_data"])
    else:
        product = shop.find("product", params.get("product"), param="product")
    recurring = params.get("recurring")
    amount = params.get("unit_amount")
    if amount is None and params.get("unit_amount_decimal") is not None:
        amount = int(float(params["unit_amount_decimal"]))
    if amount is None and not params.get("custom_unit_amount") and not params.get("tiers"):
        raise invalid(
            "Missing required param: unit_amount.", param="unit_amount", code="parameter_missing"
        )
    if amount is not None and amount < 0:
        raise invalid(
            "Invalid non-negative integer", param="unit_amount", code="parameter_invalid_integer"
        )
    made = shop.world.make(
        "price",
        "price",
        product=product["id"],
        currency=params["currency"].lower(),
        unit_amount=amount,
        unit_amount_decimal=None if amount is None else str(amount),
        active=params.get("active", True),
        nickname=params.get("nickname"),
        lookup_key=params.get("lookup_key"),
        metadata=merge_metadata({}, params.get("metadata")),
        type="recurring" if recurring else "one_time",
        billing_scheme="per_unit",
        tax_behavior=params.get("tax_behavior", "unspecified"),
    )
    if recurring:
        full = shop.world.published.resolve(shop.world.published.object_schema("price"))
        part = shop.world.blanks.part(full.get("else", full)["properties"]["recurring"])
        made["recurring"] = {**part, "interval_count": 1, "usage_type": "licensed", **recurring}
    return shop.save(made, "price.created")


def delete_product(shop: Shop, found: Json) -> Json:
    used = shop.world.table("price").newest_first({"product": found["id"]}, before=None, after=None)
    if next(used, None):
        raise invalid(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    shop.world.forget("product", found["id"])
    shop.emit("product.deleted", found)
    return {"id": found["id"], "object": "product", "deleted": True}


def create_coupon(shop: Shop, params: Json) -> Json:
    if "percent_off" not in params and "amount_off" not in params:
        raise invalid("Must provide percent_off or amount_off.", code="parameter_missing")
    percent = params.get("percent_off")
    made = shop.world.make(
        "coupon",
        "",
        id=params.get("id") or shop.world.new_id("co", 8).removeprefix("co_"),
        name=params.get("name"),
        duration=params.get("duration", "once"),
        percent_off=None if percent is None else float(percent),
        amount_off=params.get("amount_off"),
        currency=params.get("currency"),
        metadata=merge_metadata({}, params.get("metadata")),
        valid=True,
        times_redeemed=0,
    )
    return shop.save(made, "coupon.created")


def create_promotion_code(shop: Shop, params: Json) -> Json:
    promotion = params["promotion"]
    shop.find("coupon", promotion.get("coupon"), param="promotion[coupon]")
    made = shop.world.make(
        "promotion_code",
        "promo",
        code=(params.get("code") or shop.world.new_id("c", 8).removeprefix("c_")).upper(),
        active=params.get("active", True),
        metadata=merge_metadata({}, params.get("metadata")),
        times_redeemed=0,
    )
    made["promotion"] = {"type": "coupon", "coupon": promotion["coupon"]}
    return shop.save(made, "promotion_code.created")


def discount_of(shop: Shop, code: str) -> Json | None:
    """The coupon behind an active promotion code as a person types it."""
    found = shop.world.table("promotion_code").newest_first(
        {"code": code.strip().upper()}, before=None, after=None
    )
    for promotion in found:
        if promotion["active"] and promotion["code"] == code.strip().upper():
            return shop.world.table("coupon").get(promotion["promotion"]["coupon"])
    return None


def discounted(total: int, coupon: Json | None) -> int:
    """`total` (minor unit) less the coupon."""
    if coupon is None:
        return total
    if coupon["percent_off"]:
        return total - round(total * float(coupon["percent_off"]) / 100)
    return max(0, total - int(coupon["amount_off"] or 0))


def create_payment_link(shop: Shop, params: Json) -> Json:
    world = shop.world
    lines = [
        (shop.find("price", entry.get("price"), param="line_items[0][price]"), entry)
        for entry in params["line_items"]
    ]
    recurring = any(price["type"] == "recurring" for price, _ in lines)
    made = world.make(
        "payment_link",
        "plink",
        active=True,
        currency=lines[0][0]["currency"],
        metadata=merge_metadata({}, params.get("metadata")),
        allow_promotion_codes=params.get("allow_promotion_codes", False),
        customer_creation=params.get("customer_creation", "if_required"),
        billing_address_collection="auto",
        payment_method_collection="always",
        submit_type="auto",
    )
    made["url"] = f"{world.base_url}/b/{made['id']}"
    after = params.get("after_completion") or {"type": "hosted_confirmation"}
    made["after_completion"] = {
        **after,
        **(
            {"hosted_confirmation": {"custom_message": None}}
            if after["type"] == "hosted_confirmation"
            else {}
        ),
    }
    if recurring and params.get("subscription_data"):
        blank = made.get("subscription_data") or world.blanks.part(
            world.published.resolve(world.published.object_schema("payment_link"))["else"][
                "properties"
            ]["subscription_data"]
        )
        made["subscription_data"] = {**blank, **params["subscription_data"]}
    world.keep(
        made["id"],
        lines=[
            {
                "id": world.new_id("li"),
                "price": price["id"],
                "quantity": entry.get("quantity", 1),
            }
            for price, entry in lines
        ],
    )
    return shop.save(made, "payment_link.created")
