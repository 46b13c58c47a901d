"""The form for a promotion code: what it takes, and what it says to the rest."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.promotions import NewPromotion
from web.pages.admin.promotion_form import empty, typed_promotion


def typed(**changes: str) -> tuple[NewPromotion | None, dict[str, str]]:
    fields = empty(2) | {"new_code": "back20"} | changes
    _, wanted, errors = typed_promotion(fields, currencies=["jpy", "usd"], customer="cus_1")
    return wanted, errors


def test_a_percentage_off_the_first_payment_is_what_the_form_begins_with() -> None:
    wanted, errors = typed()
    assert not errors
    assert wanted is not None
    assert wanted.coupon() == {"name": "BACK20", "duration": "once", "percent_off": 20.0}
    params = wanted.promotion_code("co_1")
    assert (params["code"], params["max_redemptions"]) == ("BACK20", 2)
    assert "customer" not in params
    ends = datetime.fromtimestamp(params["expires_at"], UTC)
    assert timedelta(days=30) < ends - datetime.now(UTC) <= timedelta(days=31)


def test_an_amount_off_some_months_for_one_person() -> None:
    wanted, errors = typed(
        kind="amount", amount="500", currency="jpy", duration="repeating", months="6", only="yes"
    )
    assert not errors
    assert wanted is not None
    assert wanted.coupon() == {
        "name": "BACK20",
        "duration": "repeating",
        "duration_in_months": 6,
        "amount_off": 500,
        "currency": "jpy",
    }
    assert wanted.promotion_code("co_1")["customer"] == "cus_1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"percent": "0"}, "percent"),
        ({"percent": "100.01"}, "percent"),
        ({"percent": "12.345"}, "percent"),
        ({"percent": "NaN"}, "percent"),
        ({"percent": ""}, "percent"),
        ({"kind": "amount", "amount": "5"}, "currency"),
        ({"kind": "amount", "amount": "5", "currency": "eur"}, "currency"),
        ({"kind": "amount", "amount": "0", "currency": "usd"}, "amount"),
        ({"kind": "amount", "amount": "5.001", "currency": "usd"}, "amount"),
        ({"kind": "amount", "amount": "5.5", "currency": "jpy"}, "amount"),
        ({"duration": "always"}, "duration"),
        ({"duration": "repeating", "months": "0"}, "months"),
        ({"duration": "repeating", "months": "61"}, "months"),
        ({"uses": "0"}, "uses"),
        ({"uses": "1000000000000"}, "uses"),
        ({"days": "366"}, "days"),
        ({"days": "soon"}, "days"),
    ],
)
def test_what_isnt_a_discount_says_so_at_its_field(changes: dict[str, str], field: str) -> None:
    wanted, errors = typed(**changes)
    assert wanted is None
    assert list(errors) == [field]


def test_the_same_form_is_the_same_code_and_another_discount_another_one() -> None:
    fields = empty(1)

    def key(**changes: str) -> str:
        _, wanted, _ = typed_promotion(fields | changes, currencies=[], customer=None)
        assert wanted is not None
        assert NewPromotion.read(wanted.text()) == wanted
        return wanted.idempotency_key

    assert key() == key() != key(percent="30")
    assert key() != key(nonce="another")
