"""The grace period starts when the oldest open invoice was due, whoever looks and whenever."""

from datetime import UTC, datetime

import pytest

from tests.harness import Json, Latchkey, until
from tests.life.play import DAY

pytestmark = pytest.mark.anyio

GRACE = 60
BROKEN = "pm_card_chargeCustomerFail"


async def failing(site: Latchkey, price: str, life: str) -> Json:
    """A subscription that came to owe while nobody listened: by a card that failed yesterday, by
    one that failed and then failed for the next period too, by a bill that was sent and not paid,
    by the bill for an upgrade in the middle of a period, or by a card that failed again, after the
    bill in between was paid and the first stayed open."""
    customer = await site.stripe.customer("owes@grace.example")
    sent = {"collection_method": "send_invoice", "days_until_due": 10} if life == "sent" else {}
    made = await site.stripe.post(
        "subscriptions", customer=customer, items=[{"price": price}], **sent
    )
    await site.stripe.control("settings", dunning_ends="past_due", retry_days=[])
    if life == "sent":
        await site.stripe.control("clock/advance", seconds=13 * DAY)
        return made
    if life == "upgrade":
        await site.stripe.control("clock/advance", seconds=20 * DAY)
        await site.stripe.control(f"customers/{customer}/card", card=BROKEN)
        item = (await site.stripe.get(f"subscriptions/{made['id']}"))["items"]["data"][0]["id"]
        await site.stripe.post(
            f"subscriptions/{made['id']}",
            items=[{"id": item, "quantity": 3}],
            proration_behavior="always_invoice",
        )
        return made
    cards = {"twice": [BROKEN, BROKEN], "again": [BROKEN, "pm_card_visa", BROKEN]}
    for card in cards.get(life, [BROKEN]):
        await site.stripe.control(f"customers/{customer}/card", card=card)
        await site.stripe.control("clock/advance", subscription=made["id"], until="period_end")
        await site.stripe.control("clock/advance", seconds=DAY)
    return made


async def due_since(site: Latchkey, subscription: str, life: str) -> int:
    bills = await site.stripe.get("invoices", subscription=subscription, status="open")
    dates = [
        bill["due_date"] or bill["status_transitions"]["finalized_at"] for bill in bills["data"]
    ]
    assert len(dates) == (2 if life in ("twice", "again") else 1)
    return int(max(dates) if life == "again" else min(dates))


async def forget(site: Latchkey, subscription: str) -> None:
    """Forget it, as if Latchkey had never seen it."""
    await site.quiet()
    await site.pool.execute("delete from grants where source_id = $1", subscription)
    await site.pool.execute("delete from subscriptions where id = $1", subscription)


@pytest.mark.parametrize("life", ["card", "twice", "sent", "upgrade", "again"])
async def test_the_end_does_not_depend_on_how_a_subscription_was_found(
    site: Latchkey, life: str
) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    await site.call("PUT", "/policy", json={"past_due_days": GRACE})
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.control("faults", drop=1)
    made = await failing(site, price, life)
    key = made["id"]
    assert (await site.stripe.get(f"subscriptions/{key}"))["status"] == "past_due"
    since = await due_since(site, key, life)
    await site.stripe.control("faults", short_page=1)
    ends: dict[str, datetime] = {}

    async def noted(way: str, opened: str) -> None:
        found = await site.has(opened, "owes@grace.example")
        ends[way] = datetime.fromisoformat(found["until"])

    await site.stripe.control("faults", drop=0)
    await site.stripe.post(f"subscriptions/{key}", metadata={"seen": "live"})
    await noted("live", product)
    await site.stripe.post(f"subscriptions/{key}", metadata={"seen": "again"})
    await noted("live, again", product)
    await forget(site, key)
    await site.call("POST", "/reconciliations", 202, json={"dry_run": False})
    await noted("reconciliation", product)

    async def over() -> bool:
        found = (await site.call("GET", "/reconciliations"))["data"][0]
        return bool(found["state"] == "done")

    await until(over, "the comparison is done")
    await forget(site, key)
    other = await site.product()
    await site.know(stripe_product)
    preview = await site.call(
        "POST", f"/products/{other}/link/preview", json={"stripe_product": stripe_product}
    )
    end = datetime.fromtimestamp(since + GRACE * DAY, UTC)
    assert f"{end:%Y-%m-%d %H:%M:%S}" in str(preview["records"]), "the preview knows it too"
    await site.link(other, stripe_product)
    await noted("import", other)
    assert ends == dict.fromkeys(ends, end)


async def test_expired_grace_gives_no_access_at_first_sight(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.control("faults", drop=1)
    made = await failing(site, price, "twice")
    await site.stripe.control("faults", drop=0)
    await site.stripe.post(f"subscriptions/{made['id']}", metadata={"seen": "live"})
    await site.settled()
    state = await site.pool.fetchval("select state from subscriptions where id = $1", made["id"])
    assert "past due grace over" in state
    assert (await site.access(product, "owes@grace.example"))["access"] is False
