"""Rarer subscriptions: expired, needing authentication, disputed, on a test clock."""

import time

import pytest

from tests.harness import Json, Latchkey, until
from tests.life.play import DAY, granted, linked, types
from tests.truth.test_reconciliation import compared

pytestmark = pytest.mark.anyio

BOUGHT = ["access_granted", "product_purchased", "subscription_started"]


async def test_a_first_payment_that_never_succeeds(site: Latchkey) -> None:
    """`incomplete` for 23 hours, then `incomplete_expired`: no access was given, and the run
    ends."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe(
        "never@rare.example", price, payment_behavior="default_incomplete"
    )
    await site.settled()
    await site.stripe.control("clock/advance", seconds=DAY)
    assert (await site.stripe.get(f"subscriptions/{made['id']}"))["status"] == "incomplete_expired"
    await site.settled()
    run = site.temporal.get_workflow_handle(f"subscription/{made['id']}")

    async def over() -> bool:
        return bool((await run.describe()).status.name == "COMPLETED")  # type: ignore[union-attr]

    await until(over, "its run is over")
    assert (await site.access(product, "never@rare.example"))["access"] is False
    assert await types(site, product) == []
    assert await site.pool.fetchval("select count(*) from users where role = 'member'") == 0


async def test_a_pending_update_that_is_not_paid_changes_nothing(site: Latchkey) -> None:
    first, _, first_price = await linked(site)
    dear, _, dear_price = await linked(site, amount=99000)
    made = await site.stripe.subscribe("pending@rare.example", first_price)
    await site.has(first, "pending@rare.example")
    await site.stripe.control(
        f"customers/{made['customer']}/card", card="pm_card_chargeCustomerFail"
    )
    found = await site.stripe.post(
        f"subscriptions/{made['id']}",
        items=[{"id": made["items"]["data"][0]["id"], "price": dear_price}],
        payment_behavior="pending_if_incomplete",
        proration_behavior="always_invoice",
    )
    assert found["pending_update"] is not None
    await site.stripe.control("clock/advance", seconds=DAY)
    assert (await site.stripe.get(f"subscriptions/{made['id']}"))["pending_update"] is None
    await site.settled()
    assert (await site.access(first, "pending@rare.example"))["until"] is None
    assert (await site.access(dear, "pending@rare.example"))["access"] is False
    assert await types(site, first) == BOUGHT
    assert await types(site, dear) == []


async def test_a_renewal_that_requires_confirmation(site: Latchkey) -> None:
    """`invoice.payment_action_required`: past due with grace, recorded once, until confirmed."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("bank@rare.example", price)
    await site.has(product, "bank@rare.example")
    await site.stripe.control(
        f"customers/{made['customer']}/card", card="pm_card_authenticationRequiredOnSetup"
    )
    await site.stripe.control("clock/advance", subscription=made["id"], until="period_end")
    await site.stripe.control("clock/advance", seconds=7200)
    events = (await site.stripe.get("events", type="invoice.payment_action_required"))["data"]
    assert events, "the bank asks"
    await site.settled()
    found = await site.access(product, "bank@rare.example")
    assert (found["access"], found["until"] is None) == (True, False)
    assert await types(site, product) == sorted([*BOUGHT, "payment_failed"])
    bill = (await site.stripe.get(f"subscriptions/{made['id']}"))["latest_invoice"]
    await site.stripe.post(f"invoices/{bill}/pay", payment_method="pm_card_visa")
    await site.settled()
    assert (await site.access(product, "bank@rare.example"))["until"] is None
    assert await types(site, product) == sorted([*BOUGHT, "payment_failed", "payment_recovered"])


async def test_a_dispute_that_ends_the_subscription(site: Latchkey) -> None:
    """Where the account is set so: Stripe cancels at once, and says why."""
    product, _, price = await linked(site)
    made = await site.stripe.subscribe("disputes@rare.example", price)
    await site.has(product, "disputes@rare.example")
    await site.stripe.control("settings", dispute_cancels=True)
    charge = (await site.stripe.get("charges", customer=made["customer"]))["data"][0]
    await site.stripe.control(f"charges/{charge['id']}/dispute")
    await site.stripe.control("clock/advance", seconds=1)
    await site.has(product, "disputes@rare.example", access=False)
    await site.settled()
    cancelled = await site.lines(product=product, type="subscription_cancelled")
    assert [(line["cause"], line["data"]["stripe_reason"]) for line in cancelled] == [
        ("stripe", "payment_disputed")
    ]
    assert len(await site.lines(product=product, type="access_ended")) == 1


async def test_a_customer_on_a_test_clock(site: Latchkey) -> None:
    """Their time is another: what Stripe says has ended has ended, whatever date it bears."""
    product, _, price = await linked(site)
    now = int(time.time())
    clock = await site.stripe.post("test_helpers/test_clocks", frozen_time=now)
    customer = await site.stripe.post(
        "customers",
        email="clock@rare.example",
        test_clock=clock["id"],
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    made = await site.stripe.post(
        "subscriptions", customer=customer["id"], items=[{"price": price}]
    )
    await site.has(product, "clock@rare.example")
    advance = f"test_helpers/test_clocks/{clock['id']}/advance"
    await site.stripe.post(advance, frozen_time=now + 33 * DAY)
    await site.settled()
    assert (await site.access(product, "clock@rare.example"))["until"] is None, "it was renewed"
    await site.stripe.post(f"subscriptions/{made['id']}", cancel_at_period_end=True)
    await site.settled()
    end = (await site.access(product, "clock@rare.example"))["until"]
    assert end is not None
    await site.stripe.post(advance, frozen_time=now + 64 * DAY)
    await site.has(product, "clock@rare.example", access=False)
    assert (await types(site, product)).count("subscription_cancelled") == 1


async def test_a_deleted_stripe_product_cannot_be_chosen(site: Latchkey) -> None:
    """46: only products without prices can be deleted, so nobody pays for them and nothing
    breaks."""
    stripe_product = await site.stripe.product("Never priced")
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.delete(f"products/{stripe_product}")
    await site.settled()
    shown = await site.call("GET", "/stripe/products", params={"search": stripe_product})
    assert shown["data"] == []
    states = await site.pool.fetch("select state from events where object_id = $1", stripe_product)
    assert {row["state"] for row in states} == {"handled"}
    assert (await site.call("GET", f"/products/{product}/link"))["state"] == "listening"


async def quoted(site: Latchkey, email: str, *prices: str, **given: object) -> Json:
    """An accepted quote to a new customer with a card."""
    card = "pm_card_visa"
    customer = await site.stripe.post(
        "customers",
        email=email,
        payment_method=card,
        invoice_settings={"default_payment_method": card},
    )
    made = await site.stripe.post(
        "quotes",
        customer=customer["id"],
        line_items=[{"price": price, "quantity": 1} for price in prices],
        **given,
    )
    await site.stripe.post(f"quotes/{made['id']}/finalize")
    return await site.stripe.post(f"quotes/{made['id']}/accept")


async def test_a_quoted_subscription_with_a_one_off_item(site: Latchkey) -> None:
    """There is no session: the subscription is found by its items, the rest by its first
    invoice."""
    product, _, price = await linked(site)
    extra, _, once = await linked(site, every=None)
    quote = await quoted(site, "quoted@rare.example", price, once)
    grants = await granted(site, product, "quoted@rare.example", 1)
    assert grants[0]["source_id"] == quote["subscription"]
    await site.has(extra, "quoted@rare.example")
    assert await types(site, product) == BOUGHT
    assert await types(site, extra) == ["access_granted", "product_purchased"]


async def test_a_quoted_subscription_that_starts_later(site: Latchkey) -> None:
    product, _, price = await linked(site)
    begin = {"effective_date": int(time.time()) + 3 * DAY}
    await quoted(site, "later@rare.example", price, subscription_data=begin)
    await site.settled()
    assert (await site.access(product, "later@rare.example"))["access"] is False
    await site.stripe.control("clock/advance", seconds=3 * DAY + 60)
    await site.has(product, "later@rare.example")
    assert await types(site, product) == BOUGHT


async def test_a_quoted_one_off_item(site: Latchkey) -> None:
    """Its invoice names the quote as its parent. Nothing is given for the draft; it is paid within
    the hour. One from before the link is imported, and a comparison finds nothing to do."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    await quoted(site, "before@rare.example", price)
    await site.stripe.control("clock/advance", seconds=7200)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.has(product, "before@rare.example")
    quote = await quoted(site, "once@rare.example", price)
    await site.settled()
    assert (await site.access(product, "once@rare.example"))["access"] is False
    await site.stripe.control("clock/advance", seconds=7200)
    grants = await granted(site, product, "once@rare.example", 1)
    assert grants[0]["source_id"] == quote["invoice"]
    assert await types(site, product) == [
        *["access_granted", "access_granted", "imported", "product_purchased"]
    ]
    assert (await compared(site))["differences"] == []
