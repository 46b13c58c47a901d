"""The form for a new Stripe product: its amount, currency and billing period as they are typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from latchkey.languages import A_, _, written
from latchkey.rules.money import decimals
from web.inputs import NewPrice
from web.numbers import AmbiguousNumberError, decimal

MOST = 99_999_999
INTERVALS = {
    "month": A_("Monthly"),
    "year": A_("Yearly"),
    "week": A_("Weekly"),
    "day": A_("Daily"),
    "": A_("One-time"),
}


@dataclass(frozen=True)
class TypedPrice:
    """What was typed, and the price it stands for: None if a field has an error."""

    values: dict[str, str]
    price: NewPrice | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def asks_for_free(self) -> bool:
        """Whether the form asks if the price is really 0."""
        return "free" in self.errors


EMPTY = TypedPrice({"amount": "", "currency": "USD", "interval": "month"})


def typed_price(fields: Mapping[str, Any]) -> TypedPrice:
    """Read the form. A price of 0 needs `free=yes`: without it, `errors["free"]` asks."""
    values = {name: str(fields.get(name, "")).strip() for name in EMPTY.values}
    currency = values["currency"].upper()
    errors = {}
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        errors["currency"] = _("Enter the three letters of a currency, such as USD.")
    if values["interval"] not in INTERVALS:
        errors["interval"] = _("Choose a billing period.")
    try:
        amount = minor_amount(values["amount"], currency)
    except ValueError as error:
        return TypedPrice(values, errors={"amount": str(error)} | errors)
    if not errors and amount == 0 and fields.get("free") != "yes":
        errors["free"] = _("The amount is 0. Confirm that it's free, or enter another amount.")
    if errors:
        return TypedPrice(values, errors=errors)
    interval = values["interval"] or None
    price = NewPrice.model_validate({"amount": amount, "currency": currency, "interval": interval})
    return TypedPrice(values, price)


def minor_amount(typed: str, currency: str) -> int:
    """An amount in the minor unit, typed in the language in use. Raises `ValueError` with a
    sentence."""
    if not typed:
        raise ValueError(_("Enter an amount, such as 29.00."))
    places = decimals(currency)
    try:
        amount = decimal(typed)
    except AmbiguousNumberError:
        raise ValueError(
            _(
                "“%(typed)s” can be read in two ways. Write thousands without a separator, such"
                " as 1000.",
                typed=typed,
            )
        ) from None
    except ValueError:
        raise ValueError(_("The amount isn't a number. Use a format like 29.00.")) from None
    if -int(amount.as_tuple().exponent) > places:
        raise ValueError(
            _(
                "%(currency)s amounts can't have that many decimal places. Write thousands"
                " without a separator, such as 1000.",
                currency=currency,
            )
        )
    most = Decimal(MOST).scaleb(-places)
    if amount > most:
        raise ValueError(
            _("The amount is too large. It can be %(most)s at most.", most=written(most))
        )
    if amount < 0:
        raise ValueError(_("The amount can't be negative."))
    return int(amount.scaleb(places))
