"""The groups of users that the dashboard counts and the list of users can be filtered by, each
defined once."""

from enum import StrEnum

from latchkey.rules.access import LIVE_STATUSES, PAST_DUE_STATUSES


class StandingGroup(StrEnum):
    """Who has any access, whose access ends within 14 days, who has a subscription that isn't over,
    and who has one with a payment problem."""

    ACCESS = "access"
    ENDING = "ending"
    SUBSCRIBED = "subscribed"
    PAYMENT_PROBLEM = "payment_problem"


def users_in(group: StandingGroup) -> str:
    """SQL that selects the ids of a group's users, possibly repeated."""
    match group:
        case StandingGroup.ACCESS:
            return "select user_id from live_grants"
        case StandingGroup.ENDING:
            return (
                "select user_id from live_grants"
                " where until > now() and until < now() + interval '14 days'"
            )
        case StandingGroup.SUBSCRIBED:
            return _subscribers(LIVE_STATUSES)
        case StandingGroup.PAYMENT_PROBLEM:
            return _subscribers(PAST_DUE_STATUSES)


def _subscribers(statuses: frozenset[str]) -> str:
    listed = ", ".join(f"'{status}'" for status in sorted(statuses))
    return f"select user_id from subscriptions where status in ({listed}) and user_id is not null"
