"""Payment and setup intents: bounds, kinds, steps at the bank, and the balance behind them."""

import pytest

from tests.harness import Json, Stripe, until
from tests.sandbox.lives import events_of, refused
from tests.sandbox.test_money import order

pytestmark = pytest.mark.anyio
PAID: Json = {
    "amount": 1000,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "off_session": True,
}


async def test_the_default_capture_reaches_the_balance_a_moment_later(stripe: Stripe) -> None:
    intent = await stripe.post("payment_intents", **PAID)
    assert intent["capture_method"] == "automatic_async"
    path = f"charges/{intent['latest_charge']}"

    async def balanced() -> object:
        return (await stripe.get(path))["balance_transaction"]

    name = await until(balanced, "the charge is on the balance")
    found = await stripe.get(f"balance_transactions/{name}")
    assert (found["amount"], found["fee"], found["source"]) == (1000, 59, intent["latest_charge"])
    assert "charge.updated" in await events_of(stripe, intent["latest_charge"])


async def test_money_that_is_available_at_once_is_on_the_balance_at_once(stripe: Stripe) -> None:
    made = await stripe.post(
        "payment_intents", **{**PAID, "payment_method": "pm_card_bypassPending"}
    )
    charge = await stripe.get(f"charges/{made['latest_charge']}")
    found = await stripe.get(f"balance_transactions/{charge['balance_transaction']}")
    assert found["status"] == "available"


@pytest.mark.parametrize(
    ("amount", "code"),
    [(0, "parameter_invalid_integer"), (49, "amount_too_small"), (10**8, "amount_too_large")],
)
async def test_amounts_have_bounds(stripe: Stripe, amount: int, code: str) -> None:
    error = await refused(stripe, "payment_intents", amount=amount, currency="usd")
    assert (error["code"], error["param"]) == (code, "amount")


async def test_a_currency_that_there_is_not_is_refused(stripe: Stripe) -> None:
    error = await refused(stripe, "payment_intents", amount=100, currency="xyz")
    assert (error["status"], error["param"]) == (400, "currency")
    product = await stripe.product()
    error = await refused(stripe, "prices", product=product, unit_amount=100, currency="xyz")
    assert error["param"] == "currency"


async def test_an_intent_allows_some_kinds_of_payment_method(stripe: Stripe) -> None:
    error = await refused(
        stripe, "payment_intents", **PAID, allowed_payment_method_types=["sepa_debit"]
    )
    assert error["param"] == "payment_method"
    made = await stripe.post("payment_intents", **PAID, allowed_payment_method_types=["card"])
    assert made["payment_method_types"] == ["card"]


async def test_a_step_at_the_bank_may_count_as_an_error(stripe: Stripe) -> None:
    asking = {**PAID, "payment_method": "pm_card_threeDSecure2Required", "off_session": False}
    error = await refused(stripe, "payment_intents", **asking, error_on_requires_action=True)
    assert (error["status"], error["code"]) == (402, "authentication_required")


async def test_what_a_payment_says_stands_on_its_charge(stripe: Stripe) -> None:
    said = {
        "receipt_email": "ada@box.example",
        "statement_descriptor_suffix": "COURSE",
        "transfer_group": "some",
    }
    made = await stripe.post("payment_intents", amount=1000, currency="usd")
    done = await stripe.post(f"payment_intents/{made['id']}", **said, payment_method="pm_card_visa")
    assert done["status"] == "requires_confirmation"
    done = await stripe.post(f"payment_intents/{made['id']}/confirm")
    charge = await stripe.get(f"charges/{done['latest_charge']}")
    assert {key: charge[key] for key in said} == said
    error = await refused(stripe, f"payment_intents/{made['id']}", amount=2000)
    assert error["code"] == "payment_intent_unexpected_state"


async def test_a_payment_that_fails_later_says_so(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 1500, every=None)
    session = await stripe.checkout(price, mode="payment")
    paid = await stripe.pay(session, "late@box.example", card="AT861904300235473202")
    await stripe.control(f"checkout/{session['id']}/settle", outcome="failed")
    intent = await stripe.get(f"payment_intents/{paid['payment_intent']}")
    error = intent["last_payment_error"]
    assert error["code"] == "payment_intent_payment_attempt_failed"
    assert error["payment_method"]["type"] == "sepa_debit"
    assert error["charge"] == intent["latest_charge"]


async def setup(stripe: Stripe, **params: object) -> Json:
    customer = await stripe.post("customers", email="setup@box.example")
    return await stripe.post(
        "setup_intents",
        customer=customer["id"],
        payment_method="pm_card_authenticationRequiredOnSetup",
        confirm=True,
        **params,
    )


async def test_saving_a_card_may_need_a_step_at_the_bank(stripe: Stripe) -> None:
    made = await setup(stripe, return_url="https://example.com/back")
    assert (made["status"], made["next_action"]["type"]) == ("requires_action", "redirect_to_url")
    url = made["next_action"]["redirect_to_url"]["url"]
    assert "save your card" in (await stripe.client.get(url)).text
    answer = await stripe.client.post(url, data={"authenticated": "yes"})
    assert "redirect_status=succeeded" in answer.headers["location"]
    found = await stripe.get(f"setup_intents/{made['id']}")
    assert (found["status"], found["next_action"]) == ("succeeded", None)
    method = await stripe.get(f"payment_methods/{found['payment_method']}")
    assert method["customer"] == made["customer"]
    assert {"setup_intent.requires_action", "setup_intent.succeeded"} <= set(
        await events_of(stripe, made["id"])
    )
    again = await stripe.post("payment_intents", **{**PAID, "payment_method": method["id"]})
    assert again["status"] == "succeeded"


async def test_a_step_at_the_bank_may_fail(stripe: Stripe) -> None:
    made = await setup(stripe)
    found = await stripe.control(f"setup_intents/{made['id']}/settle", outcome="failed")
    assert found["status"] == "requires_payment_method"
    assert found["last_setup_error"]["code"] == "authentication_required"
    gone = await stripe.post(f"setup_intents/{made['id']}/cancel", cancellation_reason="abandoned")
    assert gone["cancellation_reason"] == "abandoned"
    error = await refused(stripe, f"setup_intents/{made['id']}/cancel")
    assert error["code"] == "setup_intent_unexpected_state"


async def test_a_refund_that_fails_comes_back_onto_the_balance(stripe: Stripe) -> None:
    charge = await order(stripe)
    error = await refused(stripe, "refunds", charge=charge["id"], amount=-1)
    assert error["code"] == "parameter_invalid_integer"
    made = await stripe.post("refunds", charge=charge["id"])
    failed = await stripe.control(f"refunds/{made['id']}/fail")
    back = await stripe.get(f"balance_transactions/{failed['failure_balance_transaction']}")
    assert (back["amount"], back["type"]) == (1500, "refund_failure")
    told = await stripe.post(f"charges/{charge['id']}", fraud_details={"user_report": "safe"})
    assert told["fraud_details"] == {"user_report": "safe"}


async def test_a_dispute_moves_the_balance(stripe: Stripe) -> None:
    charge = await order(stripe, "pm_card_createDispute")
    made = (await stripe.get("disputes", charge=charge["id"]))["data"][0]
    assert [row["net"] for row in made["balance_transactions"]] == [-3000]
    won = await stripe.control(f"disputes/{made['id']}/close", outcome="won")
    assert [row["amount"] for row in won["balance_transactions"]] == [-1500, 1500]
