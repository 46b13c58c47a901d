"""Products, prices, coupons, promotion codes and payment links."""

import re

from sandbox import collecting, mistakes, pricing
from sandbox.fields import apply
from sandbox.plans import plan_of
from sandbox.shop import Shop, invalid, merge_metadata, snapshot, too_many
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
        metadata={},
        type="service",
        updated=shop.world.now(),
    )
    apply(shop, "product", made, params, "default_price_data")
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
    if recurring and params.get("custom_unit_amount"):
        raise invalid("A recurring price can't have `custom_unit_amount`.", param="recurring")
    made = shop.world.make(
        "price",
        "price",
        id=own_id,
        product=product["id"],
        currency=params["currency"].lower(),
        active=params.get("active", True),
        nickname=params.get("nickname"),
        metadata=merge_metadata({}, params.get("metadata")),
        type="recurring" if recurring else "one_time",
        tax_behavior=params.get("tax_behavior", "unspecified"),
    )
    pricing.put(shop, made, params)
    take_lookup_key(shop, made, params)
    if recurring:
        full = shop.world.published.resolve(shop.world.published.object_schema("price"))
        part = shop.world.blanks.part(full.get("else", full)["properties"]["recurring"])
        made["recurring"] = {**part, "interval_count": 1, "usage_type": "licensed", **recurring}
        count, most = made["recurring"]["interval_count"], _THREE_YEARS[recurring["interval"]]
        if fault := mistakes.outside("recurring[interval_count]", count, least=1, most=most):
            raise fault
    shop.save(made, "price.created")
    if recurring:
        shop.emit("plan.created", plan_of(made))
    return made


_THREE_YEARS = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""The longest intervals of prices."""


def take_lookup_key(shop: Shop, price: Json, params: Json) -> None:
    """Give a price its lookup key, which only one has at a time. Raises Stripe's 400 for one that
    another has, unless it is to be transferred."""
    key = params.get("lookup_key")
    if not key:
        return
    table = shop.world.table("price")
    for other in list(table.newest_first({"lookup_key": key}, before=None, after=None)):
        if other["id"] == price["id"]:
            continue
        if not params.get("transfer_lookup_key"):
            raise invalid(
                f"A price (`{other['id']}`) already uses that lookup key.", param="lookup_key"
            )
        before = snapshot(other)
        other["lookup_key"] = None
        shop.save(other, "price.updated", before)
    price["lookup_key"] = key


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
    if params.get("percent_off") and params.get("amount_off"):
        raise too_many("percent_off", "amount_off")
    if not 0 < float(params.get("percent_off", 100)) <= 100:
        raise invalid(
            "Invalid percent_off: must be greater than 0 and at most 100", param="percent_off"
        )
    if params.get("amount_off") and not params.get("currency"):
        raise invalid(
            "You must pass `currency` when passing `amount_off`.",
            code="parameter_missing",
            param="currency",
        )
    if params.get("duration") != "repeating" and params.get("duration_in_months"):
        raise invalid(
            "`duration_in_months` is only for coupons with `duration=repeating`.",
            param="duration_in_months",
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
    coupon = shop.find("coupon", promotion.get("coupon"), param="promotion[coupon]")
    _check_code(params, coupon)
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


def _check_code(params: Json, coupon: Json) -> None:
    """Raise Stripe's 400 for a promotion code that can't be, or that outlasts its coupon."""
    if not re.fullmatch(r"[A-Za-z0-9-]*", params.get("code") or ""):
        raise invalid("A code can only have letters, digits and dashes.", param="code")
    limits: Json = {"expires_at": coupon["redeem_by"], "max_redemptions": coupon["max_redemptions"]}
    for name, most in limits.items():
        given = params.get(name)
        if given and most is not None and given > most:
            raise invalid(f"`{name}` can't be greater than that of the coupon.", param=name)


_BUILT = (
    *("line_items", "after_completion", "subscription_data", "payment_intent_data"),
    *("optional_items", "restrictions", "currency", "invoice_creation", "custom_fields"),
    *("name_collection", "tax_id_collection"),
)
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
    currency = (params.get("currency") or lines[0][0]["currency"]).lower()
    for price, _ in lines:
        pricing.option(shop, price, currency)
    made = world.make(
        "payment_link",
        "plink",
        active=True,
        currency=currency,
        managed_payments={"enabled": False},
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
    _set_parts(shop, made, params, recurring=recurring)
    made["optional_items"] = collecting.optional_items(shop, params.get("optional_items") or [])
    world.keep(
        made["id"],
        lines=[
            {
                "id": world.new_id("li"),
                "price": price["id"],
                "quantity": entry.get("quantity", 1),
                "adjustable_quantity": entry.get("adjustable_quantity"),
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
        if "adjustable_quantity" in entry:
            line["adjustable_quantity"] = entry["adjustable_quantity"]
    shop.world.keep(found["id"], lines=list(kept.values()))
    apply(shop, "payment_link", found, params, *_BUILT)
    set_link(shop, found, params)
    if params.get("after_completion"):
        found["after_completion"] = _after(params["after_completion"])
    prices = [shop.find("price", line["price"]) for line in kept.values()]
    recurring = any(price["type"] == "recurring" for price in prices)
    _set_parts(shop, found, params, recurring=recurring)
    if "optional_items" in params:
        found["optional_items"] = collecting.optional_items(shop, params["optional_items"] or [])
    return shop.save(found, "payment_link.updated", before)


def deactivate_payment_links(shop: Shop, product: str) -> None:
    """Deactivate the links that sell a product, as archiving it does. Unarchiving the product
    doesn't activate them again."""
    table = shop.world.table("payment_link")
    for link in list(table.newest_first({"active": True}, before=None, after=None)):
        lines = shop.world.private[link["id"]]["lines"]
        if any(shop.find("price", line["price"])["product"] == product for line in lines):
            before = snapshot(link)
            link["active"] = False
            shop.save(link, "payment_link.updated", before)


def _set_parts(shop: Shop, made: Json, params: Json, *, recurring: bool) -> None:
    """Set what sessions of a link hand on, and what they ask for. Raises Stripe's 400 for data of
    the other mode."""
    for name, wrong in (
        ("subscription_data", not recurring),
        ("payment_intent_data", recurring),
        ("invoice_creation", recurring),
    ):
        given = params.get(name)
        if given and wrong:
            raise invalid(f"`{name}` doesn't go with the prices of this link.", param=name)
        if given:
            blank = shop.world.part("payment_link", name)
            made[name] = _over(blank, made[name], given)
        elif name in params:
            made[name] = None
    collecting.show(shop, made, params)


_INNER: Json = {
    "invoice_data": {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": None,
        "metadata": None,
        "rendering_options": None,
    }
}


def _over(blank: Json, known: Json | None, given: Json) -> Json:
    """What is given over what is known, inside its parts too."""
    made = {**blank, **(known or {})}
    for key, value in given.items():
        if key == "metadata":
            made[key] = merge_metadata(None, value)
        elif isinstance(value, dict):
            made[key] = _over(_INNER.get(key) or {}, made.get(key), value)
        else:
            made[key] = None if value == "" else value
    return made


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
    if not given.get("redirect"):
        raise mistakes.missing("after_completion[redirect]")
    return given
