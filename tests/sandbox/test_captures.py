"""Money that is held first and taken later."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import events_of, refused

pytestmark = pytest.mark.anyio
DAY = 86400


async def held(stripe: Stripe, amount: int = 2000, **params: object) -> Json:
    given = {"capture_method": "manual", "payment_method": "pm_card_visa", "confirm": True}
    made = await stripe.post(
        "payment_intents", amount=amount, currency="usd", **{**given, **params}
    )
    assert made["status"] == "requires_capture"
    return made


async def charge_of(stripe: Stripe, intent: Json) -> Json:
    return await stripe.get(f"charges/{intent['latest_charge']}")


async def test_a_hold_takes_no_money_yet(stripe: Stripe) -> None:
    intent = await held(stripe)
    assert (intent["amount_capturable"], intent["amount_received"]) == (2000, 0)
    charge = await charge_of(stripe, intent)
    assert (charge["paid"], charge["captured"], charge["amount_captured"]) == (True, False, 0)
    assert charge["balance_transaction"] is None
    until = charge["payment_method_details"]["card"]["capture_before"]
    assert until == charge["created"] + 7 * DAY
    sent = await events_of(stripe, intent["id"])
    assert "payment_intent.amount_capturable_updated" in sent
    assert "payment_intent.succeeded" not in sent
    error = await refused(stripe, "refunds", payment_intent=intent["id"])
    assert error["status"] == 400


async def test_all_of_a_hold_is_taken_by_default(stripe: Stripe) -> None:
    intent = await held(stripe)
    taken = await stripe.post(f"payment_intents/{intent['id']}/capture")
    assert (taken["status"], taken["amount_received"], taken["amount_capturable"]) == (
        "succeeded",
        2000,
        0,
    )
    charge = await charge_of(stripe, intent)
    assert (charge["captured"], charge["amount_captured"]) == (True, 2000)
    entry = await stripe.get(f"balance_transactions/{charge['balance_transaction']}")
    assert entry["amount"] == 2000
    assert "charge.captured" in await events_of(stripe, charge["id"])
    error = await refused(stripe, f"payment_intents/{intent['id']}/capture")
    assert error["code"] == "payment_intent_unexpected_state"


async def test_a_part_is_taken_and_the_rest_goes_back(stripe: Stripe) -> None:
    intent = await held(stripe)
    path = f"payment_intents/{intent['id']}/capture"
    error = await refused(stripe, path, amount_to_capture=2001)
    assert error["code"] == "amount_too_large"
    taken = await stripe.post(path, amount_to_capture=1500)
    assert (taken["amount"], taken["amount_received"]) == (2000, 1500)
    charge = await charge_of(stripe, intent)
    assert (charge["amount_captured"], charge["amount_refunded"]) == (1500, 500)
    assert charge["refunded"] is False
    entry = await stripe.get(f"balance_transactions/{charge['balance_transaction']}")
    assert entry["amount"] == 1500
    refund = await stripe.post("refunds", charge=charge["id"])
    assert refund["amount"] == 1500


async def test_a_hold_is_let_go_of(stripe: Stripe) -> None:
    intent = await held(stripe)
    gone = await stripe.post(f"payment_intents/{intent['id']}/cancel")
    assert (gone["status"], gone["amount_capturable"]) == ("canceled", 0)
    charge = await charge_of(stripe, intent)
    assert (charge["captured"], charge["refunded"]) == (False, True)
    assert charge["amount_refunded"] == 2000
    back = (await stripe.get("refunds", charge=charge["id"]))["data"]
    assert [row["balance_transaction"] for row in back] == [None]


async def test_a_hold_ends_after_a_week(stripe: Stripe) -> None:
    intent = await held(stripe)
    await stripe.control("clock/advance", seconds=7 * DAY - 60)
    assert (await stripe.get(f"payment_intents/{intent['id']}"))["status"] == "requires_capture"
    await stripe.control("clock/advance", seconds=120)
    gone = await stripe.get(f"payment_intents/{intent['id']}")
    assert (gone["status"], gone["cancellation_reason"]) == ("canceled", "automatic")
    assert "charge.expired" in await events_of(stripe, intent["latest_charge"])


async def test_a_hold_grows_only_where_it_was_asked_for(stripe: Stripe) -> None:
    plain = await held(stripe)
    path = "payment_intents/{}/increment_authorization"
    assert (await refused(stripe, path.format(plain["id"]), amount=3000))["status"] == 400
    asked = {"card": {"request_incremental_authorization": "if_available"}}
    intent = await held(stripe, payment_method_options=asked)
    error = await refused(stripe, path.format(intent["id"]), amount=2000)
    assert error["param"] == "amount"
    grown = await stripe.post(path.format(intent["id"]), amount=3000)
    assert (grown["amount"], grown["amount_capturable"]) == (3000, 3000)
    taken = await stripe.post(f"payment_intents/{intent['id']}/capture")
    assert taken["amount_received"] == 3000


async def test_several_captures_only_where_they_were_asked_for(stripe: Stripe) -> None:
    plain = await held(stripe)
    error = await refused(
        stripe, f"payment_intents/{plain['id']}/capture", amount_to_capture=1, final_capture=False
    )
    assert error["param"] == "final_capture"
    asked = {"card": {"request_multicapture": "if_available"}}
    intent = await held(stripe, payment_method_options=asked)
    path = f"payment_intents/{intent['id']}/capture"
    first = await stripe.post(path, amount_to_capture=700, final_capture=False)
    assert (first["status"], first["amount_capturable"]) == ("requires_capture", 1300)
    last = await stripe.post(path, amount_to_capture=300)
    assert (last["status"], last["amount_received"]) == ("succeeded", 1000)
    charge = await charge_of(stripe, intent)
    assert (charge["amount_captured"], charge["amount_refunded"]) == (1000, 1000)


async def test_one_method_may_be_held_alone(stripe: Stripe) -> None:
    intent = await held(
        stripe,
        capture_method="automatic",
        payment_method_options={"card": {"capture_method": "manual"}},
    )
    assert intent["capture_method"] == "manual"


async def test_charges_are_captured_as_they_used_to_be(stripe: Stripe) -> None:
    charge = await stripe.post(
        "charges", amount=900, currency="usd", source="tok_visa", capture=False
    )
    assert (charge["paid"], charge["captured"]) == (True, False)
    taken = await stripe.post(f"charges/{charge['id']}/capture", amount=400)
    assert (taken["captured"], taken["amount_captured"]) == (True, 400)
    error = await refused(stripe, f"charges/{charge['id']}/capture")
    assert error["code"] == "charge_already_captured"


@pytest.mark.parametrize("after", ["capture", "cancel"])
async def test_an_order_is_authorized_and_then_captured_or_not(stripe: Stripe, after: str) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(
        price, mode="payment", payment_intent_data={"capture_method": "manual"}
    )
    session = await stripe.pay(session, "held@box.example")
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    await stripe.post(f"payment_intents/{session['payment_intent']}/{after}")
    found = await stripe.get(f"checkout/sessions/{session['id']}")
    assert found["payment_status"] == ("paid" if after == "capture" else "unpaid")
