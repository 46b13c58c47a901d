"""What coupons that last forever take off a subscription's items."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules import discounts
from latchkey.rules.discounts import Coupon, Priced

FOREVER = {"duration": "forever"}
COUPONS: dict[str, dict[str, Any]] = {
    "half": {**FOREVER, "percent_off": 50},
    "third": {**FOREVER, "percent_off": 33.33},
    "all": {**FOREVER, "percent_off": 100.0},
    "five": {**FOREVER, "amount_off": 500, "currency": "eur"},
    "dollars": {**FOREVER, "amount_off": 500, "currency": "usd"},
    "course": {**FOREVER, "percent_off": 10, "applies_to": {"products": ["prod_a"]}},
    "once": {"duration": "once", "percent_off": 50},
    "months": {"duration": "repeating", "duration_in_months": 3, "amount_off": 500},
}


def item(
    name: str, amount: Any = 1000, *, product: str = "prod_a", quantity: Any = 1, **more: Any
) -> dict[str, Any]:
    price = {"id": f"price_{name}", "product": product, "unit_amount": amount, "currency": "eur"}
    return {"id": name, "price": price, "quantity": quantity, **more}


def discount(coupon: Any) -> dict[str, Any]:
    return {"id": f"di_{coupon}", "source": {"type": "coupon", "coupon": coupon}}


def read(
    items: list[dict[str, Any]], own: Any = (), *, of_customer: str | None = None
) -> Mapping[str, int] | None:
    """What is taken off each item, read from Stripe's format; None if the read doesn't say."""
    owner = {"id": "cus_1", "discount": discount(of_customer) if of_customer else None}
    source = {"customer": owner, "discounts": [discount(name) for name in own]}
    given = discounts.given(source, items)
    coupons = {name: discounts.coupon(coupon) for name, coupon in COUPONS.items()}
    priced = [discounts.priced(one) for one in items]
    return None if given is None else discounts.taken_off(priced, given, coupons)


@pytest.mark.parametrize(
    ("own", "off"),
    [
        ([], 0),
        (["half"], 500),
        (["third"], 333),
        (["all", "five"], 1000),
        (["five"], 500),
        (["five", "five", "five"], 1000),
        (["half", "five"], 1000),
        (["five", "half"], 750),
        (["half", "half"], 750),
        (["dollars"], 0),
        (["course"], 100),
        (["once"], 0),
        (["months", "half"], 500),
    ],
)
def test_coupons_that_last_forever_take_off_what_is_left_one_after_another(
    own: list[str], off: int
) -> None:
    assert read([item("si_1")], own) == {"si_1": off}


def test_an_amount_off_is_shared_by_all_items_and_lost_on_none() -> None:
    items = [item("si_1", 1000), item("si_2", 333), item("si_3", 0), item("si_4", 1)]
    off = read(items, ["five"])
    assert off == {"si_1": 374, "si_2": 125, "si_3": 0, "si_4": 1}
    assert sum(off.values()) == 500


def test_a_coupon_that_is_limited_to_products_takes_nothing_off_others() -> None:
    items = [item("si_1"), item("si_2", product="prod_b")]
    assert read(items, ["course"]) == {"si_1": 100, "si_2": 0}


def test_discounts_of_an_item_count_before_those_of_the_subscription() -> None:
    items = [item("si_1", discounts=[discount("five")]), item("si_2")]
    assert read(items, ["half"]) == {"si_1": 750, "si_2": 500}


def test_a_customers_discount_counts_where_the_subscription_has_none() -> None:
    assert read([item("si_1")], of_customer="half") == {"si_1": 500}
    assert read([item("si_1")], ["five"], of_customer="all") == {"si_1": 500}
    assert read([item("si_1")], ["once"], of_customer="all") == {"si_1": 0}


@pytest.mark.parametrize("amount", [None, -5, "1000", float("nan"), float("inf")])
@pytest.mark.parametrize("quantity", [None, 0, -1])
def test_what_has_no_fixed_amount_has_nothing_taken_off(amount: Any, quantity: Any) -> None:
    assert read([item("si_1", amount)], ["five"]) == {"si_1": 0}
    assert read([item("si_1", quantity=quantity)], ["five"]) == {"si_1": 0}


def test_discounts_that_were_not_expanded_are_not_known() -> None:
    plain = [item("si_1")]
    assert discounts.given({"customer": "cus_1", "discounts": []}, plain) is None
    assert discounts.given({"customer": {"id": "cus_1"}, "discounts": ["di_1"]}, plain) is None
    own = {"customer": "cus_1", "discounts": [discount("half")]}
    assert discounts.given(own, plain) == {"": ["half"]}
    assert discounts.given(own, [item("si_1", discounts=["di_2"])]) is None
    assert discounts.given({"customer": {"id": "cus_1", "deleted": True}}, plain) == {}


@pytest.mark.parametrize("odd", [5, "x", None, [], {}, {"source": 5}, {"source": {"coupon": 7}}])
def test_odd_data_is_not_known_or_takes_nothing_off(odd: Any) -> None:
    source = {"customer": {"id": "cus_1", "discount": odd}, "discounts": odd}
    items = [item("si_1", discounts=odd), item("si_2", discounts=[odd])]
    assert discounts.given(source, items) in (None, {})
    assert discounts.shown(source, items) == {}
    assert discounts.coupon({**FOREVER, "percent_off": [odd], "applies_to": odd}) == Coupon()
    assert discounts.coupon({"duration": odd, "percent_off": 50}) == Coupon()


AMOUNTS = st.integers(0, 10**6)
TAKEN = st.lists(st.sampled_from(sorted(COUPONS)), max_size=4)


@given(amounts=st.lists(AMOUNTS, min_size=1, max_size=4), own=TAKEN)
def test_what_is_taken_off_is_what_plain_arithmetic_says(
    amounts: list[int], own: list[str]
) -> None:
    """Within what rounding each step may change, and never more than there is."""
    found = discounts.taken_off(
        [Priced(str(n), "prod_a", amount, "eur") for n, amount in enumerate(amounts)],
        {"": own},
        {name: discounts.coupon(COUPONS[name]) for name in own},
    )
    left = Fraction(sum(amounts))
    for name in own:
        coupon = COUPONS[name]
        if coupon["duration"] == "forever":
            left -= left * Fraction(str(coupon.get("percent_off", 0))) / 100
            eur = coupon.get("currency") == "eur"
            left = max(Fraction(0), left - (coupon["amount_off"] if eur else 0))
    assert all(0 <= found[str(n)] <= amount for n, amount in enumerate(amounts))
    assert abs(sum(found.values()) - (sum(amounts) - left)) <= len(amounts) * len(own)
