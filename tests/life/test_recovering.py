"""A payment that failed, through the sandbox: the emails, the money that came back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from latchkey import reminder_series
from latchkey.store import site_settings
from latchkey.store.purchases.at_risk import AT_RISK
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.recovered import by_month
from tests.harness import Json, Latchkey, until
from tests.life.play import linked

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
EMAIL = "owes@recovering.example"


async def kinds(site: Latchkey) -> list[str]:
    """The kinds of emails about payments, in order."""
    rows = await site.pool.fetch("select kind from mails where kind like 'payment%' order by id")
    return [row["kind"] for row in rows]


async def renew(site: Latchkey, subscription: str, *, card: str) -> Json:
    """Let the next renewal be paid by a card."""
    found = await site.stripe.get(f"subscriptions/{subscription}")
    await site.stripe.control(f"customers/{found['customer']}/card", card=card)
    await site.stripe.control("clock/advance", subscription=subscription, until="period_end")
    await site.stripe.control("clock/advance", seconds=86400)
    return await site.stripe.get(f"subscriptions/{subscription}")


async def test_reminders_go_out_until_the_payment_arrives(site: Latchkey) -> None:
    async with site.pool.acquire() as connection:
        await site_settings.change(connection, payment_mail=False, reminder_mail=True)
    product, _, price = await linked(site)
    made = await site.stripe.subscribe(EMAIL, price)
    await site.has(product, EMAIL)
    subscription = str(made["id"])
    await site.stripe.control("settings", dunning_ends="past_due", retry_days=[])
    found = await renew(site, subscription, card="pm_card_chargeCustomerFail")
    assert found["status"] == "past_due"

    async def about() -> Any:
        return await kinds(site) == ["payment_problem"]

    await until(about, "day 0's email, with the failure")
    async with site.pool.acquire() as connection:
        [row] = await AT_RISK.page(connection, BillingFilter(), limit=10)
    assert (row.amount, row.currency, row.exact) == (1500, "usd", True), "what is open"
    failed: datetime = await site.pool.fetchval(
        "select past_due_since from subscriptions where id = $1", subscription
    )

    async def look(day: float) -> int:
        return await reminder_series.queue_due(site.pool, site.url, as_of=failed + day * DAY)

    assert [await look(day) for day in (0.1, 2.5, 3.1, 3.2)] == [0, 0, 1, 0]
    [bill] = (await site.stripe.get("invoices", subscription=subscription, status="open"))["data"]
    await site.stripe.control(f"customers/{found['customer']}/card", card="pm_card_visa")
    await site.stripe.post(f"invoices/{bill['id']}/pay")

    async def recovered() -> Any:
        lines = await site.lines(product=product, type="payment_recovered")
        return lines or None

    await until(recovered, "the payment")
    assert await look(7.1) == 0
    async with site.pool.acquire() as connection:
        [back] = await by_month(connection)
    assert (back.count, back.amount, back.currency, back.livemode) == (1, 1500, "usd", False)
    assert await kinds(site) == ["payment_problem", "payment_reminder"]
