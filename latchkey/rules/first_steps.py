"""The first steps of a new site, from email to going live, judged from the facts of the go-live
checklist. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from latchkey.rules import go_live
from latchkey.rules.go_live import GoLiveFacts, GoLiveStep


class FirstStep(StrEnum):
    """The steps, in the order in which they are best taken."""

    MAIL = "mail"
    STRIPE = "stripe"
    WEBHOOK = "webhook"
    PRODUCT = "product"
    PURCHASE = "purchase"
    GO_LIVE = "go-live"


_BY_CHECKLIST = {
    FirstStep.MAIL: GoLiveStep.MAIL,
    FirstStep.STRIPE: GoLiveStep.KEY,
    FirstStep.WEBHOOK: GoLiveStep.WEBHOOK,
    FirstStep.PRODUCT: GoLiveStep.PRODUCT,
    FirstStep.PURCHASE: GoLiveStep.PURCHASE,
}


def done(facts: GoLiveFacts) -> dict[FirstStep, bool]:
    """Whether each step is done, in their order."""
    checklist = go_live.done(facts)
    found = {step: checklist[same] for step, same in _BY_CHECKLIST.items()}
    return {**found, FirstStep.GO_LIVE: all(checklist.values())}


def following(steps: Mapping[FirstStep, bool], step: FirstStep | None = None) -> FirstStep | None:
    """The next step to take after one, or the first; None if no other is left."""
    order = list(FirstStep)
    begin = order.index(step) + 1 if step else 0
    others = [other for other in order[begin:] + order[:begin] if other is not step]
    return next((other for other in others if not steps[other]), None)
