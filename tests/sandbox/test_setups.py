"""Saving payment methods: setup intents with their attempts, configurations, sessions."""

import pytest

from tests.harness import Stripe
from tests.sandbox.lives import events_of, refused

pytestmark = pytest.mark.anyio


async def test_each_try_to_save_a_card_is_noted(stripe: Stripe) -> None:
    customer = (await stripe.post("customers"))["id"]
    made = await stripe.post("setup_intents", customer=customer)
    path = f"setup_intents/{made['id']}"
    error = await refused(stripe, f"{path}/confirm", payment_method="pm_card_chargeDeclined")
    assert error["code"] == "card_declined"
    assert (await stripe.get(path))["status"] == "requires_payment_method"
    await stripe.post(path, payment_method="pm_card_visa", description="Second try")
    done = await stripe.post(f"{path}/confirm")
    assert (done["status"], done["description"]) == ("succeeded", "Second try")
    rows = (await stripe.get("setup_attempts", setup_intent=made["id"]))["data"]
    assert [row["status"] for row in rows] == ["succeeded", "failed"]
    assert done["latest_attempt"] == rows[0]["id"]
    assert rows[0]["payment_method_details"]["card"]["last4"] == "4242"
    assert (await refused(stripe, path, description="Late"))["status"] == 400


async def test_a_bank_asks_before_a_card_is_saved(stripe: Stripe) -> None:
    made = await stripe.post(
        "setup_intents", payment_method="pm_card_authenticationRequiredOnSetup", confirm=True
    )
    assert (made["status"], made["next_action"]["type"]) == ("requires_action", "use_stripe_sdk")
    assert "setup_intent.requires_action" in await events_of(stripe, made["id"])


async def test_configurations_say_what_is_offered(stripe: Stripe) -> None:
    rows = (await stripe.get("payment_method_configurations"))["data"]
    assert [row["is_default"] for row in rows] == [True]
    made = await stripe.post(
        "payment_method_configurations",
        name="Debits",
        sepa_debit={"display_preference": {"preference": "on"}},
        card={"display_preference": {"preference": "off"}},
    )
    assert (made["sepa_debit"]["available"], made["card"]["available"]) == (True, False)
    path = f"payment_method_configurations/{made['id']}"
    changed = await stripe.post(
        path, card={"display_preference": {"preference": "none"}}, active=False
    )
    assert changed["card"]["display_preference"] == {
        "overridable": None,
        "preference": "none",
        "value": "on",
    }
    rows = (await stripe.get("payment_method_configurations", active=True))["data"]
    assert len(rows) == 1


async def test_a_session_of_a_customer_has_its_components(stripe: Stripe) -> None:
    customer = (await stripe.post("customers"))["id"]
    made = await stripe.post(
        "customer_sessions",
        customer=customer,
        components={
            "pricing_table": {"enabled": True},
            "payment_element": {
                "enabled": True,
                "features": {"payment_method_redisplay": "enabled"},
            },
        },
    )
    assert made["components"]["pricing_table"]["enabled"] is True
    assert made["components"]["buy_button"]["enabled"] is False
    features = made["components"]["payment_element"]["features"]
    assert features["payment_method_redisplay"] == "enabled"
    assert (
        await refused(
            stripe,
            "customer_sessions",
            customer="cus_nobody",
            components={"buy_button": {"enabled": True}},
        )
    )["code"] == "resource_missing"
