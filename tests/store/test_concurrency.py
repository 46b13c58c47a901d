"""Concurrent transactions: the second waits, and then sees what the first did."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities.base import ActivityDeps
from activities.imports import ImportActivities
from activities.subscriptions import SubscriptionActivities
from latchkey.contracts import ImportPageInput, ImportStep, SyncInput
from latchkey.keyring import Keyring
from latchkey.rules.access import Verdict
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Customer, Payment
from latchkey.rules.vocabulary import Cause, GrantSource, Reason
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import buyers
from latchkey.store.purchases.buyers import Buyer
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.purchases.order_facts import tell_of_bill
from latchkey.store.purchases.settling import Entitlement, given_by, settle
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import Account, ApplyContext
from latchkey.stripe_api import Page, StripeApi
from latchkey.vault import Vault
from tests.harness import KEY, SECRETS, Json, Latchkey, until
from tests.rules.test_past_invoices import BILL
from tests.store.test_removed_links import linked, subscription

pytestmark = pytest.mark.anyio

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def context(ticket: int) -> ApplyContext:
    return ApplyContext(Account("acct_1", livemode=False), ticket, NOW, Cause.STRIPE)


async def blocked(pool: Pool) -> bool:
    found: int = await pool.fetchval(
        """
        select count(*) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'
        """
    )
    return found > 0


async def test_a_customer_is_bound_once_by_the_first_transaction(pool: Pool) -> None:
    first = await pool.fetchval("insert into users (email) values ('a@x.example') returning id")
    one = Buyer("sub_1", GrantSource.SUBSCRIPTION, "cus_1", "a@x.example", "A")
    other = Buyer("sub_2", GrantSource.SUBSCRIPTION, "cus_1", "b@x.example", "B")
    async with pool.acquire() as mine, pool.acquire() as theirs:
        begun = mine.transaction()
        await begun.start()
        await buyers.resolve(mine, [one], context=context(1))

        async def second() -> dict[str, buyers.Person]:
            async with theirs.transaction():
                return await buyers.resolve(theirs, [other], context=context(2))

        task = asyncio.create_task(second())
        await until(lambda: blocked(pool), "the second waits for the first")
        await begun.commit()
        found = await task
    assert found["sub_2"].user_id == first


async def test_a_changed_address_seen_first_by_a_purchase_still_raises_a_match(pool: Pool) -> None:
    """The customer's reading is older than the purchase's but applied after it."""
    for email in ("a@x.example", "b@x.example"):
        await pool.execute("insert into users (email) values ($1)", email)
    async with pool.acquire() as connection, connection.transaction():
        for ticket, email in ((1, "a@x.example"), (3, "b@x.example")):
            buyer = Buyer(f"sub_{ticket}", GrantSource.SUBSCRIPTION, "cus_1", email, "A")
            await buyers.resolve(connection, [buyer], context=context(ticket))
        changed = Customer("cus_1", "b@x.example", "A", deleted=False)
        await buyers.mirror_customer(connection, changed, context=context(2))
    [doubt] = await pool.fetch("select kind, email, user_id, other_id from matches")
    assert (doubt["kind"], doubt["email"]) == ("address_changed", "b@x.example")
    assert doubt["user_id"] != doubt["other_id"]


async def _product(pool: Pool) -> tuple[int, LinkedProduct]:
    user: int = await pool.fetchval("insert into users (email) values ('a@x.example') returning id")
    await pool.execute("insert into products (id, slug, name) values ('prd_1', 'one', 'One')")
    link: int = await pool.fetchval(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state)
        values ('prd_1', 'acct_1', false, 'prod_1', 'listening') returning id
        """
    )
    product = LinkedProduct(
        product_id="prd_1",
        link_id=link,
        stripe_product="prod_1",
        importing=False,
        removed=False,
        linked_at=NOW,
        invoices="year",
        import_mail=True,
        import_spread=False,
        access_mail=True,
        policy=DEFAULT_POLICY,
    )
    return user, product


async def _buy(connection: Connection, order: str, user: int, product: LinkedProduct) -> None:
    verdict = Verdict(True, Reason.PAID, terminal=True)
    entitlement = Entitlement(
        user, product, GrantSource.ORDER, order, f"purchase/{order}", NOW, verdict
    )
    given = await given_by(connection, GrantSource.ORDER, [order])
    await settle(connection, [entitlement], given=given, context=context(1))


async def test_two_simultaneous_purchases_of_a_product_send_one_email(pool: Pool) -> None:
    user, product = await _product(pool)
    async with pool.acquire() as mine, pool.acquire() as theirs:
        begun = mine.transaction()
        await begun.start()
        await _buy(mine, "cs_1", user, product)

        async def second() -> None:
            async with theirs.transaction():
                await _buy(theirs, "cs_2", user, product)

        task = asyncio.create_task(second())
        await until(lambda: blocked(pool), "the second waits for the first")
        await begun.commit()
        await task
    assert await pool.fetchval("select count(*) from grants where ended_at is null") == 2
    mails = await pool.fetchval("select count(*) from mails where kind = 'product_access'")
    assert mails == 1


async def test_an_older_reading_of_an_invoice_writes_no_lines(pool: Pool) -> None:
    """It read the invoice before its refund but is applied after the reading that showed it."""
    user, _ = await _product(pool)
    await pool.execute(
        """
        insert into grants (user_id, product_id, source, source_id, account_id, livemode, since,
                            cause)
        values ($1, 'prd_1', 'subscription', 'sub_1', 'acct_1', false, $2, 'stripe')
        """,
        user,
        NOW,
    )

    bill = replace(BILL, subscription="sub_1")

    async def tell(refunded: int, ticket: int) -> None:
        paid = Payment("pi_1", "succeeded", NOW, 1000, refunded, refunded == 1000)
        async with pool.acquire() as connection, connection.transaction():
            await tell_of_bill(connection, replace(bill, payment=paid), context=context(ticket))

    for refunded, ticket in ((0, 1), (400, 3), (0, 2), (400, 3), (400, 4), (0, 5), (400, 6)):
        await tell(refunded, ticket)
    rows = await pool.fetch("select type, (data->>'amount')::int from activities order by id")
    assert [tuple(row) for row in rows] == [
        ("refunded", 400),
        ("refund_failed", 0),
        ("refunded", 400),
    ]


async def test_a_cancellation_ends_grants_of_an_uncommitted_page(
    pool: Pool,
) -> None:
    """The page read the subscription before it was cancelled, and its row isn't there to be seen
    when the event's reading looks for it."""
    running = subscription(1, "active")
    over = replace(running, status="canceled", ended_at=NOW)
    async with pool.acquire() as mine, pool.acquire() as theirs:
        await linked(mine, "course", {})
        begun = mine.transaction()
        await begun.start()
        await apply_subscriptions(mine, [running], context=replace(context(1), cause=Cause.IMPORT))

        async def second() -> None:
            async with theirs.transaction():
                await apply_subscriptions(theirs, [over], context=context(2))

        task = asyncio.create_task(second())
        await until(lambda: blocked(pool), "the second waits for the first")
        await begun.commit()
        await task
    assert await pool.fetchval("select status from subscriptions") == "canceled"
    assert await pool.fetchval("select count(*) from grants where ended_at is null") == 0


async def test_a_switch_to_an_unlinked_product_survives_an_older_page(pool: Pool) -> None:
    """The page read the subscription earlier but is applied after the event's reading."""
    before = subscription(1, "active")
    switched = replace(before, items=(replace(before.items[0], stripe_product="prod_other"),))
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        await apply_subscriptions(connection, [switched], context=context(2))
        page = await apply_subscriptions(
            connection, [before], context=replace(context(1), cause=Cause.IMPORT)
        )
    assert page.applied["sub_1"].stale
    assert await pool.fetchval("select count(*) from grants") == 0


async def test_a_page_held_past_its_import_restores_no_access(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    made = await site.stripe.subscribe("held@x.example", price)
    customer = await site.stripe.get(f"customers/{made['customer']}")
    old: Json = {**await site.stripe.get(f"subscriptions/{made['id']}"), "customer": customer}
    await site.stripe.delete(f"subscriptions/{made['id']}")
    await site.settled()
    product = await site.product()
    link = await site.link(product, stripe_product)

    async def page(api: StripeApi, **given: object) -> Page:
        return Page([old], None)

    monkeypatch.setattr(StripeApi, "subscriptions", page)
    keyring = Keyring(
        site.pool,
        Vault(SECRETS),
        key=KEY,
        secrets=[],
        api_base=site.settings.stripe_api_base,
        address=site.url,
    )
    imports = ImportActivities(
        ActivityDeps(site.pool, keyring, SECRETS), site.temporal, public_url=site.url
    )
    job = ImportPageInput(link["id"], stripe_product, ImportStep.SUBSCRIPTIONS, datetime.now(UTC))
    await ActivityEnvironment().run(imports.page, job)
    assert (await site.access(product, "held@x.example"))["access"] is False


@pytest.mark.parametrize("known", [False, True])
async def test_an_attempt_presumed_dead_restores_no_access(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """It read the subscription running, another attempt read it ended: the older one is stale."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stop_worker()
    made = await site.stripe.subscribe("zombie@x.example", price)
    keyring = Keyring(
        site.pool,
        Vault(SECRETS),
        key=KEY,
        secrets=[],
        api_base=site.settings.stripe_api_base,
        address=site.url,
    )
    sync = SubscriptionActivities(ActivityDeps(site.pool, keyring, SECRETS)).sync
    job = SyncInput(made["id"], datetime.now(UTC))
    if known:
        await ActivityEnvironment().run(sync, job)
        assert (await site.access(product, "zombie@x.example"))["access"] is True
    read, times = StripeApi.subscription, []

    async def slowly(api: StripeApi, subscription_id: str) -> Json:
        found = await read(api, subscription_id)
        times.append(found["status"])
        if len(times) == 1:
            await site.stripe.delete(f"subscriptions/{subscription_id}")
            await ActivityEnvironment().run(sync, job)
        return found

    monkeypatch.setattr(StripeApi, "subscription", slowly)
    await ActivityEnvironment().run(sync, job)
    assert times == ["active", "canceled"]
    assert (await site.access(product, "zombie@x.example"))["access"] is False
