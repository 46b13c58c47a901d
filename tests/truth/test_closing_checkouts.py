"""Checkouts that payment links opened are closed once their product isn't linked any more."""

import logging
from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checkout import CheckoutActivities
from latchkey.keyring import Keyring
from latchkey.store.products import checkout
from latchkey.vault import Vault
from tests.harness import SECRETS
from tests.truth.test_bursts import Desk, desk

__all__ = ["desk"]
pytestmark = pytest.mark.anyio


async def settle(desk: Desk, product: str, *, key: str | None = None) -> None:
    deps = desk.deps
    if key is not None:
        keyring = Keyring(
            desk.pool, Vault(SECRETS), key=key, secrets=[], api_base=desk.stripe.url, address=""
        )
        deps = replace(deps, keyring=keyring)
    activities = CheckoutActivities(deps, desk.client, public_url="http://shop.example")
    await ActivityEnvironment().run(activities.settle, product)
    if key is not None:
        await deps.keyring.close()


async def for_sale(desk: Desk) -> tuple[str, str]:
    """A linked product with a payment link, and the link's id in Stripe."""
    stripe_product = await desk.stripe.product()
    price = await desk.stripe.price(stripe_product)
    product = await desk.linked(stripe_product)
    await desk.pool.execute(
        """
        insert into prices (id, account_id, livemode, stripe_product, type, currency, active,
                            created_at, ticket)
        values ($1, $2, false, $3, 'recurring', 'usd', true, now(), 1)
        """,
        price,
        desk.account.id,
        stripe_product,
    )
    await desk.pool.execute(
        """
        insert into payment_links (product_id, account_id, livemode, price_id)
        values ($1, $2, false, $3)
        """,
        product,
        desk.account.id,
        price,
    )
    await settle(desk, product)
    return product, await desk.pool.fetchval(
        "select stripe_id from payment_links where product_id = $1", product
    )


async def unlink(desk: Desk, product: str) -> None:
    await desk.pool.execute("update links set removed_at = now() where product_id = $1", product)
    async with desk.pool.acquire() as connection, connection.transaction():
        await checkout.drop(connection, product)


async def state(desk: Desk, session: str) -> str:
    return str((await desk.stripe.get(f"checkout/sessions/{session}"))["status"])


async def is_settled(desk: Desk, product: str) -> bool:
    query = "select bool_and(settled and not active) from payment_links where product_id = $1"
    return bool(await desk.pool.fetchval(query, product))


async def test_what_a_payment_link_opened_within_a_day_is_closed(desk: Desk) -> None:
    product, link = await for_sale(desk)
    opened = [(await desk.stripe.control(f"payment_links/{link}/open"))["id"] for _ in range(3)]
    await desk.stripe.pay({"id": opened[0]}, "paid@closing.example")
    async with desk.pool.acquire() as connection, connection.transaction():
        await checkout.choose(connection, product, enabled=False)
    await settle(desk, product)
    assert await state(desk, opened[1]) == "open", "whoever pays it gets the product"
    await unlink(desk, product)
    assert not await is_settled(desk, product)
    await settle(desk, product)
    assert [await state(desk, one) for one in opened] == ["complete", "expired", "expired"]
    assert await is_settled(desk, product)


async def test_a_payment_link_that_was_closed_long_ago_is_left_alone(desk: Desk) -> None:
    product, _ = await for_sale(desk)
    async with desk.pool.acquire() as connection, connection.transaction():
        await checkout.choose(connection, product, enabled=False)
    await settle(desk, product)
    await desk.pool.execute("update payment_links set retired_at = now() - interval '25 hours'")
    await unlink(desk, product)
    assert await is_settled(desk, product)


@pytest.mark.parametrize("gone", [False, True])
async def test_a_link_that_is_gone_or_a_key_that_may_not_close_sessions_ends_the_work(
    desk: Desk, gone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    product, link = await for_sale(desk)
    opened = (await desk.stripe.control(f"payment_links/{link}/open"))["id"]
    await unlink(desk, product)
    if gone:
        desk.stripe.box.shop.world.forget("payment_link", link)
        await settle(desk, product)
    else:
        allowed = {"payment_links": "write", "checkout": "read", "products": "read"}
        await desk.stripe.control("keys", key="rk_test_reads", permissions=allowed)
        with caplog.at_level(logging.WARNING):
            await settle(desk, product, key="rk_test_reads")
        assert "can't be closed" in caplog.text
        assert await state(desk, opened) == "open"
    assert await is_settled(desk, product)
