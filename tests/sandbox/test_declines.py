"""Declined cards: what the error, the payment intent and the charge say."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import refused

pytestmark = pytest.mark.anyio


async def decline(stripe: Stripe, card: str) -> Json:
    """The error of a confirmed payment with a card that is declined."""
    return await refused(
        stripe, "payment_intents", amount=100, currency="eur", payment_method=card, confirm=True
    )


@pytest.mark.parametrize(
    ("card", "codes"),
    [
        ("chargeDeclined", ("card_declined", "generic_decline", "try_again_later", None, "01")),
        (
            "visa_chargeDeclinedInsufficientFunds",
            ("card_declined", "insufficient_funds", "try_again_later", "02", "51"),
        ),
        (
            "visa_chargeDeclinedStolenCard",
            ("card_declined", "stolen_card", "do_not_try_again", "01", "43"),
        ),
        (
            "visa_chargeDeclinedVelocityLimitExceeded",
            ("card_declined", "card_velocity_exceeded", "try_again_later", "02", "61"),
        ),
        (
            "chargeDeclinedExpiredCard",
            ("expired_card", "expired_card", "confirm_card_data", "03", "54"),
        ),
        (
            "chargeDeclinedIncorrectCvc",
            ("incorrect_cvc", "incorrect_cvc", "confirm_card_data", "03", "N7"),
        ),
        (
            "chargeDeclinedProcessingError",
            ("processing_error", "processing_error", "try_again_later", None, "06"),
        ),
    ],
)
async def test_a_decline_names_its_codes(
    stripe: Stripe, card: str, codes: tuple[str | None, ...]
) -> None:
    error = await decline(stripe, f"pm_card_{card}")
    names = (
        "code",
        "decline_code",
        "advice_code",
        "network_advice_code",
        "network_decline_code",
    )
    assert tuple(error.get(name) for name in names) == codes
    kept = error["payment_intent"]["last_payment_error"]
    assert tuple(kept.get(name) for name in names) == codes
    assert kept["payment_method"] == error["payment_method"]
    assert kept["doc_url"] == error["doc_url"]
    assert kept.get("param") == error.get("param")
    charge = await stripe.get(f"charges/{error['charge']}")
    assert charge["outcome"]["type"] == "issuer_declined"
    assert charge["outcome"]["reason"] == codes[1]
    assert charge["outcome"]["network_decline_code"] == codes[4]


async def test_a_payment_that_is_too_risky_is_blocked(stripe: Stripe) -> None:
    error = await decline(stripe, "pm_card_chargeDeclinedFraudulent")
    outcome = (await stripe.get(f"charges/{error['charge']}"))["outcome"]
    assert (outcome["type"], outcome["reason"]) == ("blocked", "highest_risk_level")
    assert (outcome["risk_level"], outcome["network_status"]) == ("highest", "not_sent_to_network")


async def test_reading_a_test_id_makes_a_payment_method(stripe: Stripe) -> None:
    first, second = [await stripe.get("payment_methods/pm_card_discover") for _ in range(2)]
    assert first["id"] != second["id"]
    assert (first["card"]["brand"], first["card"]["last4"]) == ("discover", "1117")
    assert (await stripe.get(f"payment_methods/{first['id']}"))["id"] == first["id"]
    missing = await stripe.client.get("/v1/payment_methods/pm_card_nothing")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        *("us", "visa_debit", "mastercard_prepaid", "diners", "jcb", "unionpay"),
        *("bypassPending", "threeDSecureOptional", "riskLevelElevated"),
    ],
)
async def test_cards_that_pay(stripe: Stripe, name: str) -> None:
    made = await stripe.post(
        "payment_intents",
        amount=100,
        currency="eur",
        payment_method=f"pm_card_{name}",
        confirm=True,
        expand=["latest_charge"],
    )
    assert made["status"] == "succeeded"
    risk = "elevated" if name == "riskLevelElevated" else "normal"
    assert made["latest_charge"]["outcome"]["risk_level"] == risk


async def test_only_allowed_types_of_methods_are_taken(stripe: Stripe) -> None:
    error = await refused(
        stripe,
        "payment_intents",
        amount=100,
        currency="eur",
        payment_method="pm_sepaDebit",
        allowed_payment_method_types=["card"],
    )
    assert (error["status"], error["param"]) == (400, "payment_method")
    made = await stripe.post("setup_intents", allowed_payment_method_types=["card", "sepa_debit"])
    assert made["payment_method_types"] == ["card", "sepa_debit"]
    path = f"setup_intents/{made['id']}/confirm"
    assert (await refused(stripe, path, payment_method="us_bank_account"))["status"] == 400
    assert (await stripe.post(path, payment_method="pm_card_visa"))["status"] == "succeeded"
