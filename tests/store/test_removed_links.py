"""A removed link that kept its members doesn't affect anyone else."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.reading import Customer, Item, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import Account, ApplyContext

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", False)
NOW = datetime.now(UTC).replace(microsecond=0)


def subscription(number: int, status: str) -> Subscription:
    end = NOW + timedelta(days=30)
    return Subscription(
        id=f"sub_{number}",
        livemode=False,
        customer=Customer(f"cus_{number}", f"p{number}@store.example", known=True),
        status=status,
        items=(Item(f"si_{number}", "prod_1", "price_1", 1, NOW, end),),
        items_complete=True,
        created=NOW,
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=None,
        ended_at=None,
        cancel_reason=None,
        cancelled_by_customer=False,
        trial_end=None,
        collection_paused=False,
        resumes_at=None,
    )


async def linked(connection: Connection, product: str, overrides: dict[str, object]) -> None:
    await connection.execute(
        """
        insert into products (id, slug, name, status, policy_overrides)
        values ($1, $1, $1, 'live', $2::jsonb)
        """,
        product,
        overrides,
    )
    await connection.execute(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state)
        values ($1, 'acct_1', false, 'prod_1', 'listening')
        """,
        product,
    )


async def test_a_buyer_who_gets_nothing_is_not_reported_without_an_address(pool: Pool) -> None:
    """A trial that one product's policy excludes and that the other's removed link would have let
    in: no user is created for it, and the address isn't reported as missing."""
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "excludes", {"trialing": False})
        await linked(connection, "removed", {})
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        member = subscription(1, "active")
        await apply_subscriptions(connection, [member], context=context)
        await connection.execute(
            """
            update links set state = 'removed', removed_at = now(), members = 'keep'
             where product_id = 'removed'
            """
        )
        newcomer = subscription(2, "trialing")
        page = await apply_subscriptions(connection, [member, newcomer], context=context)
    assert page.applied["sub_1"].access
    assert not page.applied["sub_2"].access
    assert page.applied["sub_2"].state == "No access (excluded by policy)"
    assert page.granted == 0
