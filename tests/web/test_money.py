"""Amounts in Stripe's minor unit, as output and input."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from latchkey import languages
from latchkey.languages import LANGUAGES, Language
from tests.harness import Latchkey
from tests.web.pages import visit
from web.numbers import AmbiguousNumberError, decimal
from web.pages.admin.new_price import typed_price
from web.wording.amounts import line_money, money

EURO = {"amount": 1050, "currency": "eur"}
DUE = "2026-12-09T23:59:59+00:00"
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
    ("type_", "data", "text"),
    [
        ("refunded", {"amount": 1050, "currency": "eur", "full": False}, "€10.50 refunded in part"),
        ("refunded", {"amount": 1050, "currency": "jpy", "full": True}, "¥1,050 refunded in full"),
        ("refund_failed", {"amount": 0, "currency": "usd"}, "Nothing refunded any more"),
        ("refund_failed", {"amount": 500, "currency": "usd"}, "$5.00 still refunded"),
        (
            "credited",
            {"amount": 10500, "currency": "kwd", "full": True},
            "KWD10.500 credited in full",
        ),
        ("credit_withdrawn", {"amount": 500, "currency": "isk"}, "ISK5.00 still credited"),
        ("refunded", {"amount": 500}, ""),
        ("refunded", {"amount": "500", "currency": "usd"}, ""),
        ("disputed", {"status": "lost"}, ""),
        ("disputed", {"status": "lost", **EURO, "evidence_due": DUE}, "€10.50 lost in a dispute"),
        ("disputed", {"status": "won", **EURO}, "Dispute about €10.50 won"),
        (
            "disputed",
            {"status": "under_review", **EURO, "evidence_due": DUE},
            "€10.50 disputed, under review by the bank",
        ),
        ("disputed", {"status": "needs_response", **EURO, "evidence_due": None}, "€10.50 disputed"),
        ("disputed", {"status": "<{b}>", **EURO}, "€10.50 disputed: <{b}>"),
        ("access_granted", {"amount": 500, "currency": "usd"}, ""),
    ],
)
def test_lines_of_the_feed_say_how_much_went_back(
    type_: str, data: dict[str, Any], text: str
) -> None:
    assert line_money(SimpleNamespace(type=type_, data=data)) == text


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("10.50", "usd", 1050),
        ("10,5", "eur", 1050),
        ("1050", "jpy", 1050),
        ("10.500", "kwd", 10500),
        ("5", "isk", 500),
        ("1,500.00", "usd", 150000),
        ("1.500,00", "eur", 150000),
        ("1 500", "eur", 150000),
        ("1\u202f500,5", "eur", 150050),
        ("12'500.00", "chf", 1250000),
        ("0,500", "kwd", 500),
    ],
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
        ("1,000", "usd", "amount", "thousands without a separator"),
        ("1.000", "eur", "amount", "thousands without a separator"),
        ("1.000", "jpy", "amount", "thousands without a separator"),
        ("1,00.00", "usd", "amount", "isn't a number"),
        ("1.000.00", "usd", "amount", "isn't a number"),
        ("1,0000.00", "usd", "amount", "isn't a number"),
        ("1,500", "kwd", "amount", "read in two ways"),
        ("1_000", "usd", "amount", "isn't a number"),
        ("1e3", "usd", "amount", "isn't a number"),
        ("nan", "usd", "amount", "isn't a number"),
        ("9" * 400, "usd", "amount", "999,999.99 at most"),
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


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("15,00", "eur", 1500),
        ("15.00", "eur", 1500),
        ("1.500,00", "eur", 150000),
        ("1,500.00", "eur", 150000),
        ("1.500", "eur", None),
        ("1.500", "kwd", None),
        ("1,500", "kwd", 1500),
        ("1,500", "eur", None),
        ("0.500", "kwd", 500),
    ],
)
def test_in_german_a_comma_stands_before_decimals_and_a_point_may(
    typed: str, currency: str, minor: int | None
) -> None:
    with languages.using(LANGUAGES["de"]):
        read = typed_price({"amount": typed, "currency": currency})
    assert (read.price and read.price.amount) == minor
    assert list(read.errors) == ([] if minor else ["amount"])


@given(st.integers(0, 99_999_999), st.sampled_from(list(LANGUAGES.values())))
def test_what_a_language_writes_is_read_as_that_or_refused(cents: int, language: Language) -> None:
    amount = Decimal(cents).scaleb(-2)
    with languages.using(language):
        shown = format_decimal(amount, "#,##0.00", language.locale, numbering_system="latn")
        assert decimal(shown) == amount
        whole = format_decimal(cents, "#,##0", language.locale, numbering_system="latn")
        try:
            assert decimal(whole) == cents
        except AmbiguousNumberError:
            assert 1000 <= cents < 1_000_000


def test_a_price_of_0_is_created_once_it_is_confirmed() -> None:
    read = typed_price({"amount": "0", "currency": "usd", "interval": "month", "free": "yes"})
    assert read.price is not None
    assert read.price.amount == 0


@pytest.mark.anyio
async def test_the_feed_shows_them(shared: Latchkey) -> None:
    disputed = {"status": "warning_needs_response", "evidence_due": DUE}
    lines = [
        await shared.pool.fetchval(
            """
            insert into activities (fact, type, at, cause, source_id, data)
            values ($1 || ':shown', $1, now(), 'stripe', 'cs_shown', $2) returning id
            """,
            type_,
            {**EURO, **data},
        )
        for type_, data in (
            ("refunded", {"full": False, "invoice": "in_1"}),
            ("disputed", disputed),
        )
    ]
    feed = "/admin/activity?q=cs_shown"
    shown = [
        "€10.50 refunded in part",
        f'The bank asks about €10.50; evidence is due by <time datetime="{DUE}"',
    ]
    async with visit(shared) as admin:
        await admin.sign_in()
        for words, line in zip(shown, lines, strict=True):
            for path in (feed, f"/admin/activity/{line}"):
                text = (await admin.get(path)).text
                assert words in text, path
                assert "1050" not in text, path
                assert "warning_needs_response" not in text, path
