"""Amounts of money as people read them."""

from typing import Any

from babel.numbers import format_currency, get_currency_precision

from latchkey.rules.money import decimals, in_major_units
from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import ActivityType


def money(amount: int | None, currency: str | None) -> str:
    """An amount in the minor unit, formatted: `€29.00`."""
    if amount is None or not currency:
        return "varying amount"
    code = currency.upper()
    return format_currency(
        in_major_units(amount, code),
        code,
        locale="en",
        currency_digits=decimals(code) == get_currency_precision(code),
    )


def price(entry: Any) -> str:
    """A price with its interval."""
    text = money(entry.unit_amount, entry.currency)
    if not entry.interval:
        return f"{text} once"
    count = entry.interval_count or 1
    period = entry.interval if count == 1 else counted(count, entry.interval)
    return f"{text} every {period}"


_WENT_BACK = {
    ActivityType.REFUNDED: "refunded",
    ActivityType.REFUND_FAILED: "refunded",
    ActivityType.CREDITED: "credited",
    ActivityType.CREDIT_WITHDRAWN: "credited",
}


def line_money(line: Any) -> str:
    """How much of its payment has been given back as of this line of the feed; empty for lines of
    other types, and where nothing says how much. Lines hold the sum of all that was given back."""
    done = _WENT_BACK.get(line.type)
    amount, currency = line.data.get("amount"), line.data.get("currency")
    if done is None or not isinstance(amount, int) or not currency:
        return ""
    if line.type in (ActivityType.REFUNDED, ActivityType.CREDITED):
        return f"{money(amount, currency)} {done} in {'full' if line.data.get('full') else 'part'}"
    return f"{money(amount, currency)} still {done}" if amount else f"Nothing {done} any more"
