"""The form for a promotion code that invites people back, as it is typed."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from latchkey.languages import A_, _, written
from latchkey.rules.promotions import Duration, NewPromotion
from web.numbers import decimal, number
from web.pages.admin.new_price import minor_amount

CODE = r"[A-Za-z0-9_-]{1,100}"
DURATIONS: dict[Duration, str] = {
    "once": A_("Off the first payment"),
    "repeating": A_("Off the payments of some months"),
    "forever": A_("Off every payment"),
}
MOST_MONTHS, MOST_USES, MOST_DAYS = 60, 10_000, 365
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that aren't taken for each other."""


def empty(uses: int) -> dict[str, str]:
    """A form that nobody has filled in, for so many people. The code can't be guessed."""
    tail = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return {
        "new_code": f"COMEBACK-{tail}",
        "kind": "percent",
        "percent": "20",
        "amount": "",
        "currency": "",
        "duration": "once",
        "months": "3",
        "uses": str(max(uses, 1)),
        "days": "30",
        "only": "",
        "nonce": secrets.token_hex(8),
    }


def typed_promotion(
    fields: Mapping[str, Any], *, currencies: list[str], customer: str | None
) -> tuple[dict[str, str], NewPromotion | None, dict[str, str]]:
    """What was typed, the code that it stands for, and errors by field. `customer` is whom the code
    can be limited to."""
    values = {name: str(fields.get(name, "")).strip() for name in empty(1)}
    errors: dict[str, str] = {}
    percent, amount = None, None
    if values["kind"] == "amount":
        amount = _amount(values, currencies, errors)
    else:
        percent = _percent(values["percent"])
        if percent is None:
            errors["percent"] = _("Enter a percentage over 0 and up to 100, such as 20 or 12.5.")
    numbers = _limits(values, errors)
    if errors:
        return values, None, errors
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = midnight + timedelta(days=numbers["days"] + 1)
    promotion = NewPromotion(
        code=values["new_code"].upper(),
        percent=percent,
        amount=amount,
        currency=None if amount is None else values["currency"],
        duration=values["duration"],  # type: ignore[arg-type]  # it is one of DURATIONS
        months=numbers.get("months"),
        uses=numbers["uses"],
        expires_at=int(ends.timestamp()),
        customer=customer if values["only"] else None,
        nonce=values["nonce"][:32],
    )
    return values, promotion, errors


def _amount(values: dict[str, str], currencies: list[str], errors: dict[str, str]) -> int | None:
    """The amount in the minor unit of its currency."""
    if values["currency"] not in currencies:
        errors["currency"] = _("Choose a currency that these products are sold in.")
        return None
    try:
        amount = minor_amount(values["amount"], values["currency"].upper())
    except ValueError as error:
        errors["amount"] = str(error)
        return None
    if amount == 0:
        errors["amount"] = _("The amount has to be more than 0.")
    return amount


def _limits(values: dict[str, str], errors: dict[str, str]) -> dict[str, int]:
    """How often, for how many days and, if it is for some months, for how many it applies."""
    limits = {"uses": (MOST_USES, _("times")), "days": (MOST_DAYS, _("days"))}
    if values["duration"] == "repeating":
        limits["months"] = (MOST_MONTHS, _("months"))
    elif values["duration"] not in DURATIONS:
        errors["duration"] = _("Choose how long it applies.")
    numbers = {name: number(values[name], digits=6) or 0 for name in limits}
    for name, (most, unit) in limits.items():
        if not 1 <= numbers[name] <= most:
            errors[name] = _(
                "Enter a whole number from 1 to %(most)s %(unit)s.", most=written(most), unit=unit
            )
    return numbers


def _percent(typed: str) -> float | None:
    """A percentage with at most two decimals, None for anything else."""
    try:
        found = decimal(typed)
    except ValueError:
        return None
    if not 0 < found <= 100 or found != round(found, 2):
        return None
    return float(found)
