"""What mends a subscription that isn't over, in place of buying a second one. Pure."""

from enum import StrEnum

from latchkey.rules.access import PAST_DUE_STATUSES

_WITHOUT_MONEY = frozenset(
    {"first_payment_failure", "final_payment_failure", "trial_end_without_payment_method"}
)
"""Reasons of a pause that another card ends; the others are somebody's wish."""


class Remedy(StrEnum):
    """What the customer can do: give another card, pay what was never paid, resume what is paused,
    or keep what is set to end."""

    CARD = "card"
    FINISH = "finish"
    RESUME = "resume"
    KEEP = "keep"


def remedy(status: str, *, ends: bool, pause_reason: str | None) -> Remedy | None:
    """The remedy of a subscription with this status of Stripe's; None where nothing has to be
    mended, or where it is over. `ends` says whether it is set to end."""
    match status:
        case status if status in PAST_DUE_STATUSES:
            return Remedy.CARD
        case "incomplete":
            return Remedy.FINISH
        case "paused":
            return Remedy.CARD if pause_reason in _WITHOUT_MONEY else Remedy.RESUME
        case "active" | "trialing" if ends:
            return Remedy.KEEP
    return None
