"""Failed subscription payments: retries, and what the account's settings do then."""

import pytest

from tests.harness import Stripe
from tests.sandbox.lives import Life, begin, refused

pytestmark = pytest.mark.anyio
FAILING = "pm_card_chargeCustomerFail"
HOUR = 3600


async def fail_renewal(stripe: Stripe, **settings: object) -> Life:
    await stripe.control("settings", **settings)
    life = await begin(stripe)
    await life.card(FAILING)
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=HOUR + 1)
    return life


@pytest.mark.parametrize(
    ("ends", "status", "reason"),
    [
        ("cancel", "canceled", "payment_failed"),
        ("unpaid", "unpaid", None),
        ("past_due", "past_due", None),
        ("pause", "paused", None),
    ],
)
async def test_it_ends_as_the_account_says(
    stripe: Stripe, ends: str, status: str, reason: str | None
) -> None:
    life = await fail_renewal(stripe, dunning_ends=ends)
    assert (await life.now())["status"] == "past_due"
    bill = (await life.invoices())[0]
    assert (bill["status"], bill["attempt_count"]) == ("open", 1)
    assert bill["next_payment_attempt"]
    for _ in range(3):
        await life.until("retry")
    found = await life.now()
    assert (found["status"], found["cancellation_details"]["reason"]) == (status, reason)
    bill = (await life.invoices())[0]
    assert (bill["attempt_count"], bill["next_payment_attempt"]) == (4, None)
    if status == "paused":
        why = found["status_details"]["paused"]["subscription"]["type"]
        assert why == "final_payment_failure"


async def test_it_pauses_at_the_first_failure_if_the_account_says_so(stripe: Stripe) -> None:
    life = await fail_renewal(stripe, dunning_ends="pause_at_first")
    found = await life.now()
    assert found["status"] == "paused"
    assert found["status_details"]["paused"]["subscription"]["type"] == "first_payment_failure"
    assert "customer.subscription.paused" in await life.events()


async def test_what_cannot_be_paused_is_cancelled(stripe: Stripe) -> None:
    await stripe.control("settings", dunning_ends="pause", retry_days=[])
    life = await begin(stripe, billing_mode={"type": "classic"})
    await life.card(FAILING)
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=HOUR + 1)
    assert (await life.now())["status"] == "canceled"


async def test_a_later_retry_succeeds(stripe: Stripe) -> None:
    life = await begin(stripe)
    method = (await stripe.get(f"customers/{life.customer}"))["invoice_settings"]
    await stripe.control(
        f"payment_methods/{method['default_payment_method']}",
        decline="insufficient_funds",
        fails=2,
    )
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=HOUR + 1)
    assert (await life.now())["status"] == "past_due"
    await life.until("retry")
    assert (await life.now())["status"] == "past_due"
    await life.until("retry")
    assert (await life.now())["status"] == "active"
    assert [bill["status"] for bill in await life.invoices()] == ["paid", "paid"]


async def test_a_new_card_and_paying_by_hand_recover(stripe: Stripe) -> None:
    life = await fail_renewal(stripe)
    bill = (await life.invoices())[0]
    error = await refused(stripe, f"invoices/{bill['id']}/pay")
    assert (error["status"], error["code"]) == (402, "card_declined")
    await life.card("pm_card_visa")
    paid = await stripe.post(f"invoices/{bill['id']}/pay")
    assert paid["status"] == "paid"
    assert (await life.now())["status"] == "active"


@pytest.mark.parametrize("way", ["void", "mark_uncollectible"])
async def test_marking_an_invoice_uncollectible_recovers(stripe: Stripe, way: str) -> None:
    life = await fail_renewal(stripe)
    bill = (await life.invoices())[0]
    await stripe.post(f"invoices/{bill['id']}/{way}")
    assert (await life.now())["status"] == "active"
    assert (await refused(stripe, f"invoices/{bill['id']}/mark_uncollectible"))["status"] == 400


async def test_unpaid_continues_with_drafts(stripe: Stripe) -> None:
    life = await fail_renewal(stripe, dunning_ends="unpaid", retry_days=[])
    assert (await life.now())["status"] == "unpaid"
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=2 * HOUR)
    assert [bill["status"] for bill in await life.invoices()] == ["draft", "open", "paid"]
    assert (await life.now())["status"] == "unpaid"


async def test_an_unpaid_first_invoice_expires_after_23_hours(stripe: Stripe) -> None:
    life = await begin(stripe, card=FAILING)
    assert (await life.now())["status"] == "incomplete"
    await stripe.control("clock/advance", seconds=22 * HOUR)
    assert (await life.now())["status"] == "incomplete"
    await stripe.control("clock/advance", seconds=2 * HOUR)
    assert (await life.now())["status"] == "incomplete_expired"
    assert [bill["status"] for bill in await life.invoices()] == ["void"]


async def test_a_first_invoice_paid_in_time_activates_it(stripe: Stripe) -> None:
    life = await begin(stripe, card=None, payment_behavior="default_incomplete")
    assert (await life.now())["status"] == "incomplete"
    bill = (await life.invoices())[0]
    paid = await stripe.post(f"invoices/{bill['id']}/pay", payment_method="pm_card_visa")
    assert paid["status"] == "paid"
    assert (await life.now())["status"] == "active"


async def test_3d_secure_at_the_first_payment_and_at_a_renewal(stripe: Stripe) -> None:
    life = await begin(stripe, card="pm_card_threeDSecure2Required")
    assert (await life.now())["status"] == "incomplete"
    payments = await stripe.get("invoice_payments", invoice=(await life.invoices())[0]["id"])
    intent = payments["data"][0]["payment"]["payment_intent"]
    assert (await stripe.get(f"payment_intents/{intent}"))["status"] == "requires_action"
    await stripe.control(f"payment_intents/{intent}/settle", outcome="succeeded")
    assert (await life.now())["status"] == "active"
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=HOUR + 1)
    assert (await life.now())["status"] == "past_due"
    sent = await stripe.client.get(
        "/_sandbox/events", params={"type": "invoice.payment_action_required"}
    )
    assert len(sent.json()["data"]) == 2


async def test_error_if_incomplete_creates_nothing(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    customer = await stripe.customer("x@box.example", card=FAILING)
    error = await refused(
        stripe,
        "subscriptions",
        customer=customer,
        items=[{"price": price}],
        payment_behavior="error_if_incomplete",
    )
    assert (error["status"], error["type"]) == (402, "card_error")
    assert (await stripe.get("subscriptions", customer=customer, status="all"))["data"] == []


async def test_a_dispute_ends_its_subscription_if_the_account_says_so(stripe: Stripe) -> None:
    await stripe.control("settings", dispute_cancels=True)
    life = await begin(stripe)
    charge = (await stripe.get("charges", customer=life.customer))["data"][0]
    await stripe.control(f"charges/{charge['id']}/dispute")
    await stripe.control("clock/advance", seconds=1)
    found = await life.now()
    assert found["status"] == "canceled"
    assert found["cancellation_details"]["reason"] == "payment_disputed"


async def test_an_invoice_that_is_sent_becomes_overdue(stripe: Stripe) -> None:
    life = await begin(stripe, card=None, collection_method="send_invoice", days_until_due=5)
    assert (await life.now())["status"] == "active"
    await stripe.control("clock/advance", seconds=HOUR + 60)
    assert (await life.invoices())[0]["status"] == "open"
    await stripe.control("clock/advance", seconds=5 * 86400)
    assert (await life.now())["status"] == "past_due"
    bill = (await life.invoices())[0]
    await stripe.post(f"invoices/{bill['id']}/pay", paid_out_of_band=True)
    assert (await life.now())["status"] == "active"
