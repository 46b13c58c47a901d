"""Money at risk, through the sandbox: cards that expire, and what is disputed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from latchkey.rules.vocabulary import Risk
from latchkey.store.purchases.at_risk import AT_RISK, MoneyAtRisk
from latchkey.store.purchases.billing_lists import BillingFilter
from tests.harness import Latchkey, until
from tests.life.play import charge_of, charge_of_invoice, linked

pytestmark = pytest.mark.anyio

EXPIRING = BillingFilter(states=(Risk.CARD,))
THIS_MONTH = {"exp_month": datetime.now(UTC).month, "exp_year": datetime.now(UTC).year}
LATER = {"exp_month": 12, "exp_year": datetime.now(UTC).year + 5}


async def listed(site: Latchkey, subscription: str) -> MoneyAtRisk | None:
    async with site.pool.acquire() as connection:
        rows = await AT_RISK.page(connection, EXPIRING, limit=100)
    return next((row for row in rows if row.id == subscription), None)


async def until_listed(site: Latchkey, subscription: str, *, is_listed: bool) -> None:
    async def holds() -> bool:
        return (await listed(site, subscription) is not None) == is_listed

    await until(holds, f"listed: {is_listed}")


async def test_a_card_that_expires_is_listed_until_the_bank_replaces_it(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy("visa@cards.example", price)
    await shared.has(product, "visa@cards.example")
    subscription = str(session["subscription"])
    found = await shared.stripe.get(f"subscriptions/{subscription}")
    method = str(found["default_payment_method"])
    assert await listed(shared, subscription) is None
    await shared.stripe.post(f"payment_methods/{method}", card=THIS_MONTH)
    await until_listed(shared, subscription, is_listed=True)
    row = await listed(shared, subscription)
    assert row is not None
    assert (row.card_brand, row.card_last4, row.amount, row.exact) == ("visa", "4242", 1500, False)
    await shared.stripe.control(f"payment_methods/{method}/replace", **LATER, last4="1881")
    await until_listed(shared, subscription, is_listed=False)
    kept = await shared.pool.fetchval(
        "select card_last4 from subscriptions where id = $1", subscription
    )
    assert kept == "1881"


async def test_the_customers_default_counts_where_the_subscription_names_none(
    shared: Latchkey,
) -> None:
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe("default@cards.example", price)
    await shared.has(product, "default@cards.example")
    subscription, customer = str(made["id"]), str(made["customer"])

    async def card() -> Any:
        return await shared.pool.fetchval(
            "select card_id from subscriptions where id = $1 and not card_own", subscription
        )

    first = await until(card, "the default card")
    await shared.stripe.post(f"payment_methods/{first}", card=THIS_MONTH)
    await until_listed(shared, subscription, is_listed=True)
    other = await shared.stripe.control(f"customers/{customer}/card", card="pm_card_mastercard")
    await until_listed(shared, subscription, is_listed=False)
    assert await card() == other["id"] != first


async def test_what_is_disputed_counts_not_what_was_paid(shared: Latchkey) -> None:
    _, _, once = await linked(shared, every=None, amount=5000)
    order = await shared.stripe.buy("part@cards.example", once, mode="payment")
    _, _, monthly = await linked(shared)
    session = await shared.stripe.buy("bill@cards.example", monthly)
    charges = [
        await charge_of(shared, order["payment_intent"]),
        await charge_of_invoice(shared, session["invoice"]),
    ]
    for charge in charges:
        await shared.stripe.control(f"charges/{charge}/dispute", amount=700)
    disputed = {str(order["id"]), str(session["invoice"])}

    async def amounts() -> Any:
        async with shared.pool.acquire() as connection:
            rows = await AT_RISK.page(connection, BillingFilter(states=(Risk.DISPUTED,)), limit=100)
        found = {row.id: (row.amount, row.currency, row.exact) for row in rows}
        return found if disputed <= found.keys() else None

    found = await until(amounts, "both disputes")
    assert {found[key] for key in disputed} == {(700, "usd", True)}
