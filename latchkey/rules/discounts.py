"""What coupons that last forever take off the items of a subscription. Pure.

Recurring revenue is less by these, as in Stripe's Dashboard; coupons that last for one bill or for
some months don't change it. Discounts of an item count first, then those of the subscription, or
the customer's where it has none; each takes its part of what the ones before it have left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from latchkey.rules.reading import Subscription, object_id

Json = Mapping[str, Any]

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Coupon:
    """A coupon that lasts forever takes off a share, or an amount in the minor unit of `currency`;
    another takes nothing off. `products` are the Stripe products that it is limited to; empty where
    it isn't."""

    percent_off: Decimal = Decimal(0)
    amount_off: int = 0
    currency: str = ""
    products: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Priced:
    """What an item costs in each of its periods, in the minor unit of `currency`."""

    id: str
    stripe_product: str
    amount: int
    currency: str


CouponsGiven = Mapping[str, Sequence[str]]
"""Ids of coupons by the item that they are given on; '' for all items."""


def coupon(source: Json) -> Coupon:
    """A coupon as Stripe shows it; what can't be read takes nothing off."""
    if source.get("duration") != "forever":
        return Coupon()
    share, amount = source.get("percent_off"), source.get("amount_off")
    only = source.get("applies_to")
    return Coupon(
        percent_off=min(Decimal(100), max(Decimal(0), _decimal(share))),
        amount_off=max(0, int(_decimal(amount))),
        currency=str(source.get("currency") or "").lower(),
        products=frozenset(_list(only.get("products")) if isinstance(only, Mapping) else ()),
    )


def given(source: Json, items: Iterable[Json]) -> CouponsGiven | None:
    """Which coupons a subscription has; None if the read didn't say, since it expanded neither
    the discounts nor the customer. Empty where there are none."""
    found = {str(object_id(item)): _coupons(item.get("discounts")) for item in items}
    found[""] = _coupons(source.get("discounts"))
    if found[""] == []:
        owner = source.get("customer")
        found[""] = _coupons([owner.get("discount")]) if isinstance(owner, Mapping) else None
    if None in found.values():
        return None
    return {name: ids for name, ids in found.items() if ids}


def shown(source: Json, items: Iterable[Json]) -> dict[str, Coupon]:
    """The coupons that a read of a subscription brought along, by id. It doesn't say what they are
    limited to."""
    owner = source.get("customer")
    discounts = [*_list(source.get("discounts"))]
    discounts += [owner.get("discount")] if isinstance(owner, Mapping) else []
    discounts += [discount for item in items for discount in _list(item.get("discounts"))]
    found = [_coupon_of(discount) for discount in discounts]
    return {str(object_id(one)): coupon(one) for one in found if isinstance(one, Mapping)}


def _coupons(discounts: object) -> list[str] | None:
    """The ids of the coupons of discounts, in order; None if the discounts weren't expanded."""
    found = [object_id(_coupon_of(one)) for one in _list(discounts) if one is not None]
    return None if None in found else [one for one in found if one]


def _coupon_of(discount: object) -> object:
    source = discount.get("source") if isinstance(discount, Mapping) else None
    return source.get("coupon") if isinstance(source, Mapping) else None


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def priced(item: Json) -> Priced:
    """What an item costs; nothing where the price isn't one fixed amount, or it is metered."""
    price: Json = item.get("price") or {}
    amount = int(_decimal(price.get("unit_amount")) * _decimal(item.get("quantity")))
    return Priced(
        id=str(object_id(item)),
        stripe_product=object_id(price.get("product")) or "",
        amount=min(_MOST, max(0, amount)),
        currency=str(price.get("currency") or "").lower(),
    )


def taken_off(
    items: Sequence[Priced], given: CouponsGiven, coupons: Mapping[str, Coupon]
) -> dict[str, int]:
    """What the given coupons take off each item in each of its periods."""
    left = {item.id: item.amount for item in items}
    for item in items:
        for name in given.get(item.id, ()):
            _take_off([item], coupons[name], left)
    for name in given.get("", ()):
        _take_off(items, coupons[name], left)
    return {item.id: item.amount - left[item.id] for item in items}


def _take_off(items: Sequence[Priced], coupon: Coupon, left: dict[str, int]) -> None:
    """Take a coupon off what is left of some items: an amount off all of them together."""
    only = coupon.products
    concerned = [item for item in items if not only or item.stripe_product in only]
    if coupon.percent_off:
        for item in concerned:
            share = left[item.id] * coupon.percent_off / 100
            left[item.id] -= int(share.to_integral_value(ROUND_HALF_UP))
        return
    concerned = [item for item in concerned if item.currency == coupon.currency]
    total = sum(left[item.id] for item in concerned)
    off = min(coupon.amount_off, total)
    for item in concerned:
        part = off * left[item.id] // total if total else 0
        total -= left[item.id]
        off -= part
        left[item.id] -= part


def discounted(
    found: Subscription,
    items: Iterable[Json],
    given: CouponsGiven | None,
    coupons: Mapping[str, Coupon],
) -> Subscription:
    """A subscription whose items say what is taken off them: nobody knows where one of the given
    coupons is missing."""
    off: Mapping[str, int] = {}
    known = given is not None and all(name in coupons for ids in given.values() for name in ids)
    if known and given:
        off = taken_off([priced(item) for item in items], given, coupons)
    return replace(
        found,
        items=tuple(
            replace(item, discount=off.get(item.id, 0) if known else None) for item in found.items
        ),
    )


def _decimal(value: object) -> Decimal:
    usual = isinstance(value, int | float) and not isinstance(value, bool)
    number = Decimal(str(value)) if usual else Decimal(0)
    return number if number.is_finite() else Decimal(0)
