"""Amounts of money as people read them."""

from datetime import datetime
from typing import Any

from babel.numbers import format_currency, get_currency_precision
from markupsafe import Markup

from latchkey.languages import A_, _, current, ngettext
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
    (ActivityType.REFUNDED, True): A_("{amount} refunded in full"),
    (ActivityType.REFUNDED, False): A_("{amount} refunded in part"),
    (ActivityType.CREDITED, True): A_("{amount} credited in full"),
    (ActivityType.CREDITED, False): A_("{amount} credited in part"),
    (ActivityType.REFUND_FAILED, True): A_("{amount} still refunded"),
    (ActivityType.REFUND_FAILED, False): A_("Nothing refunded any more"),
    (ActivityType.CREDIT_WITHDRAWN, True): A_("{amount} still credited"),
    (ActivityType.CREDIT_WITHDRAWN, False): A_("Nothing credited any more"),
}
"""By type, and whether all of it went back, or whether anything still has."""


_DISPUTED = {
    "needs_response": A_("{amount} disputed"),
    "under_review": A_("{amount} disputed, under review by the bank"),
    "appeal_needs_response": A_("{amount} disputed, appeal possible"),
    "appeal_under_review": A_("{amount} disputed, appeal under review"),
    "warning_needs_response": A_("The bank asks about {amount}"),
    "warning_under_review": A_("The bank asks about {amount}, answer under review"),
    "warning_closed": A_("The bank asked about {amount}; it was not disputed"),
    "prevented": A_("Dispute about {amount} prevented"),
    "won": A_("Dispute about {amount} won"),
    "lost": A_("{amount} lost in a dispute"),
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
    withdrawn = line.type in (ActivityType.REFUND_FAILED, ActivityType.CREDIT_WITHDRAWN)
    said = _WENT_BACK.get((line.type, bool(amount if withdrawn else line.data.get("full"))))
    return said.format(amount=money(amount, currency)) if said else ""


def _disputed(amount: str, data: dict[str, Any]) -> str:
    """What is disputed, and by when the bank wants the evidence, as long as it does."""
    status, due = str(data.get("status")), data.get("evidence_due")
    known = _DISPUTED.get(status)
    said = (
        known.format(amount=amount)
        if known
        else A_("%(amount)s disputed: %(status)s", amount=amount, status=status)
    )
    if not due or not status.endswith("needs_response"):
        return said
    return Markup(A_("{}; evidence is due by {}")).format(said, when(datetime.fromisoformat(due)))
