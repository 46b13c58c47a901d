"""What mends a subscription that isn't over, in place of buying a second one. Pure."""

from enum import StrEnum

from latchkey.rules.access import PAST_DUE_STATUSES

_BY_CARD = frozenset({"first_payment_failure", "final_payment_failure"})
"""Reasons of a pause that another card ends; the others are somebody's wish."""

_NO_CARD = "trial_end_without_payment_method"

BY_CARD = ("card", "add_card", "finish")
"""The remedies for which the billing portal asks for a card at once."""


class Remedy(StrEnum):
    """What the customer can do: give another card, or a first one, pay what was never paid, resume
    what is paused, or keep what is set to end."""

    CARD = "card"
    ADD_CARD = "add_card"
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
        case "paused" if pause_reason == _NO_CARD:
            return Remedy.ADD_CARD
        case "paused":
            return Remedy.CARD if pause_reason in _BY_CARD else Remedy.RESUME
        case "active" | "trialing" if ends:
            return Remedy.KEEP
    return None
