"""The status of a grant or subscription: one sentence, and the tone of its badge."""

from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from latchkey.languages import A_, _
from latchkey.rules.vocabulary import GrantSource, Risk, SubscriptionPhase
from web.wording import labels
from web.wording.labels import inside
from web.wording.times import day, late, when

Standing = tuple[Markup, str]
_ENDED_BY = {
    "customer": A_("cancelled by the customer"),
    "portal": A_("cancelled in the billing portal"),
    "admin": A_("cancelled by an admin"),
    "stripe": A_("cancelled in Stripe"),
}
_BY = {
    "customer": A_("by the customer"),
    "portal": A_("in the billing portal"),
    "admin": A_("by an admin"),
    "stripe": A_("in Stripe"),
}


def standing(member: Any) -> Standing:
    """The sentence and its tone (good, warn, bad or nothing) for a `members.Membership`."""
    if member.ended_at is not None:
        reason = labels.reason(member.end_reason) if member.end_reason else _("unknown reason")
        ended = _say(_("Ended on {}: {}"), day(member.ended_at), inside(reason))
        if late(member.ended_at, member.due_at):
            ended += _say(" {}", _say(_("(due on {})"), when(member.due_at)))
        return ended, ""
    if member.until is not None and member.until <= datetime.now(UTC):
        return _say(_("Ended on {}"), day(member.until)), ""
    match member.source:
        case GrantSource.SUBSCRIPTION:
            return _subscription(member)
        case GrantSource.ORDER:
            if member.until:
                return _say(_("One-time purchase, ends on {}"), day(member.until)), "warn"
            return _say(_("One-time purchase, no end date")), "good"
        case GrantSource.COLLECTION:
            text = _("Through a collection")
        case GrantSource.PRODUCT:
            text = _say(_("Through {}"), member.opened_by or _("another product"))
        case _:
            text = _("Complimentary")
    if member.until:
        return _say(_("{}, ends on {}"), text, day(member.until)), "warn"
    return _say("{}", text), "good"


def subscription(row: Any) -> Standing:
    """The sentence and its tone for a `profile.UserSubscription` or a `ListedSubscription`."""
    why = _ENDED_BY.get(row.cancelled_by or "", _("cancelled"))
    ends = _say(_(", ends on {}: {}"), day(row.scheduled_end), why) if row.scheduled_end else ""
    match row.phase:
        case SubscriptionPhase.ENDED:
            return _say(_("Ended on {}"), day(row.ended_at)) if row.ended_at else _say(
                _("Ended")
            ), ""
        case SubscriptionPhase.PAYMENT_PROBLEM if row.past_due_since:
            return _say(
                "{}{}", _say(_("Payment problem since {}"), day(row.past_due_since)), ends
            ), "bad"
        case SubscriptionPhase.PAYMENT_PROBLEM:
            return _say("{}{}", _("Payment problem"), ends), "bad"
        case SubscriptionPhase.ENDING:
            return _say("{}{}", _("Active"), ends), "warn"
        case SubscriptionPhase.TRIALING:
            return _say(_("On trial until {}"), day(row.trial_end)), "good"
        case SubscriptionPhase.ACTIVE if row.period_end:
            return _say(_("Active, next payment on {}"), day(row.period_end)), "good"
        case SubscriptionPhase.ACTIVE:
            return _say(_("Active")), "good"
        case SubscriptionPhase.OTHER:
            return _say("{}", labels.plain(row.status)), "warn"
    return _say("{}{}", labels.SUBSCRIPTION_PHASES[row.phase], ends), "warn"


def risk(row: Any) -> Standing:
    """Why money is at risk, and the tone, for an `at_risk.MoneyAtRisk`."""
    match row.kind:
        case Risk.GRACE if row.ends_at:
            return _say(
                _("Payment failed on {}, access until {}"), day(row.at), day(row.ends_at)
            ), "bad"
        case Risk.GRACE:
            return _say(_("Payment failed on {}, access goes on"), day(row.at)), "bad"
        case Risk.PAST_DUE:
            return _say(_("Payment failed on {}, no access"), day(row.at)), "bad"
        case Risk.CARD if row.card_expires <= datetime.now(UTC):
            return _say(_("Card expired, next bill on {}"), day(row.ends_at)), "warn"
        case Risk.CARD:
            last = row.card_expires - timedelta(days=1)
            return _say(
                _("Card expires on {}, next bill on {}"), day(last), day(row.ends_at)
            ), "warn"
        case Risk.ENDING:
            return _say(_("Cancelled on {}, ends on {}"), day(row.at), day(row.ends_at)), "warn"
    return _say(_("Disputed")), "bad"


def ended_by(row: Any) -> str:
    """Who cancelled a subscription, for a `cancellation_list.Cancellation`; empty where nothing
    says so."""
    return _BY.get(row.cancelled_by or "", "")


def purchase(row: Any) -> tuple[str, str]:
    """Where the money of a `profile.UserOrder` or an `account.OwnOrder` is, in words, and the
    tone."""
    return labels.money_state(row.money_state)


def _subscription(member: Any) -> Standing:
    if member.scheduled_end:
        why = _ENDED_BY.get(member.cancelled_by or "", _("the subscription was cancelled"))
        return _say(_("Ends on {}: {}"), day(member.scheduled_end), why), "warn"
    if member.status in ("past_due", "unpaid"):
        if member.until:
            return _say(_("Payment problem: access until {}"), day(member.until)), "bad"
        return _say(_("Payment problem")), "bad"
    if member.status == "trialing" and member.trial_end:
        return _say(_("On trial until {}"), day(member.trial_end)), "good"
    if member.until:
        return _say(_("Ends on {}"), day(member.until)), "warn"
    if member.period_end and member.status == "active":
        return _say(_("Subscribed, next payment on {}"), day(member.period_end)), "good"
    return _say(_("Subscribed")), "good"


def _say(sentence: str, *parts: object) -> Markup:
    return Markup(sentence).format(*parts)
