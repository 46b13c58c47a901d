"""Why some of the sandbox's responses differ from recorded ones.

The recordings are of older API versions (2025-10-29.clover, 2026-03-25.dahlia, 2026-06-24.dahlia)
and of accounts with their own settings, with which the sandbox is set up (`accounts`). It answers
in each version's shape, so a version explains no difference but that a version isn't spoken;
`changelog` says what it leaves out.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.sandbox.recorded.replay import Difference


@dataclass(frozen=True)
class Rule:
    """A reason for differences, where Stripe says so, and the differences that it explains."""

    name: str
    meaning: str
    address: str
    patterns: tuple[str, ...]


_DOCS = "https://docs.stripe.com"
RULES = (
    Rule(
        "browser",
        "what Stripe.js needs in a browser for 3-D Secure, whose contents Stripe doesn't promise",
        f"{_DOCS}/api/payment_intents/object#payment_intent_object-next_action-use_stripe_sdk",
        ("missing payment_intent.next_action.use_stripe_sdk.*",),
    ),
    Rule(
        "older",
        "a request of an API version before 2024-06-20, which the sandbox refuses",
        f"{_DOCS}/changelog/2024-06-20",
        ("version 2020-08-27",),
    ),
)


def rule(difference: Difference) -> Rule | None:
    """The rule that explains a difference, None if there isn't one."""
    given = f"{difference.what} {difference.where}"
    return next(
        (one for one in RULES if any(fnmatchcase(given, pattern) for pattern in one.patterns)), None
    )


def reason(difference: Difference) -> str | None:
    """The name of the rule that explains a difference, None if there isn't one."""
    found = rule(difference)
    return found.name if found else None


def patterns() -> list[str]:
    """All explained patterns, to find those no longer needed."""
    return [pattern for one in RULES for pattern in one.patterns]
