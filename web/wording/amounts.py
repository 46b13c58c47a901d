"""Amounts of money as people read them."""

from datetime import datetime
from typing import Any

from babel.numbers import format_currency, get_currency_precision
from markupsafe import Markup

from latchkey.languages import _, current, ngettext
from latchkey.rules.money import decimals, in_major_units
from latchkey.rules.vocabulary import ActivityType
from web.wording.times import when


def money(amount: int | None, currency: str | None) -> str:
    """An amount in the minor unit, formatted: `€29.00`."""
    if amount is None or not currency:
        return _("varying amount")
    code = currency.upper()
    return format_currency(
        in_major_units(amount, code),
        code,
        locale=current().locale,
        currency_digits=decimals(code) == get_currency_precision(code),
    )


def price(entry: Any) -> str:
    """A price with its interval."""
    text = money(entry.unit_amount, entry.currency)
    if not entry.interval:
        return _("%(amount)s once", amount=text)
    count = entry.interval_count or 1
    match entry.interval:
        case "day":
            return ngettext(
                "%(amount)s every day", "%(amount)s every %(count)s days", count, amount=text
            )
        case "week":
            return ngettext(
                "%(amount)s every week", "%(amount)s every %(count)s weeks", count, amount=text
            )
        case "month":
            return ngettext(
                "%(amount)s every month", "%(amount)s every %(count)s months", count, amount=text
            )
        case _:
            return ngettext(
                "%(amount)s every year", "%(amount)s every %(count)s years", count, amount=text
            )


_WENT_BACK = {
    ActivityType.REFUNDED: "refunded",
    ActivityType.REFUND_FAILED: "refunded",
    ActivityType.CREDITED: "credited",
    ActivityType.CREDIT_WITHDRAWN: "credited",
}


_DISPUTED = {
    "needs_response": "{amount} disputed",
    "under_review": "{amount} disputed, under review by the bank",
    "appeal_needs_response": "{amount} disputed, appeal possible",
    "appeal_under_review": "{amount} disputed, appeal under review",
    "warning_needs_response": "The bank asks about {amount}",
    "warning_under_review": "The bank asks about {amount}, answer under review",
    "warning_closed": "The bank asked about {amount}; it was not disputed",
    "prevented": "Dispute about {amount} prevented",
    "won": "Dispute about {amount} won",
    "lost": "{amount} lost in a dispute",
}
"""By a dispute's status in Stripe; any other is shown as it is."""


def line_money(line: Any) -> str:
    """How much of its payment has been given back or is disputed as of this line of the feed; empty
    for lines of other types, and where nothing says how much. Lines hold the sum of all that was
    given back."""
    amount, currency = line.data.get("amount"), line.data.get("currency")
    if not isinstance(amount, int) or not currency:
        return ""
    if line.type == ActivityType.DISPUTED:
        return _disputed(money(amount, currency), line.data)
    done = _WENT_BACK.get(line.type)
    if done is None:
        return ""
    if line.type in (ActivityType.REFUNDED, ActivityType.CREDITED):
        return f"{money(amount, currency)} {done} in {'full' if line.data.get('full') else 'part'}"
    return f"{money(amount, currency)} still {done}" if amount else f"Nothing {done} any more"


def _disputed(amount: str, data: dict[str, Any]) -> str:
    """What is disputed, and by when the bank wants the evidence, as long as it does."""
    status, due = str(data.get("status")), data.get("evidence_due")
    known = _DISPUTED.get(status)
    said = known.format(amount=amount) if known else f"{amount} disputed: {status}"
    if not due or not status.endswith("needs_response"):
        return said
    return Markup("{}; evidence is due by {}").format(said, when(datetime.fromisoformat(due)))
