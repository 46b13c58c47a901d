"""Coupons in use: which one a code names, what it takes off, and for how long."""

from sandbox.shop import Shop, StripeApiError, invalid
from sandbox.world import Json


def code_behind(
    shop: Shop, code: str, *, total: int, currency: str | None, customer: str | None
) -> Json:
    """The promotion code that a person typed. Raises Stripe's 400 for one that can't be used, now
    or for this total (minor unit) and customer."""
    wanted = code.strip().upper()
    found = shop.world.table("promotion_code").newest_first(
        {"code": wanted}, before=None, after=None
    )
    for promotion in found:
        reason = _refusal(shop, promotion, total=total, currency=currency, customer=customer)
        if reason is None:
            return promotion
    raise invalid("This promotion code is invalid.", param="promotion_code")


def check(
    shop: Shop, given: Json, *, total: int, currency: str | None, customer: str | None
) -> None:
    """Raise Stripe's 400 for a coupon or promotion code that can't be used for this total (minor
    unit) and customer."""
    if given.get("promotion_code"):
        promotion = shop.find("promotion_code", given["promotion_code"], param="discounts")
        reason = _refusal(shop, promotion, total=total, currency=currency, customer=customer)
        if reason is not None:
            raise invalid(
                f"This promotion code cannot be redeemed because {reason}.", param="discounts"
            )
    elif given.get("coupon"):
        coupon = shop.find("coupon", given["coupon"], param="discounts")
        if not redeemable(shop, coupon):
            raise _expired(coupon)
        if coupon["amount_off"] and currency and coupon["currency"] != currency:
            raise invalid(
                f"The coupon {coupon['id']} is in {coupon['currency']}, not in {currency}.",
                param="discounts",
            )


def _expired(coupon: Json) -> StripeApiError:
    return invalid(f"Coupon expired: {coupon['id']}", param="discounts", code="coupon_expired")


def _refusal(
    shop: Shop, promotion: Json, *, total: int, currency: str | None, customer: str | None
) -> str | None:
    """Why a promotion code may not be redeemed; None where it may."""
    coupon = shop.world.table("coupon").get(promotion["promotion"]["coupon"])
    most, until = promotion["max_redemptions"], promotion["expires_at"]
    limits = promotion["restrictions"]
    least, least_in = limits.get("minimum_amount"), limits.get("minimum_amount_currency")
    if not promotion["active"]:
        return "it is inactive"
    if coupon is None or not redeemable(shop, coupon):
        return "its coupon has expired"
    if most is not None and promotion["times_redeemed"] >= most:
        return "it has been redeemed as often as it may be"
    if until is not None and until <= shop.world.now():
        return "it has expired"
    if promotion["customer"] and promotion["customer"] != customer:
        return "it belongs to another customer"
    if least is not None and (total < least or (currency and currency != least_in)):
        return "the total is below its minimum amount"
    if limits.get("first_time_transaction") and has_paid(shop, customer):
        return "the associated customer has prior transactions"
    return None


def has_paid(shop: Shop, customer: str | None) -> bool:
    """Whether a customer has ever paid anything."""
    if customer is None:
        return False
    rows = shop.world.table("charge").newest_first({"customer": customer}, before=None, after=None)
    return any(row["paid"] and row["amount"] for row in rows)


def redeemable(shop: Shop, coupon: Json) -> bool:
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    return (most is None or coupon["times_redeemed"] < most) and (
        until is None or until > shop.world.now()
    )


def redeem(shop: Shop, given: Json, *, customer: str | None, **owner: str) -> Json:
    """A discount made of `{"coupon": id}` or `{"promotion_code": id}`, for a `subscription`,
    `invoice` or `checkout_session`. Raises Stripe's 400 where the coupon can't be used any more;
    `check` knows what else a code asks for."""
    promotion = None
    if given.get("promotion_code"):
        promotion = shop.find("promotion_code", given["promotion_code"], param="discounts")
        coupon = shop.find("coupon", promotion["promotion"]["coupon"], param="discounts")
    else:
        coupon = shop.find("coupon", given.get("coupon"), param="discounts")
    if not redeemable(shop, coupon):
        raise _expired(coupon)
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
