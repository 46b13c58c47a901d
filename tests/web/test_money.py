"""Amounts in Stripe's minor unit, as output and input."""

import pytest
from starlette.datastructures import FormData

from web.pages.admin.stripe_settings import _wanted
from web.pages.render import money

SHOWN = [
    (1050, "usd", "$10.50"),
    (1050, "EUR", "€10.50"),
    (1050, "jpy", "¥1,050"),
    (1050, "clp", "CLP1,050"),
    (10500, "kwd", "KWD10.500"),
    (500, "isk", "ISK5.00"),
    (500, "ugx", "UGX5.00"),
    (1050, "all", "ALL10.50"),
    (1050, "huf", "HUF10.50"),
]


@pytest.mark.parametrize(("minor", "currency", "text"), SHOWN)
def test_each_currency_has_stripes_decimals(minor: int, currency: str, text: str) -> None:
    assert money(minor, currency) == text


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [("10.50", "usd", 1050), ("1050", "jpy", 1050), ("10.500", "kwd", 10500), ("5", "isk", 500)],
)
def test_typed_amounts_convert_to_the_minor_unit(typed: str, currency: str, minor: int) -> None:
    given = FormData({"choice": "new", "amount": typed, "currency": currency})
    wanted = _wanted(given)
    assert wanted.create is not None
    assert wanted.create.amount == minor


def test_too_many_decimals_for_a_currency_are_refused() -> None:
    with pytest.raises(ValueError, match="that many decimal places"):
        _wanted(FormData({"choice": "new", "amount": "10.5", "currency": "jpy"}))
