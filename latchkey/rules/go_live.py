"""What a site needs before members rely on it, judged from facts. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from latchkey.rules.public_address import AddressFinding, AddressState

CLOCK_TOLERANCE = timedelta(seconds=5)
"""Stripe's signatures allow five minutes; ends of access are to the second."""


class GoLiveStep(StrEnum):
    """The steps, in the order in which they are best taken."""

    HTTPS = "https"
    ADDRESS = "address"
    MAIL = "mail"
    FACTORS = "factors"
    SECRET = "secret"
    BACKUP = "backup"
    CLOCK = "clock"
    KEY = "key"
    WEBHOOK = "webhook"
    PORTAL = "portal"
    PRODUCT = "product"
    PURCHASE = "purchase"
    MODE = "mode"


CONFIRMED = (GoLiveStep.SECRET,)
"""Steps that only a person can tell the end of."""


@dataclass(frozen=True)
class GoLiveFacts:
    """`mail_tested`: the server that is set accepted a test email. `missing` counts permissions
    that the key lacks, `without_factor` people on the team. `heard`: an event has arrived since
    Stripe was connected. `portal_linked`: members don't see the portal, or it links to the privacy
    policy and the terms. `backed_up`: a backup is younger than the settings ask for, or they say
    that other means make them. `clock_off` is how far the clock is from the database's, or behind
    Stripe's. `address` is what was last found at the public URL, if it was looked at."""

    https: bool
    mail_tested: bool
    without_factor: int
    backed_up: bool
    clock_off: timedelta
    connected: bool
    missing: int
    endpoint_problems: int
    heard: bool
    portal_linked: bool
    linked: bool
    bought: bool
    livemode: bool
    confirmed: frozenset[GoLiveStep] = frozenset()
    address: AddressFinding | None = None


def done(facts: GoLiveFacts) -> dict[GoLiveStep, bool]:
    """Whether each step is done, in their order."""
    found = {
        GoLiveStep.HTTPS: facts.https,
        GoLiveStep.ADDRESS: facts.address is not None and facts.address.state is AddressState.HERE,
        GoLiveStep.MAIL: facts.mail_tested,
        GoLiveStep.FACTORS: facts.without_factor == 0,
        GoLiveStep.SECRET: GoLiveStep.SECRET in facts.confirmed,
        GoLiveStep.BACKUP: facts.backed_up,
        GoLiveStep.CLOCK: facts.clock_off <= CLOCK_TOLERANCE,
        GoLiveStep.KEY: facts.connected and facts.missing == 0,
        GoLiveStep.WEBHOOK: facts.connected and facts.endpoint_problems == 0 and facts.heard,
        GoLiveStep.PORTAL: facts.portal_linked,
        GoLiveStep.PRODUCT: facts.linked,
        GoLiveStep.PURCHASE: facts.bought,
        GoLiveStep.MODE: facts.connected and facts.livemode,
    }
    return {step: found[step] for step in GoLiveStep}
