"""Amounts in Stripe's minor unit, as output and input."""

import pytest

from web.pages.admin.new_price import typed_price
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
    read = typed_price({"amount": typed, "currency": currency})
    assert read.price is not None
    assert read.price.amount == minor
    assert not read.errors


@pytest.mark.parametrize(
    ("amount", "currency", "field", "sentence"),
    [
        ("10.5", "jpy", "amount", "that many decimal places"),
        ("-5", "usd", "amount", "can't be negative"),
        ("", "usd", "amount", "Enter an amount"),
        ("five", "usd", "amount", "isn't a number"),
        ("1000000", "usd", "amount", "999,999.99 at most"),
        ("5", "us", "currency", "three letters"),
        ("5", "€€€", "currency", "three letters"),
        ("0", "usd", "free", "The amount is 0"),
        ("-0.00", "usd", "free", "The amount is 0"),
    ],
)
def test_each_error_belongs_to_its_field_and_what_was_typed_stays(
    amount: str, currency: str, field: str, sentence: str
) -> None:
    read = typed_price({"amount": amount, "currency": currency, "interval": "year"})
    assert read.price is None
    assert list(read.errors) == [field]
    assert sentence in read.errors[field]
    assert read.values == {"amount": amount, "currency": currency, "interval": "year"}


def test_a_price_of_0_is_created_once_it_is_confirmed() -> None:
    read = typed_price({"amount": "0", "currency": "usd", "interval": "month", "free": "yes"})
    assert read.price is not None
    assert read.price.amount == 0
