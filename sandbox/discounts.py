"""Coupons in use: which one a code names, what it takes off, and for how long."""

from sandbox.shop import Shop, invalid
from sandbox.world import Json


def coupon_behind(shop: Shop, code: str, *, total: int) -> tuple[Json, Json]:
    """The promotion code that a person typed, and its coupon. Raises Stripe's 400 for one that
    can't be used, now or for this total."""
    wanted = code.strip().upper()
    found = shop.world.table("promotion_code").newest_first(
        {"code": wanted}, before=None, after=None
    )
    for promotion in found:
        if promotion["code"] == wanted and usable(shop, promotion, total=total):
            return promotion, shop.world.table("coupon")[promotion["promotion"]["coupon"]]
    raise invalid("This promotion code is invalid.", param="promotion_code")


def usable(shop: Shop, promotion: Json, *, total: int) -> bool:
    """Whether a promotion code may be redeemed now."""
    coupon = shop.world.table("coupon").get(promotion["promotion"]["coupon"])
    most, until = promotion["max_redemptions"], promotion["expires_at"]
    least = promotion["restrictions"].get("minimum_amount")
    return bool(
        promotion["active"]
        and coupon is not None
        and redeemable(shop, coupon)
        and (most is None or promotion["times_redeemed"] < most)
        and (until is None or until > shop.world.now())
        and (least is None or total >= least)
    )


def redeemable(shop: Shop, coupon: Json) -> bool:
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    return (most is None or coupon["times_redeemed"] < most) and (
        until is None or until > shop.world.now()
    )


def redeem(shop: Shop, given: Json, *, customer: str | None, **owner: str) -> Json:
    """A discount made of `{"coupon": id}` or `{"promotion_code": id}`, for a `subscription`,
    `invoice` or `checkout_session`. Raises Stripe's 400 where it can't be used any more."""
    promotion = None
    if given.get("promotion_code"):
        promotion = shop.find("promotion_code", given["promotion_code"], param="discounts")
        if not usable(shop, promotion, total=2**53):
            raise invalid("This promotion code cannot be redeemed.", param="discounts")
        coupon = shop.find("coupon", promotion["promotion"]["coupon"], param="discounts")
    else:
        coupon = shop.find("coupon", given.get("coupon"), param="discounts")
    if not redeemable(shop, coupon):
        raise invalid(f"Coupon expired: {coupon['id']}", param="discounts", code="coupon_expired")
    for used in (promotion, coupon):
        if used is not None:
            used["times_redeemed"] += 1
            shop.save(used)
    coupon["valid"] = redeemable(shop, coupon)
    world = shop.world
    months = coupon["duration_in_months"] if coupon["duration"] == "repeating" else None
    made = world.make(
        "discount",
        "di",
        customer=customer,
        start=world.now(),
        end=world.later(world.now(), "month", months) if months else None,
        promotion_code=promotion["id"] if promotion else None,
        **owner,
    )
    made["source"] = {"type": "coupon", "coupon": coupon["id"]}
    shop.save(made)
    if customer and set(owner) <= {"subscription"}:
        shop.emit("customer.discount.created", made)
    return made


def drop(shop: Shop, names: list[str]) -> None:
    """Discounts of a subscription or a customer that count no longer."""
    for name in names:
        if found := shop.world.table("discount").get(name):
            shop.emit("customer.discount.deleted", found)


def give(shop: Shop, customer: Json, coupon: str) -> None:
    """A discount on all that a customer is billed, as earlier API versions know it; another one
    takes its place, an empty text takes it away."""
    before = customer["discount"]
    if not coupon:
        customer["discount"] = None
        drop(shop, [before["id"]] if before else [])
        return
    if before is None:
        customer["discount"] = redeem(shop, {"coupon": coupon}, customer=customer["id"])
        return
    silent, shop.silent = shop.silent, True
    try:
        made = redeem(shop, {"coupon": coupon}, customer=customer["id"])
    finally:
        shop.silent = silent
    customer["discount"] = made
    shop.emit("customer.discount.updated", made, before)


def amount_off(shop: Shop, coupon: Json, lines: list[tuple[str, int]]) -> int:
    """What a coupon takes off some lines, each a product's id and an amount (minor unit)."""
    only = (coupon.get("applies_to") or {}).get("products")
    total = sum(amount for product, amount in lines if not only or product in only)
    if total <= 0:
        return 0
    if coupon["percent_off"]:
        return round(total * float(coupon["percent_off"]) / 100)
    return min(total, int(coupon["amount_off"] or 0))


def still_running(shop: Shop, discount: Json) -> bool:
    """Whether a discount still applies to the invoices after the first one."""
    coupon = shop.world.table("coupon").get(discount["source"]["coupon"])
    if coupon is None or coupon["duration"] == "once":
        return False
    return discount["end"] is None or discount["end"] > shop.world.now()
