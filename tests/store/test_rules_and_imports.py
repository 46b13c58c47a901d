"""A changed policy or an event reaches a purchase before the link's import does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Pool
from latchkey.store.purchases.subscriptions import apply_subscriptions, rejudge_subscriptions
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("first", ["policy", "import"])
async def test_a_purchase_is_imported_once_in_either_order(pool: Pool, first: str) -> None:
    """It gets its line and the email that the import would have sent."""
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "known", {"trialing": False})
        bought = subscription(1, "trialing")
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        await apply_subscriptions(connection, [bought], context=context)
        await linked(connection, "fresh", {})
        await connection.execute(
            "update links set state = 'importing', created_at = $1 where product_id = 'fresh'",
            NOW + timedelta(seconds=5),
        )
        later = NOW + timedelta(seconds=6)
        by_policy = ApplyContext(ACCOUNT, 0, later, Cause.POLICY)
        by_import = ApplyContext(ACCOUNT, 2, later, Cause.IMPORT)
        for way in ("policy", "import") if first == "policy" else ("import", "policy"):
            if way == "policy":
                await rejudge_subscriptions(connection, ["sub_1"], context=by_policy)
            else:
                await apply_subscriptions(connection, [bought], context=by_import)
        lines = await connection.fetch("select type, cause from activities where source_id='sub_1'")
        mails = await connection.fetchval("select count(*) from mails where product_id = 'fresh'")
    assert sorted((row["type"], row["cause"]) for row in lines) == [
        ("access_granted", "import"),
        ("imported", "import"),
    ]
    assert mails == 1


async def test_purchases_reported_while_a_failed_import_waits_are_imported(pool: Pool) -> None:
    """It isn't recorded as a new purchase, and no email is sent if the import shouldn't send
    any."""
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        await connection.execute(
            "update links set state = 'failed', mail = 'suppress', created_at = $1",
            NOW + timedelta(seconds=5),
        )
        bought, later = subscription(1, "active"), NOW + timedelta(seconds=6)
        by_event = ApplyContext(ACCOUNT, 1, later, Cause.STRIPE)
        await apply_subscriptions(connection, [bought], context=by_event)
        await connection.execute("update links set state = 'importing'")
        by_import = ApplyContext(ACCOUNT, 2, later, Cause.IMPORT)
        page = await apply_subscriptions(connection, [bought], context=by_import)
        lines = await connection.fetch("select type, cause from activities where source_id='sub_1'")
        mails = await connection.fetchval("select count(*) from mails")
    assert sorted((row["type"], row["cause"]) for row in lines) == [
        ("access_granted", "import"),
        ("imported", "import"),
    ]
    assert mails == 0
    assert (page.granted, page.already) == (0, 1)


async def test_what_an_import_finds_keeps_when_it_was_bought(pool: Pool) -> None:
    """What is bought afterwards, or given again, began here."""
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        linked_at = NOW + timedelta(seconds=5)
        await connection.execute("update links set state = 'importing', created_at = $1", linked_at)
        bought, paused = subscription(1, "active"), subscription(1, "paused")
        new = replace(subscription(2, "active"), created=linked_at + timedelta(seconds=1))
        for ticket, (reading, cause) in enumerate(
            [
                (bought, Cause.IMPORT),
                (new, Cause.STRIPE),
                (bought, Cause.IMPORT),
                (paused, Cause.STRIPE),
                (bought, Cause.STRIPE),
            ],
            start=1,
        ):
            later = linked_at + timedelta(minutes=ticket)
            context = ApplyContext(ACCOUNT, ticket, later, cause)
            await apply_subscriptions(connection, [reading], context=context)
        rows = await connection.fetch("select source_id, bought_at from grants order by id")
    assert [tuple(row) for row in rows] == [("sub_1", NOW), ("sub_2", None), ("sub_1", None)]
