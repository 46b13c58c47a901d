"""Customers' cash balances, bank transfers, and the account's own balance."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import events_of, refused

pytestmark = pytest.mark.anyio
DAY = 86400


async def transfer(stripe: Stripe, customer: str, amount: int = 2000) -> Json:
    """A payment that waits for a bank transfer."""
    made = await stripe.post(
        "payment_intents",
        amount=amount,
        currency="eur",
        customer=customer,
        allowed_payment_method_types=["customer_balance"],
        payment_method_data={"type": "customer_balance"},
        payment_method_options={
            "customer_balance": {
                "funding_type": "bank_transfer",
                "bank_transfer": {
                    "type": "eu_bank_transfer",
                    "eu_bank_transfer": {"country": "DE"},
                },
            }
        },
        confirm=True,
    )
    assert made["status"] == "requires_action"
    return made


async def fund(stripe: Stripe, customer: str, amount: int) -> Json:
    return await stripe.post(
        f"test_helpers/customers/{customer}/fund_cash_balance",
        amount=amount,
        currency="eur",
        reference="R1",
    )


async def test_a_transfer_pays_in_parts(stripe: Stripe) -> None:
    customer = (await stripe.post("customers"))["id"]
    intent = await transfer(stripe, customer)
    told = intent["next_action"]["display_bank_transfer_instructions"]
    assert (told["amount_remaining"], told["type"]) == (2000, "eu_bank_transfer")
    entry = await fund(stripe, customer, 500)
    assert (entry["type"], entry["net_amount"]) == ("funded", 500)
    found = await stripe.get(f"payment_intents/{intent['id']}")
    told = found["next_action"]["display_bank_transfer_instructions"]
    assert (found["status"], told["amount_remaining"]) == ("requires_action", 1500)
    assert "payment_intent.partially_funded" in await events_of(stripe, intent["id"])
    await fund(stripe, customer, 1800)
    found = await stripe.get(f"payment_intents/{intent['id']}")
    assert (found["status"], found["amount_received"]) == ("succeeded", 2000)
    balance = await stripe.get(f"customers/{customer}/cash_balance")
    assert balance["available"] == {"eur": 300}
    rows = (await stripe.get(f"customers/{customer}/cash_balance_transactions"))["data"]
    assert [row["type"] for row in rows] == ["applied_to_payment", "funded"] * 2
    assert rows[0]["applied_to_payment"]["payment_intent"] == intent["id"]
    types = {row["type"] for row in stripe.box.shop.world.table("event").values()}
    assert {"cash_balance.funds_available", "customer_cash_balance_transaction.created"} <= types


async def test_cash_is_applied_by_hand_or_pays_what_comes_later(stripe: Stripe) -> None:
    customer = (await stripe.post("customers"))["id"]
    path = f"customers/{customer}/cash_balance"
    changed = await stripe.post(path, settings={"reconciliation_mode": "manual"})
    assert changed["settings"]["reconciliation_mode"] == "manual"
    intent = await transfer(stripe, customer)
    await fund(stripe, customer, 3000)
    apply = f"payment_intents/{intent['id']}/apply_customer_balance"
    assert (await refused(stripe, apply, amount=2001))["param"] == "amount"
    await stripe.post(apply, amount=1500)
    gone = await stripe.post(f"payment_intents/{intent['id']}/cancel")
    assert gone["status"] == "canceled"
    assert (await stripe.get(path))["available"] == {"eur": 3000}
    await stripe.post(path, settings={"reconciliation_mode": "automatic"})
    made = await stripe.post(
        "payment_intents",
        amount=1000,
        currency="eur",
        customer=customer,
        allowed_payment_method_types=["customer_balance"],
        payment_method_data={"type": "customer_balance"},
        confirm=True,
    )
    assert made["status"] == "succeeded"
    told = await stripe.post(
        f"customers/{customer}/funding_instructions",
        currency="eur",
        funding_type="bank_transfer",
        bank_transfer={"type": "eu_bank_transfer", "eu_bank_transfer": {"country": "DE"}},
    )
    assert told["bank_transfer"]["country"] == "DE"


async def test_money_becomes_available_and_is_paid_out(stripe: Stripe) -> None:
    await stripe.post("charges", amount=10000, currency="usd", source="tok_visa")
    balance = await stripe.get("balance")
    assert balance["pending"][0]["amount"] == 10000 - 320
    assert balance["available"] == [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
    error = await refused(stripe, "payouts", amount=100, currency="usd")
    assert error["code"] == "balance_insufficient"
    await stripe.control("clock/advance", seconds=8 * DAY)
    assert (await stripe.get("balance"))["available"][0]["amount"] == 9680
    made = await stripe.post("payouts", amount=9000, currency="usd", metadata={"a": "b"})
    assert (await stripe.get("balance"))["available"][0]["amount"] == 680
    await stripe.control("clock/advance", seconds=3 * DAY)
    assert (await stripe.get(f"payouts/{made['id']}"))["status"] == "paid"
    assert {"payout.created", "payout.paid"} <= set(await events_of(stripe, made["id"]))
    assert (await refused(stripe, f"payouts/{made['id']}/cancel"))["status"] == 400


async def test_one_cards_money_is_available_at_once(stripe: Stripe) -> None:
    await stripe.post("charges", amount=1000, currency="usd", source="tok_bypassPending")
    assert (await stripe.get("balance"))["available"][0]["amount"] == 941
    made = await stripe.post("payouts", amount=941, currency="usd")
    gone = await stripe.post(f"payouts/{made['id']}/cancel")
    assert gone["status"] == "canceled"
    assert (await stripe.get("balance"))["available"][0]["amount"] == 941


async def test_a_debit_carries_its_mandate(stripe: Stripe) -> None:
    made = await stripe.post(
        "payment_intents",
        amount=1000,
        currency="eur",
        allowed_payment_method_types=["sepa_debit"],
        payment_method_data={"type": "sepa_debit", "sepa_debit": {"iban": "AT321904300235473204"}},
        mandate_data={"customer_acceptance": {"type": "offline"}},
        confirm=True,
    )
    assert made["status"] == "processing"
    charge = await stripe.get(f"charges/{made['latest_charge']}")
    details = charge["payment_method_details"]["sepa_debit"]
    mandate = await stripe.get(f"mandates/{details['mandate']}")
    assert (mandate["status"], mandate["payment_method"]) == ("active", made["payment_method"])
