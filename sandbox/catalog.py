"""Products, prices, coupons, promotion codes and payment links."""

from sandbox.fields import apply
from sandbox.plans import plan_of
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


def create_price(shop: Shop, params: Json, *, own_id: str | None = None) -> Json:
    """A price, which is a plan too where it recurs."""
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
        id=own_id,
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
    shop.save(made, "price.created")
    if recurring:
        shop.emit("plan.created", plan_of(made))
    return made


def inline_price(shop: Shop, amount: int, params: Json) -> Json:
    """An inactive price, of an inactive product, for an amount given without a price. Neither emits
    events."""
    world = shop.world
    name = params.get("description") or "Item"
    product = world.make("product", "prod", name=name, active=False, metadata={}, type="service")
    world.store(product)
    made = world.make(
        "price",
        "price",
        product=product["id"],
        currency=(params.get("currency") or "usd").lower(),
        unit_amount=amount,
        unit_amount_decimal=str(amount),
        active=False,
        metadata={},
        type="one_time",
        billing_scheme="per_unit",
        tax_behavior="unspecified",
    )
    return world.store(made)


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
        raise invalid(
            "You must pass either `percent_off` or `amount_off`.",
            code="parameter_missing",
            param="percent_off",
        )
    if params.get("amount_off") and not params.get("currency"):
        raise invalid(
            "You must pass `currency` when passing `amount_off`.",
            code="parameter_missing",
            param="currency",
        )
    if params.get("duration") == "repeating" and not params.get("duration_in_months"):
        raise invalid(
            "You must pass `duration_in_months` when `duration` is repeating.",
            code="parameter_missing",
            param="duration_in_months",
        )
    percent = params.get("percent_off")
    made = shop.world.make(
        "coupon",
        "",
        id=params.get("id") or shop.world.new_id("co", 8).removeprefix("co_"),
        name=params.get("name"),
        duration=params.get("duration", "once"),
        duration_in_months=params.get("duration_in_months"),
        percent_off=None if percent is None else float(percent),
        amount_off=params.get("amount_off"),
        currency=params.get("currency"),
        max_redemptions=params.get("max_redemptions"),
        redeem_by=params.get("redeem_by"),
        metadata=merge_metadata({}, params.get("metadata")),
        valid=True,
        times_redeemed=0,
    )
    if made["id"] in shop.world.table("coupon"):
        raise invalid("Coupon already exists.", code="resource_already_exists", param="id")
    if params.get("applies_to"):
        made["applies_to"] = {"products": params["applies_to"].get("products") or []}
    return shop.save(made, "coupon.created")


def create_promotion_code(shop: Shop, params: Json) -> Json:
    promotion = params["promotion"]
    shop.find("coupon", promotion.get("coupon"), param="promotion[coupon]")
    code = (params.get("code") or shop.world.new_id("c", 8).removeprefix("c_")).upper()
    same = shop.world.table("promotion_code").newest_first({"code": code}, before=None, after=None)
    if any(row["active"] and row["code"] == code for row in same):
        raise invalid(f"An active promotion code with `code: {code}` already exists.", param="code")
    made = shop.world.make(
        "promotion_code",
        "promo",
        code=code,
        active=params.get("active", True),
        customer=params.get("customer"),
        expires_at=params.get("expires_at"),
        max_redemptions=params.get("max_redemptions"),
        metadata=merge_metadata({}, params.get("metadata")),
        times_redeemed=0,
    )
    made["promotion"] = {"type": "coupon", "coupon": promotion["coupon"]}
    made["restrictions"] = {**made["restrictions"], **(params.get("restrictions") or {})}
    return shop.save(made, "promotion_code.created")


_BUILT = ("line_items", "after_completion", "subscription_data", "optional_items", "restrictions")
"""Parameters of a payment link that aren't plainly its fields."""


def create_payment_link(shop: Shop, params: Json) -> Json:
    world = shop.world
    lines = []
    for number, entry in enumerate(params["line_items"]):
        where = f"line_items[{number}][price]"
        if entry.get("price_data"):
            price = create_price(shop, entry["price_data"])
        else:
            price = shop.find("price", entry.get("price"), param=where)
        if not price["active"]:
            raise invalid(
                "The price specified is inactive. This field only accepts active prices.",
                param=where,
            )
        lines.append((price, entry))
    recurring = any(price["type"] == "recurring" for price, _ in lines)
    made = world.make(
        "payment_link",
        "plink",
        active=True,
        currency=lines[0][0]["currency"],
        metadata={},
        allow_promotion_codes=False,
        customer_creation="always" if recurring else "if_required",
        billing_address_collection="auto",
        payment_method_collection="always",
        submit_type="auto",
    )
    apply(shop, "payment_link", made, params, *_BUILT)
    made["url"] = f"{world.base_url}/b/{made['id']}"
    set_link(shop, made, params)
    after = params.get("after_completion") or {"type": "hosted_confirmation"}
    made["after_completion"] = _after(after)
    if recurring and params.get("subscription_data"):
        blank = world.part("payment_link", "subscription_data")
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


def update_payment_link(shop: Shop, found: Json, params: Json) -> Json:
    """Update a link. Only the quantities of its lines can change; a new price needs a new link."""
    before = snapshot(found)
    kept = {line["id"]: line for line in shop.world.private[found["id"]]["lines"]}
    for number, entry in enumerate(params.get("line_items") or []):
        line = kept.get(entry["id"])
        if line is None:
            raise invalid(
                f"No such line item: '{entry['id']}'",
                param=f"line_items[{number}][id]",
                code="resource_missing",
            )
        line["quantity"] = entry.get("quantity", line["quantity"])
    apply(shop, "payment_link", found, params, *_BUILT)
    set_link(shop, found, params)
    if params.get("after_completion"):
        found["after_completion"] = _after(params["after_completion"])
    if params.get("subscription_data") and found["subscription_data"]:
        found["subscription_data"] = {**found["subscription_data"], **params["subscription_data"]}
    return shop.save(found, "payment_link.updated", before)


def set_link(shop: Shop, made: Json, params: Json) -> None:
    """Set how many times a link may be used."""
    if "restrictions" in params:
        limit = ((params["restrictions"] or {}).get("completed_sessions") or {}).get("limit")
        count = ((made["restrictions"] or {}).get("completed_sessions") or {}).get("count", 0)
        made["restrictions"] = (
            {"completed_sessions": {"count": count, "limit": limit}} if limit else None
        )


def _after(given: Json) -> Json:
    message = (given.get("hosted_confirmation") or {}).get("custom_message")
    if given["type"] == "hosted_confirmation":
        return {**given, "hosted_confirmation": {"custom_message": message}}
    return given
