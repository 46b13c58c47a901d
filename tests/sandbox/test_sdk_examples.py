"""Stripe's generated SDK examples: each call about billing is answered as Stripe would."""

from pathlib import Path

from bench import sdk_examples
from tests.harness import Stripe

PROPER = {
    "POST /v1/checkout/sessions",
    "GET /v1/credit_notes/preview/lines",
    "POST /v1/invoiceitems",
    "POST /v1/payment_intents",
    "POST /v1/payment_intents/{intent}/verify_microdeposits",
    "POST /v1/payouts",
    "POST /v1/payouts/{payout}/reverse",
    "POST /v1/refunds/{refund}/cancel",
    "POST /v1/setup_intents/{setup_intent}/verify_microdeposits",
    "DELETE /v1/subscription_items/{item}",
    "POST /v1/test_helpers/test_clocks/{clock}/advance",
}
"""Examples that Stripe refuses too as they stand: they lack a parameter, pay dollars by Przelewy24,
or ask for what the state of the object doesn't allow."""
EXPIRED = {"POST /v1/payment_methods", "POST /v1/tokens"}
"""Examples with a card that has expired since they were written."""
UNPLAYED = {"GET /v1/quotes/{quote}/pdf"}
"""What the sandbox refuses by name."""


def test_every_example_is_answered_as_stripe_would(stripe: Stripe) -> None:
    counts, notes = sdk_examples.count(stripe.url)
    outcomes = {tuple(note.split(": ", 1)[0].split(" ", 1)) for note in notes}
    expected = {"400": PROPER, "402": EXPIRED, "unsupported": UNPLAYED}
    assert outcomes == {(kind, call) for kind, calls in expected.items() for call in calls}
    assert counts == {"200": 207, "400": 13, "402": 2, "unsupported": 1}
    refused = counts["400"] + counts["402"]
    told = f"of {sum(counts.values())}, {counts['200']} answer 200, {refused} are refused"
    assert told in " ".join(Path("docs/sandbox.md").read_text().split())
